"""Of two processes that create a database or a study at the same moment, one waits for the other."""

from __future__ import annotations

import errno
import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tuner_storage import Location, locate
from tuner_storage.creation_lock import creation_lock

from tuner.errors import StorageError


@pytest.fixture
def location(home: Path) -> Location:
    """A database file that does not exist yet, in a folder that does."""
    home.mkdir()
    return locate(home=home)


@contextmanager
def locked_by_another(folder: Path) -> Iterator[None]:
    """Lock the folder with the system call itself, as an older tuner does."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def test_no_lock_file_appears_or_stays(location: Location) -> None:
    """The folder itself is locked."""
    with creation_lock(location):
        assert list(location.file.parent.iterdir()) == []
    assert list(location.file.parent.iterdir()) == []


def test_the_second_waits_until_the_first_is_done(location: Location) -> None:
    """Both are in the locked block one after the other."""
    entered = threading.Event()

    def enter() -> None:
        with creation_lock(location):
            entered.set()

    second = threading.Thread(target=enter)
    with creation_lock(location):
        second.start()
        assert not entered.wait(0.2)
    second.join()
    assert entered.is_set()


def test_a_folder_that_stays_locked_is_named(location: Location, monkeypatch: pytest.MonkeyPatch) -> None:
    """The wait ends after the timeout, and the hint names a command that finds the holder."""
    monkeypatch.setattr("tuner_storage.creation_lock.BUSY_TIMEOUT", 0.1)
    with (
        locked_by_another(location.file.parent),
        pytest.raises(StorageError, match="another program keeps the folder") as caught,
        creation_lock(location),
    ):
        pytest.fail("the lock was granted twice")

    assert str(location.file.parent) in str(caught.value)
    assert caught.value.hint == "see which: lsof +D FOLDER"

    with creation_lock(location):
        pass


@pytest.mark.parametrize("code", [errno.ENOTSUP, errno.ENOLCK, errno.ENOSYS, errno.EINVAL])
def test_a_file_system_without_locks_is_used_without_one(
    location: Location, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """SQLite's own locks remain."""

    def refuse(descriptor: int, operation: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "flock", refuse)
    entered = False
    with creation_lock(location):
        entered = True
    assert entered


def test_another_error_of_the_lock_is_raised(location: Location, monkeypatch: pytest.MonkeyPatch) -> None:
    """An input or output error is no missing feature."""

    def fail(descriptor: int, operation: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(fcntl, "flock", fail)
    with pytest.raises(OSError, match=os.strerror(errno.EIO)), creation_lock(location):
        pytest.fail("the lock was granted")


def test_a_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    """The caller makes the folder before it takes the lock."""
    with (
        pytest.raises(StorageError, match="missing cannot be read: No such file"),
        creation_lock(locate(home=tmp_path / "missing")),
    ):
        pytest.fail("the lock was granted")
