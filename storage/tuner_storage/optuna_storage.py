"""Optuna's own storage, with calls that are repeated while the database is away."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage
from sqlalchemy import Connection
from sqlalchemy.orm import scoped_session

from tuner.command_line import command
from tuner.errors import StorageError
from tuner_storage.bulk_reads import BulkStorage, json_errors
from tuner_storage.engine import Database, engine_arguments, part_of, storage_errors
from tuner_storage.faults import explain
from tuner_storage.retry import Retry

# Beside the public methods of Optuna's storages: those that Optuna's cache calls, and ours. Each is one transaction.
_FURTHER = (
    "_create_new_trial", "_get_best_trial_id", "_get_trials", "_set_trial_param", "get_trials", "set_trial_params",
)  # fmt: skip
_WITHOUT_DATABASE = {"remove_session", "check_trial_is_updatable"}


class PersistentRDBStorage(BulkStorage):
    """Optuna's storage, but a run survives a restart of the server.

    Args:
        retry: Repeats calls that fail with a transient error.
        url: The URL of the database. If ``engine_kwargs`` say how to connect, its driver is enough.
        engine_kwargs: Arguments of SQLAlchemy's ``create_engine``.
    """

    def __init__(self, retry: Retry, url: str, engine_kwargs: dict[str, Any]) -> None:
        self._retry = retry
        super().__init__(url, engine_kwargs=engine_kwargs)

    @contextmanager
    def joined(self, connection: Connection) -> Iterator[None]:
        """Make all sessions parts of the transaction of ``connection``."""
        self.scoped_session.remove()
        own, self.scoped_session = self.scoped_session, scoped_session(part_of(connection))
        try:
            yield
        finally:
            self.scoped_session.remove()
            self.scoped_session = own


def _repeated(name: str) -> Callable[..., Any]:
    """Return a method that calls Optuna's method ``name`` through the retry."""
    method = getattr(BulkStorage, name)

    @functools.wraps(method)
    def call(self: PersistentRDBStorage, *args: Any, **kwargs: Any) -> Any:
        with json_errors():
            return self._retry(lambda: method(self, *args, **kwargs))

    return call


for _name in (*(name for name in dir(BaseStorage) if not name.startswith("_")), *_FURTHER):
    if _name not in _WITHOUT_DATABASE and callable(getattr(BulkStorage, _name)):
        setattr(PersistentRDBStorage, _name, _repeated(_name))


def open_optuna(database: Database) -> PersistentRDBStorage:
    """Open Optuna's storage in the same database.

    Raises:
        StorageError: If it cannot be opened, or its tables are those of another version of Optuna.
    """
    location = database.location
    # The URL of a server has no password here: the arguments say how to connect. Optuna applies str.format to the URL.
    url = f"{location.url.drivername}://" if location.is_server else location.url.render_as_string(hide_password=False)
    try:
        with storage_errors(location):
            url = url.replace("{", "{{").replace("}", "}}")
            return PersistentRDBStorage(database.retry, url, engine_arguments(location))
    except StorageInternalError as error:
        raise explain(location, error) from error
    except RuntimeError as error:
        raise StorageError(
            f"Optuna's tables in {location} were made by another version of Optuna",
            hint=f"bring them up to date, a copy is kept: {command('storage upgrade')}",
        ) from error
