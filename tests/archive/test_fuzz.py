"""Whatever an archive holds, importing it ends in words, uses little memory and touches no other file."""

from __future__ import annotations

import itertools
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.damage import altered, assert_refused_or_read, damaged, fuzz, packed, write
from tests.sandbox import Sandbox

ARCHIVE = Path(__file__).parents[1] / "landed" / "archive.zip"
MANIFEST = "manifest.json"

_homes = itertools.count()


def members() -> dict[str, bytes]:
    """The files of a valid archive."""
    with zipfile.ZipFile(ARCHIVE) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


MEMBERS = members()


def change(name: str, content: bytes) -> st.SearchStrategy[bytes]:
    """A strategy for the content of a member: other values in the manifest, other bytes in any file."""
    if name != MANIFEST:
        return damaged(content)
    other = altered(json.loads(content)).map(lambda document: json.dumps(document).encode())
    return st.one_of(other, other, damaged(content))


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Sandbox, Path]]:
    folder = tmp_path_factory.mktemp("import")
    with Sandbox(folder) as process:
        yield process, folder


def imported(sandbox: tuple[Sandbox, Path], content: bytes) -> None:
    """Import an archive into a new home folder, and check how that ends."""
    process, folder = sandbox
    file, home = write(folder / "a.zip", content), folder / f"home-{next(_homes)}"
    ended = process.run("study", "import", str(file), "--home", str(home))
    assert_refused_or_read(ended)
    if ended.code:
        assert not home.exists()


def test_the_valid_archive_is_imported(sandbox: tuple[Sandbox, Path]) -> None:
    """If it were not, the other tests would prove nothing."""
    process, folder = sandbox
    ended = process.run("study", "import", str(ARCHIVE), "--home", str(folder / "valid"))

    assert ended.code == 0, ended.stderr


@fuzz
@given(content=damaged(ARCHIVE.read_bytes()))
def test_any_bytes_may_be_wrong(sandbox: tuple[Sandbox, Path], content: bytes) -> None:
    """A damaged archive is refused, and no home folder is made."""
    imported(sandbox, content)


@fuzz
@given(content=packed(MEMBERS, change))
def test_any_member_may_be_wrong(sandbox: tuple[Sandbox, Path], content: bytes) -> None:
    """So it is if its checksums are right and only the values are wrong."""
    imported(sandbox, content)
