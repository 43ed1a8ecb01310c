"""What a bundle says about itself, and what is refused before anything is loaded."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.delivery.conftest import Exporter
from tuner.delivery.export import ModelFacts
from tuner.delivery.manifest import Refit, read_manifest
from tuner.delivery.predict import predict
from tuner.errors import RunError, UsageError
from tuner.files import sha256_of

Edit = Callable[[Callable[[dict[str, Any]], object]], None]


def test_every_file_is_listed_with_its_size_and_checksum(shared_bundle: Path) -> None:
    """The manifest covers each file of the folder but itself."""
    manifest = read_manifest(shared_bundle)

    found = {p.relative_to(shared_bundle).as_posix(): p for p in shared_bundle.rglob("*") if p.is_file()}
    assert set(manifest.files) == set(found) - {"manifest.json"}
    for name, entry in manifest.files.items():
        assert (entry.sha256, entry.bytes) == (sha256_of(found[name]), found[name].stat().st_size)


def test_the_manifest_tells_where_the_model_comes_from(shared_bundle: Path) -> None:
    """Input, study, objective and versions are read back as they were given."""
    manifest = read_manifest(shared_bundle)

    assert (manifest.input.shape, manifest.input.dtype, manifest.input.scale) == ((8, 8), "uint8", 1 / 16)
    assert (manifest.study, manifest.trial, manifest.objective.value) == ("digits", 7, 0.97)
    assert manifest.params["batch_norm"] is True
    assert manifest.test is not None
    assert manifest.test.accuracy == 0.96
    assert manifest.created.utcoffset() is not None
    assert set(manifest.formats) == {"keras", "saved-model", "onnx", "litert"}


def test_a_refit_is_told_and_older_manifests_stay_readable(
    export: Exporter, facts: ModelFacts, bundle: Path, edit_manifest: Edit, tmp_path: Path
) -> None:
    """The key is null for the trial's own model, and was not there before there were refits."""
    again = export(tmp_path / "again", facts=dataclasses.replace(facts, refit=Refit(epochs=19, rows=60000)))
    raw = json.loads((tmp_path / "again" / "manifest.json").read_text())

    assert raw["refit"] == {"epochs": 19, "rows": 60000}
    assert read_manifest(tmp_path / "again") == again
    assert json.loads((bundle / "manifest.json").read_text())["refit"] is None
    edit_manifest(lambda raw: raw.pop("refit"))
    assert read_manifest(bundle).refit is None


@pytest.mark.parametrize("name", ["model.keras", "model.onnx", "saved_model/saved_model.pb"])
def test_a_flipped_byte_is_refused_before_loading(
    bundle: Path, name: str, digits: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tampered file ends with exit code 1 and its name, and no format is touched."""
    path = bundle / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    monkeypatch.setattr("tuner.delivery.predict.load_runner", lambda *_: pytest.fail("loaded"))

    with pytest.raises(RunError, match=f"checksum mismatch: '{name}'") as caught:
        predict(bundle, digits[0])

    assert caught.value.exit_code == 1


def test_a_truncated_file_is_a_checksum_mismatch(bundle: Path) -> None:
    """A copy that broke off is refused."""
    path = bundle / "model.onnx"
    path.write_bytes(path.read_bytes()[:-10])

    with pytest.raises(RunError, match="checksum mismatch"):
        read_manifest(bundle)


def test_a_missing_file_is_named(bundle: Path) -> None:
    """A file that the manifest lists has to be there."""
    (bundle / "model.tflite").unlink()

    with pytest.raises(RunError, match=r"cannot read 'model\.tflite'"):
        read_manifest(bundle)


@pytest.mark.parametrize("name", ["../secret", "/etc/hostname", "saved_model/../../secret", "C:\\secret", ""])
def test_paths_that_leave_the_folder_are_refused(bundle: Path, edit_manifest: Edit, name: str) -> None:
    """A manifest cannot make anyone read a file elsewhere."""
    (bundle.parent / "secret").write_text("secret")
    entry = {"sha256": sha256_of(bundle.parent / "secret"), "bytes": 6}
    edit_manifest(lambda raw: raw["files"].update({name: entry}))

    with pytest.raises(RunError, match="outside the bundle"):
        read_manifest(bundle)


def test_a_format_cannot_point_outside(bundle: Path, edit_manifest: Edit) -> None:
    """The paths of formats obey the same rule as those of files."""
    edit_manifest(lambda raw: raw["formats"]["keras"].update(path="../model.keras"))

    with pytest.raises(RunError, match="outside the bundle"):
        read_manifest(bundle)


@pytest.mark.parametrize("name", ["model.keras", "saved_model", "manifest.json"])
def test_links_are_refused(bundle: Path, name: str) -> None:
    """A link inside the bundle could change after the check."""
    elsewhere = bundle.parent / "elsewhere"
    (bundle / name).rename(elsewhere)
    (bundle / name).symlink_to(elsewhere)

    with pytest.raises(RunError, match="is a link"):
        read_manifest(bundle)


def test_a_file_without_a_checksum_is_refused(bundle: Path) -> None:
    """A SavedModel folder holds nothing that was not exported."""
    (bundle / "saved_model" / "saved_model.cpb").write_bytes(b"surplus")

    with pytest.raises(RunError, match=r"no checksum for saved_model/saved_model\.cpb"):
        read_manifest(bundle)


def test_a_folder_without_a_manifest_is_no_bundle(tmp_path: Path) -> None:
    """The message says what was expected."""
    with pytest.raises(UsageError, match=r"has no manifest\.json") as caught:
        read_manifest(tmp_path)

    assert "tuner export" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not JSON"),
        ("[]", "must hold a JSON object, got list"),
        ('{"manifest_version": 2}', "has manifest_version 2, this tuner reads version 1"),
        ('{"manifest_version": 1}', "task: Field required"),
    ],
)
def test_a_manifest_that_cannot_be_read_is_explained(tmp_path: Path, text: str, message: str) -> None:
    """Bad JSON, another version and missing fields are usage errors of one line."""
    (tmp_path / "manifest.json").write_text(text)

    with pytest.raises(UsageError, match=message) as caught:
        read_manifest(tmp_path)

    assert caught.value.exit_code == 2
