"""Connections to PostgreSQL. A commit succeeds or raises, also if the server goes away in the middle."""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Callable
from typing import Any, Self

import psycopg
from psycopg.pq import TransactionStatus
from sqlalchemy import URL

from storage.faults import CommitUnknownError

MAX_WAIT = 60.0  # seconds to wait for a server that went away during a commit
_PARAMETERS = {
    "application_name": "tuner",
    "connect_timeout": 10,
    # A server that is switched off sends nothing. These settings detect it after a minute.
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
}


class Connection(psycopg.Connection[Any]):
    """A connection that asks the server for the result of a commit if the answer was lost.

    Without the result, a caller that tries again could write rows twice, and one that does not could lose them.
    """

    _arguments: tuple[tuple[Any, ...], dict[str, Any]] = ((), {})

    @classmethod
    def connect(cls, *args: Any, **kwargs: Any) -> Self:
        """Connect, and keep the arguments for another connection to the same server."""
        connection = super().connect(*args, **kwargs)
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
    parameters = {name: value for name, value in _PARAMETERS.items() if name not in url.query}
    return lambda: Connection.connect(*args, **{**kwargs, **parameters})
