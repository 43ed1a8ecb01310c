"""Files are either complete or absent."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from tuner.errors import RunError
from tuner.files import atomic_path, copy_hashed, sha256_of


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
    """A writer that wrote nothing does not replace an older file with an empty one."""
    (tmp_path / "out.csv").write_text("older")
    with pytest.raises(OSError, match="nothing was written"), atomic_path(tmp_path / "out.csv"):
        pass

    assert (tmp_path / "out.csv").read_text() == "older"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_new_file_follows_the_umask_and_an_older_one_keeps_its_mode(tmp_path: Path) -> None:
    """Other people may read a new file if the umask lets them; a file that was private stays private."""
    (tmp_path / "private.csv").touch(mode=0o600)
    (tmp_path / "script.csv").touch(mode=0o755)
    for name in ("private.csv", "script.csv"):
        (tmp_path / name).write_text("older")
    before = os.umask(0o027)
    try:
        for name in ("new.csv", "private.csv", "script.csv"):
            with atomic_path(tmp_path / name) as temporary:
                temporary.write_text("new")
    finally:
        os.umask(before)

    modes = {path.name: oct(path.stat().st_mode & 0o777) for path in tmp_path.iterdir()}
    assert modes == {"new.csv": "0o640", "private.csv": "0o600", "script.csv": "0o755"}


@pytest.mark.parametrize("name", ["x" * 251 + ".csv", "語" * 83 + ".csv", "x." + "y" * 250])
def test_the_longest_name_that_the_disk_allows_can_be_written(tmp_path: Path, name: str) -> None:
    """The temporary file has a shorter name, also if the name has no ASCII letters."""
    with atomic_path(tmp_path / name) as temporary:
        temporary.write_text("whole")

    assert (tmp_path / name).read_text() == "whole"


def test_two_writers_of_one_file_do_not_disturb_each_other(tmp_path: Path) -> None:
    """Each has a new file with a random name, even in one process; the one that ends last is kept."""
    path = tmp_path / "out.csv"
    with atomic_path(path) as first, atomic_path(path) as second:
        assert first != second
        first.write_text("first")
        second.write_text("second")

    assert path.read_text() == "first"


def test_a_folder_is_never_replaced(tmp_path: Path) -> None:
    """A path that is a folder is an error, and its files stay."""
    (tmp_path / "out.csv").mkdir()
    (tmp_path / "out.csv" / "inside").touch()

    with pytest.raises(OSError, match="directory"), atomic_path(tmp_path / "out.csv") as temporary:
        temporary.write_text("new")

    assert (tmp_path / "out.csv" / "inside").exists()
    assert len(list(tmp_path.iterdir())) == 1


def test_a_full_disk_of_temporary_files_is_one_line(tmp_path: Path) -> None:
    """The hint says how to use another one."""
    (tmp_path / "model.keras").write_bytes(b"x" * 10**5)
    with Path("/dev/full").open("wb", buffering=0) as full, pytest.raises(RunError) as caught:
        copy_hashed(tmp_path / "model.keras", full, most=10**6)

    assert str(caught.value).endswith("to be checked: No space left on device")
    assert "TMPDIR" in str(caught.value.hint)


def test_the_checksum_of_a_copy_covers_one_byte_more_than_allowed(tmp_path: Path) -> None:
    """So a longer file has another checksum, however much longer it is."""
    (tmp_path / "long").write_bytes(b"12345")
    with (tmp_path / "copy").open("wb") as copy:
        checksum = copy_hashed(tmp_path / "long", copy, most=3)

    assert (tmp_path / "copy").read_bytes() == b"1234"
    assert checksum == sha256_of(tmp_path / "copy")


def test_a_planted_file_opens_nothing_to_others(tmp_path: Path) -> None:
    """An empty file, such as one that another user made in a shared folder, gives the output no further permissions."""
    (tmp_path / "open.csv").touch()
    (tmp_path / "open.csv").chmod(0o666)
    (tmp_path / "private.csv").touch(mode=0o600)
    before = os.umask(0o022)
    try:
        for name in ("open.csv", "private.csv"):
            with atomic_path(tmp_path / name) as temporary:
                assert temporary.stat().st_mode & 0o777 == (0o644 if name == "open.csv" else 0o600)
                temporary.write_text("new")
    finally:
        os.umask(before)

    modes = {path.name: oct(path.stat().st_mode & 0o777) for path in tmp_path.iterdir()}
    assert modes == {"open.csv": "0o644", "private.csv": "0o600"}


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give files away")
def test_a_file_of_another_user_in_a_shared_folder_passes_on_nothing(tmp_path: Path) -> None:
    """The output would belong to that user. In a folder of the same user, such as a home folder, it does."""
    (tmp_path / "home").mkdir()
    for path in (tmp_path / "out.csv", tmp_path / "home" / "out.csv"):
        path.write_text("older")
        path.chmod(0o666)
        os.chown(path, 12345, 12345)
    os.chown(tmp_path / "home", 12345, 12345)
    for path in (tmp_path / "out.csv", tmp_path / "home" / "out.csv"):
        with atomic_path(path, mode=0o600) as temporary:
            temporary.write_text("new")

    planted, own = (tmp_path / "out.csv").stat(), (tmp_path / "home" / "out.csv").stat()
    assert (planted.st_uid, oct(planted.st_mode & 0o777)) == (0, "0o600")
    assert (own.st_uid, oct(own.st_mode & 0o777)) == (12345, "0o666")


def test_a_planted_link_is_replaced_and_never_followed(tmp_path: Path) -> None:
    """The final name may be known before; the name under which the file is written is not."""
    (tmp_path / "victim.txt").write_text("years of work")
    (tmp_path / "model.keras").symlink_to("victim.txt")
    with atomic_path(tmp_path / "model.keras") as temporary:
        assert len(temporary.name.split(".")[-3]) == 16
        temporary.write_text("new")

    assert (tmp_path / "victim.txt").read_text() == "years of work"
    assert not (tmp_path / "model.keras").is_symlink()
