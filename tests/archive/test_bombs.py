"""A small archive cannot fill the memory, and nesting ends in no traceback."""

from __future__ import annotations

import json
import secrets
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.archive.conftest import manifest_of
from tests.measured import measured

HOLE = "@hole@"


def _attributes(manifest: dict[str, Any]) -> None:
    manifest["study"]["user_attrs"] = {"x": HOLE}


def _packed_less(manifest: dict[str, Any]) -> None:
    manifest["study"]["user_attrs"] = {"x": HOLE, "y": secrets.token_hex(100_000)}


def _metrics(manifest: dict[str, Any]) -> None:
    manifest["epochs"][0]["metrics"]["x"] = HOLE


def _trials(manifest: dict[str, Any]) -> None:
    manifest["trials"] = HOLE


def _params(manifest: dict[str, Any]) -> None:
    manifest["trials"][0]["params"] = HOLE


def objects(count: int, one: str = "{}") -> str:
    """Return a list of objects: a few bytes each, and many times that in memory."""
    return f"[{','.join([one] * count)}]"


def members(count: int) -> str:
    """Return an object with members that are no parameters."""
    return json.dumps({f"p{number}": [] for number in range(count)})


BOMBS: dict[str, tuple[Callable[[dict[str, Any]], None], str, str]] = {
    "objects, well packed": (_attributes, objects(20_000_000), "unpacks to 60.0 MB, 200 times its size"),
    "objects": (_packed_less, objects(7_000_000), "it has too many values: 35,"),
    "objects in metrics": (_metrics, objects(7_000_000), "the manifest of bomb.zip unpacks to 21.0 MB"),
    "lists in lists": (_attributes, "[" * 900 + "]" * 900, "it is nested more than 50 levels deep"),
    "lists in lists in lists": (_metrics, "[" * 9000 + "]" * 9000, "it is nested more than 50 levels deep"),
    "trials that lack everything": (_trials, objects(300_000), "trials.0.number: Field required"),
    "too many parameters": (_params, members(200_000), "an object has 200,000 members, at most 100,000 are read"),
    "wrong parameters": (_params, members(99_000), "trials.0.params."),
}


def bomb(file: Path, hole: Callable[[dict[str, Any]], None], filling: str) -> Path:
    """Write an archive with a large value in its manifest, and return its path."""
    manifest = manifest_of(file)
    hole(manifest)
    text = json.dumps(manifest).replace(f'"{HOLE}"', filling)
    other = file.with_name("bomb.zip")
    with zipfile.ZipFile(file) as read, zipfile.ZipFile(other, "w") as written:
        written.writestr("manifest.json", text, zipfile.ZIP_DEFLATED)
        for name in read.namelist()[:-1]:
            written.writestr(name, read.read(name))
    return other


@pytest.mark.parametrize("case", BOMBS)
def test_an_archive_of_a_few_kilobytes_takes_no_gigabytes(finished: Path, tmp_path: Path, case: str) -> None:
    """The import says in one line what is too large, and writes nothing."""
    hole, filling, message = BOMBS[case]
    file = tmp_path / "small.zip"
    file.write_bytes((finished / "small.zip").read_bytes())
    assert bomb(file, hole, filling).stat().st_size < 2_000_000
    imported = measured("study", "import", "bomb.zip", folder=tmp_path)

    assert imported.exit_code == 2, imported.stderr
    first, *others = imported.stderr.splitlines()
    assert message in first
    assert len(first) < 1000
    assert len(others) == 1
    assert imported.growth < 700_000_000
    assert not (tmp_path / ".tuner").exists()


def test_the_largest_archive_that_is_read_takes_less_than_a_gigabyte(finished: Path, tmp_path: Path) -> None:
    """Its manifest is just below every limit."""
    file = tmp_path / "small.zip"
    file.write_bytes((finished / "small.zip").read_bytes())

    def fill(manifest: dict[str, Any]) -> None:
        _metrics(manifest)
        manifest["study"]["user_attrs"] = {"y": secrets.token_hex(100_000)}

    bomb(file, fill, objects(1_190_000, '{"a":0}'))
    imported = measured("study", "import", "bomb.zip", folder=tmp_path)

    assert imported.exit_code == 0, imported.stderr
    assert imported.growth < 800_000_000


def test_an_archive_of_many_files_is_refused(finished: Path, tmp_path: Path) -> None:
    """Their number is compared before the manifest is read."""
    with zipfile.ZipFile(tmp_path / "many.zip", "w") as archive:
        archive.writestr("manifest.json", "{}")
        for number in range(20_000):
            archive.writestr(str(number), "")
    imported = measured("study", "import", "many.zip", folder=tmp_path)

    assert imported.exit_code == 2
    assert "many.zip holds 20,001 files, at most 20,000 are read" in imported.stderr
