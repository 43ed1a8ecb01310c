"""Optuna's own storage, whose calls are repeated while the database is away."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from optuna.storages import BaseStorage, RDBStorage

from storage.retry import Retry

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
