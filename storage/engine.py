"""SQLAlchemy engines for SQLite and PostgreSQL: one writer and many readers never trip over each other."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from storage.faults import BUSY_TIMEOUT, CommitUnknownError, explain
from storage.location import Location
from storage.retry import Retry
from storage.tables import utc_now
from tuner.errors import StorageError

_SERVER_TIME = text("SELECT clock_timestamp() AT TIME ZONE 'UTC'")  # not now(), which is when the transaction began
# Older SQLite can corrupt a database when it resets the write-ahead log (fixed in 3.51.3).
WAL_IS_SAFE = sqlite3.sqlite_version_info >= (3, 51, 3)


def make_engine(location: Location) -> Engine:
    """Return an engine whose writing transactions, on SQLite, take the lock at their start.

    A transaction that begins as a reader and then writes can fail at once with "database is locked", whatever the
    timeout; ``BEGIN IMMEDIATE`` waits instead. On PostgreSQL, rows that are read to be written are locked one by one.

    Raises:
        StorageError: If the driver of PostgreSQL is not installed.
    """
    engine = create_engine(location.url, **engine_arguments(location))
    if not location.is_server:
        event.listen(engine, "connect", _manual_transactions)
        event.listen(engine, "connect", _enforce_foreign_keys)
        event.listen(engine, "begin", _begin)
    return engine


def engine_arguments(location: Location) -> dict[str, Any]:
    """Return the arguments of every engine on this database, ours or Optuna's.

    Raises:
        StorageError: If the driver of PostgreSQL is not installed.
    """
    if not location.is_server:
        return {"connect_args": {"timeout": BUSY_TIMEOUT}}
    try:
        from storage.postgres import connector
    except ImportError as error:
        raise StorageError(
            f"the database {location} needs a driver that is not installed: {error}",
            hint="pip install 'tuner[postgres]'",
        ) from None
    # The ping notices, before a transaction begins, that the server has been restarted since the last one.
    return {"creator": connector(location.url), "pool_pre_ping": True, "isolation_level": "READ COMMITTED"}


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
        self.retry = Retry(location)  # a run makes it patient, see storage.lease
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

    def now(self, session: Session) -> datetime:
        """Return the database's time, UTC without a zone: the one that all who share it agree on."""
        if self.location.is_server:
            told: datetime = session.execute(_SERVER_TIME).scalar_one()
            return told
        return utc_now()

    def use_wal(self) -> None:
        """Let readers and the writer work at the same time, where that is safe.

        The file remembers it, so this is for a new database alone: looking at one never changes it.
        """
        if WAL_IS_SAFE and not self.location.is_server:
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
    except (DBAPIError, CommitUnknownError) as error:
        raise explain(location, error) from error
