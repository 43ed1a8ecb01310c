"""A store with methods that are repeated while the database is away, see :mod:`tuner_storage.retry`."""

from __future__ import annotations

from typing import Any, cast

from tuner_storage.store import Store


def persistent(store: Store) -> Store:
    """Return a proxy of ``store`` that repeats every method while the database is away."""
    return cast("Store", _Persistent(store))


class _Persistent:
    def __init__(self, store: Store) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._store, name)
        if not callable(attribute):
            return attribute
        return lambda *args, **kwargs: self._store.database.retry(lambda: attribute(*args, **kwargs))
