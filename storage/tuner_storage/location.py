"""The location of studies and models: the URL of the database, and the artifact folder."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from tuner.errors import StorageError, UsageError
from tuner.output_file import companions_of
from tuner.paths import StrPath, user_path
from tuner_storage.s3_address import S3Address, parse_address

DEFAULT_HOME = Path(".tuner")
DEFAULT_NAME = "studies"
POSTGRES = "postgresql+psycopg"
_HINT = "write sqlite:///relative/path.db, sqlite:////absolute/path.db or postgresql://user@host/database"
# The characters of a host in RFC 3986. Any other character may belong to a password in the wrong place.
_HOST = re.compile(r"[\w.:%-]+")
_MAX_PORT = 65535


@dataclass(frozen=True, slots=True)
class Location:
    """A database and its artifact folder.

    Attributes:
        url: The database.
        artifacts: The artifact folder.
        home: The home folder, or ``None`` if the artifacts are merely beside a database that a URL names.
        s3: Where a new database keeps its artifacts; ``None`` for the folder. A database that exists remembers it: see
            :mod:`tuner_storage.artifact_places`.
    """

    url: URL
    artifacts: Path
    home: Path | None = None
    s3: S3Address | None = None

    @property
    def is_server(self) -> bool:
        """Whether it is a PostgreSQL database instead of an SQLite file."""
        return self.url.get_backend_name() == "postgresql"

    @property
    def file(self) -> Path:
        """The SQLite file. Raises ``ValueError`` if ``is_server``."""
        if self.is_server:
            raise ValueError(f"{self} is not a file")
        return Path(str(self.url.database))

    @property
    def protected(self) -> dict[Path, str]:
        """The files and folders that no output of a command may replace or lie in, each with its description.

        A home folder that holds the current directory is not among them, because then no output could be written.
        """
        places = {self.artifacts: "the folder of models"}
        if not self.is_server:
            places |= dict.fromkeys([self.file, *companions_of(self.file)], "the study database")
        if self.home is not None and not Path.cwd().is_relative_to(self.home.resolve()):
            places[self.home] = "the home folder of the studies"
        return places

    def __str__(self) -> str:
        """The database for messages, without a password."""
        if not self.is_server:
            return str(self.file)
        # Options may hold secrets too. Only `host`, which may be a folder of sockets, is shown.
        host = self.url.host or self.url.query.get("host")
        port = "" if self.url.port is None else f":{self.url.port}"
        user = "" if self.url.username is None else f"{self.url.username}@"
        return f"postgresql://{user}{host if isinstance(host, str) else ''}{port}/{self.url.database}"


def locate(storage: StrPath | None = None, home: StrPath | None = None, artifacts: str | None = None) -> Location:
    """Return the location for the options ``--storage``, ``--home`` and ``--artifacts``. Creates nothing.

    In each path, ``~`` stands for the home folder of the user.

    Args:
        storage: The URL of the database, or the path of an SQLite file as a path object. If it is ``None``, the
            variable ``TUNER_STORAGE`` is used, else the file ``studies.db`` in ``home``.
        home: The folder of artifacts, and of the database if there is no URL. If it is ``None``, the variable
            ``TUNER_HOME`` is used. If that is not set either, artifacts are kept beside an SQLite file from a URL,
            and otherwise in ``.tuner`` in the current folder.
        artifacts: ``s3://bucket/prefix`` for artifacts in S3. If it is ``None``, the variable ``TUNER_ARTIFACTS`` is
            used. Only a new database takes it.

    Raises:
        UsageError: If the URL is malformed, names a database other than SQLite and PostgreSQL, a path begins with the
            home folder of an unknown user, or the address of the artifacts is wrong.
    """
    address = artifacts or os.environ.get("TUNER_ARTIFACTS") or None
    return replace(_locate(storage, home), s3=None if address is None else parse_address(address))


def _locate(storage: StrPath | None, home: StrPath | None) -> Location:
    storage = storage or os.environ.get("TUNER_STORAGE") or None
    given = home or os.environ.get("TUNER_HOME") or None
    home = None if given is None else user_path(given)
    if storage is None:
        home = home or DEFAULT_HOME
        return Location(URL.create("sqlite", database=str(home / f"{DEFAULT_NAME}.db")), home / "artifacts", home)
    url = _parse(storage) if isinstance(storage, str) else URL.create("sqlite", database=str(storage))
    if url.get_backend_name() == "postgresql":
        home = home or DEFAULT_HOME
        return Location(_server(url), home / _artifacts(str(url.database)), home)
    if url.get_backend_name() != "sqlite" or not url.database or url.database == ":memory:":
        raise UsageError(
            f"storage must be an SQLite file or a PostgreSQL database, got {url.drivername}://", hint=_HINT
        )
    if isinstance(storage, str) and "?" in storage:
        raise UsageError(
            f"the URL of an SQLite file has no options, got {storage}", hint="write a question mark in a path as %3F"
        )
    file = user_path(url.database)
    return Location(url.set(database=str(file)), (home or file.parent) / _artifacts(file.stem), home)


def url_of(file: Path) -> str:
    """Return the URL of an SQLite file, where characters such as ``?`` and ``#`` are written as in ``%3F``."""
    return URL.create("sqlite", database=str(file)).render_as_string()


def _artifacts(database: str) -> str:
    """Return the name of a database's artifact folder. Two databases in one folder must not share it."""
    if database == DEFAULT_NAME:
        return "artifacts"
    return "artifacts-" + re.sub(r"[^\w.-]", "_", database)


def _server(url: URL) -> URL:
    """Check the URL of a PostgreSQL database, and return it with the driver that we use."""
    if url.drivername not in {"postgresql", POSTGRES}:
        raise UsageError(f"storage must be reached with psycopg, got {url.drivername}://", hint="write postgresql://")
    host_is_wrong = url.host is not None and not _HOST.fullmatch(url.host)
    port_is_wrong = url.port is not None and not 0 < url.port <= _MAX_PORT
    if host_is_wrong or port_is_wrong or "@" in (url.database or ""):
        raise _malformed()
    if not url.database:
        raise UsageError("the storage URL names no database", hint="write postgresql://user@host/database")
    password = url.query.get("password")
    if isinstance(password, str):  # libpq accepts a password in the options too
        url = url.set(password=password).difference_update_query(["password"])
    url = url.set(drivername=POSTGRES)
    try:
        url.get_dialect()().create_connect_args(url)
    except (ArgumentError, ValueError):  # such as a port in the options that is no number
        raise _malformed() from None
    return url


def check_folder(location: Location) -> None:
    """Refuse a database path that cannot be a file.

    Raises:
        StorageError: If the path is a folder, or its parent is a file.
    """
    if location.file.is_dir():
        raise StorageError(
            f"the database path {location} is a folder",
            hint=f"name a file in it: --storage {url_of(location.file / 'studies.db')}",
        )
    for parent in location.file.parents:
        if parent.exists() and not parent.is_dir():
            raise StorageError(f"{parent} is a file, not a folder that can hold {location.file.name}")


def _parse(storage: str) -> URL:
    authority = storage.partition("://")[2].partition("?")[0]
    if not storage.startswith("sqlite") and re.search(r"[{}\s]", authority):
        raise _malformed()
    try:
        return make_url(storage)
    except (ArgumentError, ValueError):
        raise _malformed() from None


def _malformed() -> UsageError:
    """Return the error for a malformed URL. It does not repeat the URL, which may hold a password at any place."""
    return UsageError(
        "the storage URL is malformed",
        hint=f"{_HINT}; special characters of a password are written as in %40 (@), %7B ({{), %7D (}}), %2F (/)",
    )
