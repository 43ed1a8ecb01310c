"""A lock for creating tables or a study: if two processes create at the same moment, one waits for the other.

A run holds the lock for a moment when it starts. While the study runs, its lease guards it (see
:mod:`tuner_storage.lease`).
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import create_engine, text

from tuner.errors import StorageError
from tuner_storage.engine import engine_arguments, storage_errors
from tuner_storage.faults import BUSY_TIMEOUT
from tuner_storage.location import Location

_KEY = int.from_bytes(b"tuner")  # PostgreSQL identifies an advisory lock by a number
_PAUSE = 0.02  # seconds between two tries to lock the folder
_UNSUPPORTED = {errno.ENOTSUP, errno.ENOLCK, errno.ENOSYS, errno.EINVAL}


@contextmanager
def creation_lock(location: Location) -> Iterator[None]:
    """Hold the lock within a ``with`` block. If the process dies, the system releases the lock.

    Raises:
        StorageError: If another process holds the lock for a minute, or if the database cannot be reached.
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
    """Lock the folder of the database file.

    We open the folder ourselves, and filelock only locks the descriptor. Its class ``FileLock`` would leave a lock file
    beside the database, because it cannot open a folder.
    """
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
    """Wait for the lock. A file system or operating system without locks counts as locked: SQLite's locks remain."""
    from filelock import lock_descriptor

    deadline = time.monotonic() + BUSY_TIMEOUT
    try:
        while not lock_descriptor(descriptor, blocking=False):
            if time.monotonic() > deadline:
                raise StorageError(
                    f"another program keeps the folder {folder} locked", hint="see which: lsof +D FOLDER"
                )
            time.sleep(_PAUSE)
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise
