"""Optuna's own storage, whose calls are repeated while the database is away."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from optuna.storages import BaseStorage, RDBStorage

from storage.engine import Database, engine_arguments, storage_errors
from storage.retry import Retry
from tuner.errors import StorageError

# What Optuna's cache calls beside the public methods. Each method is one transaction.
_UNDERNEATH = ("_create_new_trial", "_get_best_trial_id", "_get_trials", "_set_trial_param")
_NOT_OF_THE_DATABASE = {"remove_session", "check_trial_is_updatable"}


class PersistentRDBStorage(RDBStorage):
    """As its parent, but that a server may restart under it.

    Args:
        retry: Repeats what failed for a passing reason.
        url: Of the database, or of its kind where ``engine_kwargs`` say how to connect.
        engine_kwargs: For SQLAlchemy.
    """

    def __init__(self, retry: Retry, url: str, engine_kwargs: dict[str, Any]) -> None:
        self._retry = retry
        super().__init__(url, engine_kwargs=engine_kwargs)


def _repeated(name: str) -> Callable[..., Any]:
    method = getattr(RDBStorage, name)

    @functools.wraps(method)
    def call(self: PersistentRDBStorage, *args: Any, **kwargs: Any) -> Any:
        return self._retry(lambda: method(self, *args, **kwargs))

    return call


for _name in (*(name for name in dir(BaseStorage) if not name.startswith("_")), *_UNDERNEATH):
    if _name not in _NOT_OF_THE_DATABASE and callable(getattr(RDBStorage, _name)):
        setattr(PersistentRDBStorage, _name, _repeated(_name))


def open_optuna(database: Database) -> PersistentRDBStorage:
    """Open Optuna's storage in the same database.

    Raises:
        StorageError: If it cannot be opened, or its tables are those of another version of Optuna.
    """
    location = database.location
    # The password stays out of it: the arguments say how to connect. Optuna runs str.format over the URL.
    url = f"{location.url.drivername}://" if location.is_server else location.url.render_as_string(hide_password=False)
    try:
        with storage_errors(location):
            url = url.replace("{", "{{").replace("}", "}}")
            return PersistentRDBStorage(database.retry, url, engine_arguments(location))
    except RuntimeError as error:
        raise StorageError(
            f"Optuna's tables in {location} were made by another version of Optuna",
            hint="bring them up to date, a copy is kept: tuner storage upgrade",
        ) from error
