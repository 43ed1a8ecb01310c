"""Files are either complete or absent."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tuner.files import atomic_path, sha256_of


def test_a_checksum_is_that_of_the_bytes(tmp_path: Path) -> None:
    """The checksum is that of hashlib, also for an empty file."""
    for content in (b"", b"abc" * 1_000_000):
        (tmp_path / "file").write_bytes(content)

        assert sha256_of(tmp_path / "file") == hashlib.sha256(content).hexdigest()


def test_a_file_appears_when_it_is_complete(tmp_path: Path) -> None:
    """Missing folders are created. The temporary file has the suffix of the final one and is renamed at the end."""
    path = tmp_path / "new" / "folder" / "model.keras"
    with atomic_path(path) as temporary:
        temporary.write_text("half")
        assert temporary.suffix == ".keras"
        assert temporary.parent == path.parent
        assert not path.exists()
        temporary.write_text("whole")

    assert path.read_text() == "whole"
    assert list(path.parent.iterdir()) == [path]


def write_half(path: Path, error: BaseException) -> None:
    """Write half a file and fail."""
    with atomic_path(path) as temporary:
        temporary.write_text("half")
        raise error


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
def test_an_error_leaves_the_older_file_as_it_was(tmp_path: Path, error: BaseException) -> None:
    """After any error, no half-written file is left, not even under another name."""
    path = tmp_path / "out.csv"
    path.write_text("older")

    with pytest.raises(type(error)):
        write_half(path, error)

    assert path.read_text() == "older"
    assert list(tmp_path.iterdir()) == [path]


def test_writing_nothing_is_an_error(tmp_path: Path) -> None:
    """A writer that created no file raises an error."""
    with pytest.raises(FileNotFoundError), atomic_path(tmp_path / "out.csv"):
        pass

    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_never_replaced(tmp_path: Path) -> None:
    """A path that is a folder is an error, and its files stay."""
    (tmp_path / "out.csv").mkdir()
    (tmp_path / "out.csv" / "inside").touch()

    with pytest.raises(OSError, match="directory"), atomic_path(tmp_path / "out.csv") as temporary:
        temporary.touch()

    assert (tmp_path / "out.csv" / "inside").exists()
    assert len(list(tmp_path.iterdir())) == 1
