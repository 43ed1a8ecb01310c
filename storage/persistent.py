"""A store whose methods are repeated while the database is away: see :mod:`storage.retry`."""

from __future__ import annotations

from typing import Any, cast

from storage.store import Store


def persistent(store: Store) -> Store:
    """Return ``store`` with each of its methods repeated while the database is away."""
    return cast("Store", _Persistent(store))


class _Persistent:
    def __init__(self, store: Store) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._store, name)
        if not callable(found):
            return found
        return lambda *args, **kwargs: self._store.database.retry(lambda: found(*args, **kwargs))
