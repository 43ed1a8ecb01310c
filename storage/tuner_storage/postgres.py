"""Connections to PostgreSQL. A commit succeeds or raises, also if the server goes away in the middle.

No error of a connection repeats the options of its URL, and no table of a schema that others have made is used instead
of ours. Both also hold behind a pooler such as PgBouncer, which may hand each transaction to another connection.
"""

from __future__ import annotations

import contextlib
import random
import re
import time
from collections.abc import Callable, Iterator
from typing import Any, Self

import psycopg
from psycopg.pq import TransactionStatus
from sqlalchemy import URL, Engine, event

from tuner_storage.encryption import sslmode_for
from tuner_storage.faults import SECRET, CommitUnknownError

MAX_WAIT = 60.0  # seconds to wait for a server that went away during a commit
_PARAMETERS = {
    "application_name": "tuner",
    "connect_timeout": 10,
    # A server that is switched off sends nothing. These settings detect it after a minute.
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
}
_SHOWN = {"host", "port", "user", "dbname"}  # these name the database in messages
# PostgreSQL looks first in the schema with the name of the role. If another role has made that schema, its tables would
# be used instead of ours. It is taken out of the search path; what else the user has set there stays.
# A pooler tells its clients an invented process id. Behind one, the setting lasts for one transaction: the next may use
# another connection, and other clients get this one.
_PIN_SEARCH_PATH = r"""
    SELECT pg_backend_pid(), CASE WHEN NOT EXISTS (
        SELECT FROM pg_catalog.pg_namespace JOIN pg_catalog.pg_roles ON pg_roles.oid = nspowner
        WHERE nspname = current_user AND (rolname = current_user OR rolsuper))
    THEN set_config('search_path', ltrim(regexp_replace(
        current_setting('search_path'), '(^|,)\s*"?[$]user"?\s*(?=,|$)', ''), ', '), pg_backend_pid() <> %s) END
"""


class _PooledCursor(psycopg.Cursor[Any]):
    """A cursor of a connection through a pooler: each transaction begins with the search path."""

    def execute(self, *args: Any, **kwargs: Any) -> Self:
        self._pin()
        return super().execute(*args, **kwargs)

    def executemany(self, *args: Any, **kwargs: Any) -> None:
        self._pin()
        super().executemany(*args, **kwargs)

    def _pin(self) -> None:
        info = self.connection.info
        if info.transaction_status == TransactionStatus.IDLE and not self.connection.autocommit:
            super().execute(_PIN_SEARCH_PATH, (info.backend_pid,))


class Connection(psycopg.Connection[Any]):
    """A connection that asks the server for the result of a commit if the answer was lost.

    Without the result, a caller that tries again could write rows twice, and one that does not could lose them.
    """

    _arguments: tuple[tuple[Any, ...], dict[str, Any]] = ((), {})

    @classmethod
    def connect(cls, *args: Any, **kwargs: Any) -> Self:
        """Connect, and keep the arguments for another connection to the same server.

        Raises:
            psycopg.Error: If there is no connection. The message has ``***`` instead of options.
        """
        try:
            connection = super().connect(*args, **kwargs)
            connection.autocommit = True  # a rollback would undo the setting
            told = connection.info.backend_pid
            row = connection.execute(_PIN_SEARCH_PATH, (told,)).fetchone()
            connection.autocommit = False
            if row is not None and row[0] != told:
                connection.prepare_threshold = None  # another connection does not know the statements
                connection.cursor_factory = _PooledCursor
        except psycopg.Error as error:
            error.args = (_masked(str(error), kwargs),)
            raise error from None
        connection._arguments = (args, kwargs)  # noqa: SLF001 - its own class
        return connection

    def commit(self) -> None:
        """Commit. If the connection was lost but the server has committed, return as usual.

        Raises:
            psycopg.OperationalError: If the connection was lost and nothing was written.
            CommitUnknownError: If the connection was lost and the server did not come back in time.
        """
        transaction = self._transaction()
        try:
            super().commit()
        except psycopg.OperationalError as error:
            if transaction is None or not self._happened(transaction, error):
                raise

    def rollback(self) -> None:
        """Roll back. If the connection is lost, the server has rolled back already."""
        try:
            if not self.closed:
                super().rollback()
        except psycopg.OperationalError:
            if not self.closed:
                raise

    def _transaction(self) -> str | None:
        """Return the number of the transaction, or ``None`` if it has written nothing."""
        if self.info.transaction_status != TransactionStatus.INTRANS:
            return None
        row = self.execute("SELECT pg_current_xact_id_if_assigned()::text").fetchone()
        return None if row is None else row[0]

    def _happened(self, transaction: str, lost: psycopg.OperationalError) -> bool:
        """Wait for the server to come back, and return whether it has committed a transaction."""
        args, kwargs = self._arguments
        deadline, pause = time.monotonic() + MAX_WAIT, 0.05
        while time.monotonic() < deadline:
            with (
                contextlib.suppress(psycopg.OperationalError),
                contextlib.closing(psycopg.connect(*args, **{**kwargs, "autocommit": True})) as connection,
            ):
                row = connection.execute("SELECT pg_xact_status(%s::xid8)", (transaction,)).fetchone()
                if row is not None and row[0] != "in progress":
                    return bool(row[0] == "committed")
            time.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - no secret
            pause = min(2 * pause, 5.0)
        raise CommitUnknownError(str(lost)) from lost


def connector(url: URL) -> Callable[[], Connection]:
    """Return a function that makes connections for a pool."""
    args, kwargs = url.get_dialect()().create_connect_args(url)
    parameters: dict[str, object] = {name: value for name, value in _PARAMETERS.items() if name not in url.query}
    if (sslmode := sslmode_for(url)) is not None:
        parameters["sslmode"] = sslmode
    return lambda: Connection.connect(*args, **{**kwargs, **parameters})


@contextlib.contextmanager
def connecting(url: URL) -> Iterator[None]:
    """Make every engine inside the block connect with :func:`connector`, also one that another package creates."""
    connect = connector(url)

    def do_connect(*_: object) -> Connection:
        return connect()

    event.listen(Engine, "do_connect", do_connect)
    try:
        yield
    finally:
        event.remove(Engine, "do_connect", do_connect)


def _masked(message: str, arguments: dict[str, Any]) -> str:
    """Replace the values of options, and their parts, in a message: a password may stand in the wrong option."""
    values = [value for name, value in arguments.items() if name not in _SHOWN and value != _PARAMETERS.get(name)]
    texts = [text for value in values for text in (value if isinstance(value, tuple) else (str(value),))]
    parts = {part for text in texts for part in (text, *re.split(r"[\s=,]+|-c|--", text)) if part}
    for part in sorted(parts, key=len, reverse=True):
        # A short part may be an ordinary word. Values are in quotes.
        before, after = (r"(?<![\w-])", r"(?![\w-])") if len(part) >= SECRET else (r"(?<=[\"'])", r"(?=[\"'])")
        message = re.sub(before + re.escape(part) + after, "***", message)
    return message
