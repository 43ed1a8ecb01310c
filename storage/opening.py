"""Open a database: create it, recognise it, and refuse what is not ours to touch."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import inspect, text

from storage.creation_lock import creation_lock
from storage.engine import Database, storage_errors
from storage.location import Location, check_folder
from storage.store import Store
from tuner.errors import StorageError

VERSION_TABLE = "tuner_alembic_version"
HEAD = "0004"  # the newest migration; a test compares it with Alembic's own answer
MAGIC = b"SQLite format 3\x00"


def has_database(location: Location) -> bool:
    """Tell whether there is a database with our tables; creates nothing.

    Raises:
        StorageError: If the path holds something else, or the server cannot be reached.
    """
    if not location.is_server:
        check_folder(location)
        _check_magic(location)
        if not location.file.is_file() or location.file.stat().st_size == 0:
            return False
    database = Database(location)
    try:
        with storage_errors(location):
            return inspect(database.engine).has_table(VERSION_TABLE)
    finally:
        database.close()


def open_store(location: Location, *, create: bool = False) -> Store:
    """Open the database, or create it with ``create``.

    Raises:
        StorageError: If it cannot be opened, is no SQLite database, or has the schema of another version.
    """
    if not has_database(location):
        if not create:
            raise StorageError(f"there is no study in {location}", hint="start one: tuner study start digits")
        _create(location)
    database = Database(location)
    try:
        _check_version(database)
    except BaseException:
        database.close()
        raise
    return Store(database)


def _create(location: Location) -> None:
    """Make Optuna's tables and ours, unless somebody else does so at this moment.

    Ours come last and in one transaction: wherever they are, the database is complete.
    """
    if not location.is_server:
        _make_folder(location)
    with creation_lock(location):
        if has_database(location):
            return
        store = Store(Database(location))
        try:
            store.database.use_wal()
            _ = store.optuna
            with storage_errors(location):
                migrate(store.database)
        finally:
            store.close()


def _check_magic(location: Location) -> None:
    if not location.file.is_file():
        return
    try:
        with location.file.open("rb") as file:
            head = file.read(len(MAGIC))
    except OSError as error:
        raise StorageError(f"the database {location} cannot be read: {error.strerror}") from None
    if head and head != MAGIC:
        raise StorageError(
            f"{location} is not an SQLite database", hint="name another file with --storage; this one was not touched"
        )


def _make_folder(location: Location) -> None:
    try:
        location.file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(
            f"the folder {location.file.parent} cannot be made: {error.strerror}",
            hint="name another with --home FOLDER",
        ) from None


def migrate(database: Database) -> None:
    """Bring our tables to the newest schema, from whatever they are at."""
    from alembic import command  # takes a second to import and is needed once per database
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["version_table"] = VERSION_TABLE
    with database.engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _check_version(database: Database) -> None:
    with database.read() as session:
        version = session.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar_one()  # noqa: S608
    if version < HEAD:
        raise StorageError(
            f"the database {database.location} has schema {version} of an older tuner, this one needs {HEAD}",
            hint="bring it up to date, a copy is kept: tuner storage upgrade",
        )
    if version > HEAD:
        raise StorageError(
            f"the database {database.location} has schema {version}, this tuner knows {HEAD}",
            hint="upgrade tuner: pip install --upgrade tuner",
        )
