"""SQLAlchemy engines and sessions for SQLite and PostgreSQL, for one writer and many readers."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session, sessionmaker

from tuner.distribution import install
from tuner.documents import parse_json
from tuner.errors import StorageError
from tuner_storage.encryption import check_import_order
from tuner_storage.faults import BUSY_TIMEOUT, CommitUnknownError, explain
from tuner_storage.location import Location
from tuner_storage.retry import Retry
from tuner_storage.tables import utc_now

_SERVER_TIME = text("SELECT clock_timestamp() AT TIME ZONE 'UTC'")  # now() would be the start of the transaction
# Before 3.51.3, SQLite can corrupt a database when it resets the write-ahead log.
WAL_IS_SAFE = sqlite3.sqlite_version_info >= (3, 51, 3)


def make_engine(location: Location) -> Engine:
    """Return an engine. On SQLite, its writing transactions take the lock at their start.

    If a transaction first reads and then writes, SQLite can fail at once with "database is locked", in spite of the
    timeout. ``BEGIN IMMEDIATE`` waits instead. On PostgreSQL, a transaction locks each row that it reads to write.

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
    """Return the arguments for ``create_engine`` that our engines and Optuna's share.

    Raises:
        StorageError: If the driver of PostgreSQL is not installed, or cannot be used in this process.
    """
    if not location.is_server:
        return {"connect_args": {"timeout": BUSY_TIMEOUT}, "json_deserializer": _parsed}
    check_import_order(location.url)
    try:
        from tuner_storage.postgres import connector
    except ImportError as error:
        raise StorageError(
            f"the database {location} needs a driver that is not installed: {error}",
            hint=install("postgres"),
        ) from None
    # Before each transaction, the ping detects whether the server was restarted since the last one.
    return {
        "creator": connector(location.url),
        "pool_pre_ping": True,
        "isolation_level": "READ COMMITTED",
        "json_deserializer": _parsed,
    }


def _parsed(text: bytes | str) -> Any:
    """Return the value of a JSON column, which another program may have written."""
    try:
        return parse_json(text)
    except ValueError as error:
        raise StorageError(f"the database holds a value that is not JSON: {error}") from None


def _enforce_foreign_keys(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _manual_transactions(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # otherwise sqlite3 begins transactions itself, at other moments


def _begin(connection: Connection) -> None:
    reads = connection.get_execution_options().get("reads", False)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


class Database:
    """Sessions on one engine. They raise ``StorageError`` instead of SQLAlchemy's errors."""

    def __init__(self, location: Location) -> None:
        self.location = location
        self.engine = make_engine(location)
        self.retry = Retry(location)  # storage.lease sets its max_wait
        self._reader = self.engine.execution_options(reads=True)
        self._joined = _Joined()

    @contextmanager
    def write(self) -> Iterator[Session]:
        """Yield a session that is committed at the end, or rolled back on an error.

        Raises:
            StorageError: If the database cannot be written.
        """
        with storage_errors(self.location), self._session(self.engine) as session, session.begin():
            yield session

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Yield a session for reading.

        Raises:
            StorageError: If the database cannot be read.
        """
        with storage_errors(self.location), self._session(self._reader) as session:
            yield session

    @contextmanager
    def joined(self) -> Iterator[Connection]:
        """Let all sessions of this thread be parts of one transaction, which is committed at the end of the block."""
        with self.engine.begin() as connection:
            self._joined.connection = connection
            try:
                yield connection
            finally:
                self._joined.connection = None

    @property
    def is_joined(self) -> bool:
        """Whether the sessions of this thread are parts of one transaction at the moment."""
        return self._joined.connection is not None

    def now(self, session: Session) -> datetime:
        """Return the time in UTC, without a zone: on PostgreSQL the server's, so that all its clients agree."""
        return self.server_time(session.connection()) if self.location.is_server else utc_now()

    @staticmethod
    def server_time(connection: Connection) -> datetime:
        """Return the time of the server in UTC, without a zone."""
        server_time: datetime = connection.execute(_SERVER_TIME).scalar_one()
        return server_time

    def _session(self, engine: Engine) -> Session:
        connection = self._joined.connection
        return Session(engine) if connection is None else part_of(connection)()

    def use_wal(self) -> None:
        """Switch a new database to a write-ahead log, so that readers and the writer can work at the same time.

        If this version of SQLite is not safe with it, nothing happens. The setting is stored in the file. Opening an
        existing database must not change the file, so call this for new databases only.
        """
        if WAL_IS_SAFE and not self.location.is_server:
            with storage_errors(self.location), closing(self.engine.raw_connection()) as connection:
                connection.cursor().execute("PRAGMA journal_mode = WAL")

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


class _Joined(threading.local):
    """The connection whose transaction the sessions of a thread join, if there is one."""

    connection: Connection | None = None


def part_of(connection: Connection) -> sessionmaker[Session]:
    """Return what makes sessions that are parts of the transaction of ``connection``: only it commits.

    If one of them is rolled back, the whole transaction is, and fails. Savepoints would take two more round trips each.
    """
    return sessionmaker(bind=connection, join_transaction_mode="rollback_only")


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
