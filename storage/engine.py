"""SQLAlchemy engines for SQLite, set up so that one writer and many readers never trip over each other."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DatabaseError, OperationalError
from sqlalchemy.orm import Session

from storage.location import Location
from storage.tables import utc_now
from tuner.errors import StorageError

BUSY_TIMEOUT = 60.0  # seconds
# Older SQLite can corrupt a database when it resets the write-ahead log (fixed in 3.51.3).
WAL_IS_SAFE = sqlite3.sqlite_version_info >= (3, 51, 3)


def make_engine(location: Location) -> Engine:
    """Return an engine whose writing transactions take the lock at their start.

    A transaction that begins as a reader and then writes can fail at once with "database is locked", whatever the
    timeout; ``BEGIN IMMEDIATE`` waits instead.
    """
    engine = create_engine(location.url, connect_args={"timeout": BUSY_TIMEOUT})
    event.listen(engine, "connect", _manual_transactions)
    event.listen(engine, "connect", _enforce_foreign_keys)
    event.listen(engine, "begin", _begin)
    return engine


def _enforce_foreign_keys(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _manual_transactions(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # sqlite3 would begin transactions at moments of its own choosing


def _begin(connection: Connection) -> None:
    reads = connection.get_execution_options().get("reads", False)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


class Database:
    """Sessions on one engine, with SQLAlchemy's errors turned into ours."""

    def __init__(self, location: Location) -> None:
        self.location = location
        self.engine = make_engine(location)
        self._reader = self.engine.execution_options(reads=True)

    @contextmanager
    def write(self) -> Iterator[Session]:
        """Yield a session that is committed at the end, or rolled back on an error.

        Raises:
            StorageError: If the database cannot be written.
        """
        with storage_errors(self.location), Session(self.engine) as session, session.begin():
            yield session

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Yield a session for reading.

        Raises:
            StorageError: If the database cannot be read.
        """
        with storage_errors(self.location), Session(self._reader) as session:
            yield session

    def now(self, session: Session) -> datetime:  # noqa: ARG002 - a server has a clock of its own
        """Return the database's time, UTC without a zone: the one that all who share it agree on."""
        return utc_now()

    def use_wal(self) -> None:
        """Let readers and the writer work at the same time, where that is safe.

        The file remembers it, so this is for a new database alone: looking at one never changes it.
        """
        if WAL_IS_SAFE:
            with storage_errors(self.location), closing(self.engine.raw_connection()) as connection:
                connection.cursor().execute("PRAGMA journal_mode = WAL")

    def close(self) -> None:
        """Give the connections back."""
        self.engine.dispose()


@contextmanager
def storage_errors(location: Location) -> Iterator[None]:
    """Turn database errors into a :class:`StorageError` that names the database.

    Raises:
        StorageError: For every error of the database.
    """
    try:
        yield
    except OperationalError as error:
        reason = str(error.orig)
        if "readonly" in reason or "read-only" in reason:
            raise StorageError(
                f"the database {location} is read-only", hint="check the permissions of the file and its folder"
            ) from error
        if "locked" in reason:
            raise StorageError(
                f"the database {location} stayed locked for {BUSY_TIMEOUT:.0f} s",
                hint="another program holds it: close it, or copy the database",
            ) from error
        raise StorageError(f"the database {location} cannot be used: {reason}") from error
    except DatabaseError as error:
        raise StorageError(
            f"the database {location} cannot be used: {error.orig}",
            hint="make a copy before anything else; nothing was written",
        ) from error
