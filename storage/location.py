"""Where studies and models are kept: the database's URL and the artifact folder."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from tuner.errors import StorageError, UsageError

DEFAULT_HOME = Path(".tuner")


@dataclass(frozen=True, slots=True)
class Location:
    """The database and the folder of kept models that belongs to it."""

    url: URL
    artifacts: Path

    @property
    def file(self) -> Path:
        """The SQLite file."""
        return Path(str(self.url.database))

    def __str__(self) -> str:
        """The database as a person may see it: never with a password."""
        return str(self.file)


def locate(storage: str | None = None, home: Path | None = None) -> Location:
    """Find the database: ``storage`` as a URL, else ``studies.db`` in ``home``.

    Models are kept in ``home`` when it is given, else beside the database file.

    Args:
        storage: ``None`` takes ``TUNER_STORAGE``, if that is set.
        home: ``None`` takes ``TUNER_HOME``, else ``.tuner`` in the current folder.

    Raises:
        UsageError: If the URL is malformed or names a database other than SQLite.
    """
    storage = storage or os.environ.get("TUNER_STORAGE") or None
    if home is None and os.environ.get("TUNER_HOME"):
        home = Path(os.environ["TUNER_HOME"])
    if storage is None:
        home = home or DEFAULT_HOME
        return Location(URL.create("sqlite", database=str(home / "studies.db")), home / "artifacts")
    url = _parse(storage)
    if url.get_backend_name() != "sqlite" or not url.database or url.database == ":memory:":
        raise UsageError(
            f"storage must be an SQLite file, got {url.render_as_string(hide_password=True)}",
            hint="write sqlite:///relative/path.db or sqlite:////absolute/path.db",
        )
    return Location(url, (home or Path(url.database).parent) / "artifacts")


def check_folder(location: Location) -> None:
    """Refuse a database path that cannot be a file.

    Raises:
        StorageError: If the path is a folder, or its parent is a file.
    """
    if location.file.is_dir():
        raise StorageError(
            f"the database path {location} is a folder",
            hint=f"name a file in it: --storage sqlite:///{location}/studies.db",
        )
    for parent in location.file.parents:
        if parent.exists() and not parent.is_dir():
            raise StorageError(f"{parent} is a file, not a folder that can hold {location.file.name}")


def _parse(storage: str) -> URL:
    try:
        return make_url(storage)
    except (ArgumentError, ValueError):
        # The text may hold a password, so it is not repeated.
        raise UsageError(
            "the storage URL is malformed",
            hint="write sqlite:///relative/path.db or sqlite:////absolute/path.db",
        ) from None
