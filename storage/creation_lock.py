"""Who makes tables or a study waits for whoever makes some at the same moment: none meets half of them.

It is held for a moment by a run that begins, never while it goes on; what guards a running study is its lease.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import create_engine, text

from storage.engine import engine_arguments, storage_errors
from storage.faults import BUSY_TIMEOUT
from storage.location import Location
from tuner.errors import StorageError

_KEY = int.from_bytes(b"tuner")  # advisory locks of a database are told apart by number
_PAUSE = 0.02  # seconds between looks at the folder
_UNSUPPORTED = {errno.ENOTSUP, errno.ENOLCK, errno.ENOSYS, errno.EINVAL}


@contextmanager
def creation_lock(location: Location) -> Iterator[None]:
    """Hold the lock; a process that dies gives it back.

    Raises:
        StorageError: If somebody else keeps it for a minute, or the database cannot be reached.
    """
    with _server_lock(location) if location.is_server else _folder_lock(location):
        yield


@contextmanager
def _server_lock(location: Location) -> Iterator[None]:
    engine = create_engine(location.url, **engine_arguments(location))
    try:
        with storage_errors(location):
            connection = engine.connect()
        with connection:
            with storage_errors(location):
                connection.execute(text(f"SET LOCAL lock_timeout = '{BUSY_TIMEOUT:.0f}s'"))
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _KEY})
            yield
    finally:
        engine.dispose()


@contextmanager
def _folder_lock(location: Location) -> Iterator[None]:
    """Lock the folder of the file itself: no lock file is left behind."""
    folder = location.file.parent
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise StorageError(f"the folder {folder} cannot be read: {error.strerror}") from None
    try:
        _lock(descriptor, folder)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, folder: Path) -> None:
    try:
        import fcntl
    except ImportError:  # Windows: SQLite's own locks have to do
        return
    deadline = time.monotonic() + BUSY_TIMEOUT
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise StorageError(
                    f"another program keeps the folder {folder} locked", hint="see which: lsof +D FOLDER"
                ) from None
            time.sleep(_PAUSE)
        except OSError as error:
            if error.errno not in _UNSUPPORTED:
                raise
            return  # a file system without locks
        else:
            return
