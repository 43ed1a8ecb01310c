"""Invalid archives are refused before anything is written."""

from __future__ import annotations

import json
import struct
import zipfile
from pathlib import Path
from typing import Any

import pytest
from tuner_storage import locate

from tests.archive.conftest import Change, manifest_of, recipe, tampered
from tests.runs import trials_of
from tuner import studies
from tuner.archive import read
from tuner.archive.read import import_archive
from tuner.errors import RunError, TunerError, UsageError


def refused(file: Path, tmp_path: Path, kind: type[TunerError] = UsageError) -> str:
    """Import an invalid archive, check that nothing is created, and return the error message."""
    home = tmp_path / "other"
    with pytest.raises(kind) as caught:
        import_archive(file, locate(home=home))
    assert not home.exists()
    assert "\n" not in str(caught.value)
    assert caught.value.hint
    return str(caught.value)


def rewritten(file: Path, **changes: Any) -> Path:
    """Write a copy of an archive with other bytes for some files, or with additional files; returns its path."""
    other = file.with_name("rewritten.zip")
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(other, "w") as new:
        for name in old.namelist():
            new.writestr(name, changes.pop(name, old.read(name)))
        for name, content in changes.items():
            new.writestr(name, content)
    return other


def test_an_existing_name_is_refused(exported: Path, home: Path) -> None:
    """The existing study is not changed, and the hint names the option for another name."""
    before = trials_of(home, recipe())
    with pytest.raises(UsageError, match="there is a study 'small' already") as caught:
        import_archive(exported, locate(home=home))

    assert "--name NEW" in str(caught.value.hint)
    assert trials_of(home, recipe()) == before


@pytest.mark.parametrize("name", ["", "a\nb", "x" * 201])
def test_an_invalid_name_is_refused(exported: Path, tmp_path: Path, name: str) -> None:
    """The rule is the same as for every study (fault 36)."""
    with pytest.raises(UsageError, match="a study's name"):
        import_archive(exported, locate(home=tmp_path / "other"), name)
    assert not (tmp_path / "other").exists()


def test_a_file_that_is_not_an_archive_is_refused(tmp_path: Path) -> None:
    """A missing file, a folder, a text file and an empty zip file are refused."""
    text, empty = tmp_path / "text.zip", tmp_path / "empty.zip"
    text.write_text("my thesis")
    zipfile.ZipFile(empty, "w").close()

    assert "there is no file" in refused(tmp_path / "absent.zip", tmp_path)
    assert "there is no file" in refused(tmp_path, tmp_path)
    assert "is not a complete archive" in refused(text, tmp_path)
    assert "has no manifest.json" in refused(empty, tmp_path)


def test_a_truncated_archive_is_refused(exported: Path, tmp_path: Path) -> None:
    """An archive that is cut off at any position is refused (fault 38)."""
    content = exported.read_bytes()
    short = tmp_path / "short.zip"
    for length in (0, 10, len(content) // 2, len(content) - 30, len(content) - 1):
        short.write_bytes(content[:length])
        assert "is not a complete archive" in refused(short, tmp_path)


def test_flipped_bytes_are_never_imported(exported: Path, tmp_path: Path) -> None:
    """A file with a flipped byte is refused, unless the byte has no meaning (fault 38)."""
    content = exported.read_bytes()
    flipped = tmp_path / "flipped.zip"
    ends = range(len(content) - 22, len(content))  # the record with the position of the directory
    for position in sorted({*range(0, len(content), max(1, len(content) // 30)), *ends}):
        flipped.write_bytes(content[:position] + bytes([content[position] ^ 0xFF]) + content[position + 1 :])
        try:
            import_archive(flipped, locate(home=tmp_path / f"home-{position}"))
        except TunerError:
            assert not (tmp_path / f"home-{position}").exists()
        else:
            assert trials_of(tmp_path / f"home-{position}", recipe())


def test_another_version_is_refused(exported: Path, tmp_path: Path) -> None:
    """The message names the version of the archive and those that can be read."""
    message = refused(tampered(exported, lambda manifest: manifest.update(archive_version=6)), tmp_path)

    assert "has archive_version 6, this tuner reads versions 1 to 5" in message


@pytest.mark.parametrize("kind", ["model", "refit"])
def test_a_changed_model_is_refused(exported: Path, tmp_path: Path, kind: str) -> None:
    """The recorded checksum is compared, even if that of the zip file matches (fault 38)."""
    manifest = manifest_of(exported)
    path = manifest["models"][0]["path"] if kind == "model" else manifest["refit"]["path"]
    with zipfile.ZipFile(exported) as archive:
        content = archive.read(path)
    other = rewritten(exported, **{path: content[:-1] + b"?"})

    assert f"checksum mismatch: '{path}'" in refused(other, tmp_path, RunError)
    assert "bytes" in refused(rewritten(exported, **{path: content + b"?"}), tmp_path, RunError)


@pytest.mark.parametrize("name", ["../../evil", "/evil", "models/../../evil", "models/extra.keras", "C:\\evil"])
def test_files_that_the_manifest_does_not_name_are_refused(exported: Path, tmp_path: Path, name: str) -> None:
    """No file is written under a name that only the zip file has."""
    message = refused(rewritten(exported, **{name: b"x"}), tmp_path)

    assert "does not hold the files that its manifest names" in message


@pytest.mark.parametrize("path", ["../../evil.keras", "/evil.keras", "models/trial-00099.keras", "models\\x"])
def test_other_paths_of_a_model_are_refused(exported: Path, tmp_path: Path, path: str) -> None:
    """The trial's number determines the path of its model, so that no path leads out of the folder."""
    message = refused(tampered(exported, lambda manifest: manifest["models"][0].update(path=path)), tmp_path)

    assert "the model of trial" in message
    assert not list(tmp_path.rglob("evil*"))


def _missing_trial(manifest: dict[str, Any]) -> None:
    del manifest["trials"][3]


def _value_outside_its_range(manifest: dict[str, Any]) -> None:
    manifest["trials"][0]["params"]["learning_rate"] = 7.0


CHANGES: dict[str, tuple[Change, str]] = {
    "a trial is missing": (_missing_trial, "numbered 0, 1, 2"),
    "a value outside its range": (_value_outside_its_range, "trial 0"),
    "an unknown state": (lambda m: m["trials"][0].update(state="RUNNING"), "trials.0.state"),
    "an unknown key": (lambda m: m.update(pickle="80"), "pickle"),
    "an epoch twice": (lambda m: m["epochs"].append(m["epochs"][0]), "twice"),
    "an epoch of no trial": (lambda m: m["epochs"][0].update(trial_number=99), "is of a trial that does not exist"),
    "a refit of no trial": (lambda m: m["refit"].update(trial_number=99), "refit 99 is of a trial that does not exist"),
    "a refit at another path": (lambda m: m["refit"].update(path="../../evil.keras"), "refit.path"),
    "an evaluation that no tuner wrote": (
        lambda m: m["refit"].update(evaluation={"rows": 1, "metrics": {}, "html": "<b>"}),
        "refit.evaluation",
    ),
    "an invalid fingerprint": (lambda m: m["study"].update(data_fingerprint="x"), "fingerprint"),
    "an invalid recipe": (lambda m: m["study"].update(recipe={"data": "digits", "trails": 3}), "trails"),
    "an unknown distribution": (
        lambda m: m["trials"][0]["distributions"].update(learning_rate={"name": "os.system", "attributes": {}}),
        "trial 0",
    ),
}


@pytest.mark.parametrize("case", CHANGES)
def test_an_inconsistent_manifest_is_refused(exported: Path, tmp_path: Path, case: str) -> None:
    """The message names the part that is wrong."""
    change, expected = CHANGES[case]

    assert expected in refused(tampered(exported, change), tmp_path)


def test_pickles_of_a_sampler_are_not_imported(exported: Path, tmp_path: Path) -> None:
    """Optuna would load them, and loading a pickle can run code."""

    def plant(manifest: dict[str, Any]) -> None:
        manifest["trials"][0]["system_attrs"]["cma:optimizer:0"] = "80049503000000000000004b012e"

    import_archive(tampered(exported, plant), locate(home=tmp_path / "other"))
    with studies.existing(locate(home=tmp_path / "other"), "small") as stored:
        assert not any("cma" in key for trial in stored.study.trials for key in trial.system_attrs)


def test_bombs_are_not_unpacked(exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A manifest that is too large and a compressed model are refused."""
    monkeypatch.setattr(read, "LARGEST", 1000)
    assert "at most 1.0 kB are read" in refused(exported, tmp_path)
    monkeypatch.undo()

    manifest = manifest_of(exported)
    model = manifest["models"][0]
    compressed = tmp_path / "compressed.zip"
    with zipfile.ZipFile(exported) as old, zipfile.ZipFile(compressed, "w") as new:
        for name in old.namelist():
            big = name == model["path"]
            model["size"] = 10**7
            content = bytes(10**7) if big else json.dumps(manifest) if name == "manifest.json" else old.read(name)
            new.writestr(name, content, zipfile.ZIP_DEFLATED if big else zipfile.ZIP_STORED)
    assert compressed.stat().st_size < 10**6
    assert "bytes" in refused(compressed, tmp_path, RunError)


def test_a_manifest_that_needs_more_memory_than_there_is_is_not_parsed(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """JSON takes many times its size in memory."""
    monkeypatch.setattr("tuner.memory.available_memory", lambda: 10_000)
    assert "10.0 kB are available" in refused(exported, tmp_path)


def test_a_manifest_with_a_wrong_size_is_refused(exported: Path, tmp_path: Path) -> None:
    """Only the declared number of bytes is read, and the checksum of these differs."""
    content = bytearray(exported.read_bytes())
    entry = content.rindex(b"PK\x01\x02", 0, content.rindex(b"manifest.json"))
    content[entry + 24 : entry + 28] = struct.pack("<I", 100)  # the uncompressed size
    wrong = tmp_path / "wrong.zip"
    wrong.write_bytes(content)

    assert "manifest" in refused(wrong, tmp_path)


def test_a_refit_that_the_manifest_does_not_name_is_refused(exported: Path, tmp_path: Path) -> None:
    """A refit that the manifest names and the archive lacks is refused too."""
    message = refused(tampered(exported, lambda manifest: manifest.update(refit=None)), tmp_path)
    assert "does not hold the files that its manifest names: 'models/refit.keras'" in message

    without = tmp_path / "without.zip"
    with zipfile.ZipFile(exported) as old, zipfile.ZipFile(without, "w") as new:
        for name in old.namelist():
            if name != "models/refit.keras":
                new.writestr(name, old.read(name))
    assert "does not hold the files that its manifest names: 'models/refit.keras'" in refused(without, tmp_path)
