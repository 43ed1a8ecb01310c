"""The manifest of an export, and what is refused before a model is loaded."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.delivery.conftest import Exporter
from tuner.delivery.checked_files import read_manifest
from tuner.delivery.export import ModelFacts
from tuner.delivery.manifest import Refit
from tuner.delivery.predict import predict
from tuner.errors import RunError, UsageError
from tuner.files import sha256_of

Edit = Callable[[Callable[[dict[str, Any]], object]], None]


def test_every_file_is_listed_with_its_size_and_checksum(shared_export: Path) -> None:
    """The manifest lists every file of the folder except itself and the model card, which people may change."""
    manifest = read_manifest(shared_export)

    paths = {p.relative_to(shared_export).as_posix(): p for p in shared_export.rglob("*") if p.is_file()}
    assert set(manifest.files) == set(paths) - {"manifest.json", "MODEL_CARD.md"}
    for name, entry in manifest.files.items():
        assert (entry.sha256, entry.bytes) == (sha256_of(paths[name]), paths[name].stat().st_size)


def test_the_manifest_names_the_origin_of_the_model(shared_export: Path) -> None:
    """Input, study, objective and formats are read as they were written."""
    manifest = read_manifest(shared_export)

    assert (manifest.input.shape, manifest.input.dtype, manifest.input.scale) == ((8, 8), "uint8", 1 / 16)
    assert (manifest.study, manifest.trial, manifest.objective.value) == ("digits", 7, 0.97)
    assert manifest.params["batch_norm"] is True
    assert manifest.test is not None
    assert manifest.test["accuracy"] == 0.96
    assert manifest.created.utcoffset() is not None
    assert set(manifest.formats) == {"keras", "saved-model", "onnx", "litert"}


def test_a_refit_is_in_the_manifest_and_older_manifests_stay_readable(
    export: Exporter, facts: ModelFacts, exported: Path, edit_manifest: Edit, tmp_path: Path
) -> None:
    """The key is null for the trial's own model, and absent in manifests of versions without refits."""
    again = export(tmp_path / "again", facts=dataclasses.replace(facts, refit=Refit(epochs=19, rows=60000)))
    raw = json.loads((tmp_path / "again" / "manifest.json").read_text())

    assert raw["refit"] == {"epochs": 19, "rows": 60000}
    assert read_manifest(tmp_path / "again") == again
    assert json.loads((exported / "manifest.json").read_text())["refit"] is None
    edit_manifest(lambda raw: raw.pop("refit"))
    assert read_manifest(exported).refit is None


@pytest.mark.parametrize("name", ["model.keras", "model.onnx", "saved_model/saved_model.pb"])
def test_a_flipped_byte_is_refused_before_loading(
    exported: Path, name: str, digits: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A changed file is an error with exit code 1 that names it, and no format is loaded."""
    path = exported / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    monkeypatch.setattr("tuner.delivery.predict.load_runner", lambda *_: pytest.fail("loaded"))

    with pytest.raises(RunError, match=f"checksum mismatch: '{name}'") as caught:
        predict(exported, digits[0])

    assert caught.value.exit_code == 1


def test_a_truncated_file_is_a_checksum_mismatch(exported: Path) -> None:
    """A file that was cut off is refused."""
    path = exported / "model.onnx"
    path.write_bytes(path.read_bytes()[:-10])

    with pytest.raises(RunError, match="checksum mismatch"):
        read_manifest(exported)


def test_a_missing_file_is_named(exported: Path) -> None:
    """A file of the manifest that does not exist is an error."""
    (exported / "model.tflite").unlink()

    with pytest.raises(RunError, match=r"cannot read 'model\.tflite'"):
        read_manifest(exported)


@pytest.mark.parametrize("name", ["../secret", "/etc/hostname", "saved_model/../../secret", "C:\\secret", ""])
def test_paths_that_leave_the_folder_are_refused(exported: Path, edit_manifest: Edit, name: str) -> None:
    """A manifest cannot refer to a file outside the export."""
    (exported.parent / "secret").write_text("secret")
    entry = {"sha256": sha256_of(exported.parent / "secret"), "bytes": 6}
    edit_manifest(lambda raw: raw["files"].update({name: entry}))

    with pytest.raises(RunError, match="outside the export"):
        read_manifest(exported)


def test_a_format_cannot_point_outside(exported: Path, edit_manifest: Edit) -> None:
    """Paths of formats follow the same rule as paths of files."""
    edit_manifest(lambda raw: raw["formats"]["keras"].update(path="../model.keras"))

    with pytest.raises(RunError, match="outside the export"):
        read_manifest(exported)


@pytest.mark.parametrize("name", ["model.keras", "saved_model", "manifest.json"])
def test_links_are_refused(exported: Path, name: str) -> None:
    """The target of a link could change after the check."""
    elsewhere = exported.parent / "elsewhere"
    (exported / name).rename(elsewhere)
    (exported / name).symlink_to(elsewhere)

    with pytest.raises(RunError, match="is a link"):
        read_manifest(exported)


def test_a_file_without_a_checksum_is_refused(exported: Path) -> None:
    """A SavedModel folder may hold only exported files."""
    (exported / "saved_model" / "saved_model.cpb").write_bytes(b"surplus")

    with pytest.raises(RunError, match=r"no checksum for saved_model/saved_model\.cpb"):
        read_manifest(exported)


def test_a_folder_without_a_manifest_is_not_an_export(tmp_path: Path) -> None:
    """The hint names the command that writes an export."""
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
    """Invalid JSON, another version and missing fields are usage errors."""
    (tmp_path / "manifest.json").write_text(text)

    with pytest.raises(UsageError, match=message) as caught:
        read_manifest(tmp_path)

    assert caught.value.exit_code == 2
