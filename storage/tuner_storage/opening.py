"""Open a database, create it if requested, and refuse files and schemas that are not ours."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from sqlalchemy import inspect, text

from tuner.command_line import command
from tuner.distribution import UPGRADE
from tuner.errors import StorageError
from tuner.output_file import SQLITE_MAGIC
from tuner_storage.artifact_places import open_artifacts
from tuner_storage.creation_lock import creation_lock
from tuner_storage.engine import Database, storage_errors
from tuner_storage.identity import follow_renamed
from tuner_storage.local_artifacts import LocalArtifacts
from tuner_storage.location import Location, check_folder
from tuner_storage.private_files import make_file, make_folder
from tuner_storage.store import Store

VERSION_TABLE = "tuner_alembic_version"
HEAD = "0010"  # the newest migration; a test compares it with Alembic's


def has_database(location: Location) -> bool:
    """Return whether there is a database with our tables. Creates nothing.

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
    """Open a database, or create it if ``create`` is set.

    Raises:
        StorageError: If there is no database and ``create`` is not set, the file is not an SQLite database, its schema
            is that of another version, or the database cannot be opened. With ``create``, also if artifacts cannot be
            written, or are elsewhere than the location says.
    """
    exists = has_database(location)
    if not exists and not create:
        raise StorageError(f"there is no study in {location}", hint=f"start one: {command('study start', 'digits')}")
    if not exists:
        _create(location)
    database = Database(location)
    try:
        _check_version(database)
        artifacts = open_artifacts(database, create=create)
        with suppress(StorageError):  # a reader may lack the right to write; then renamed studies are not found
            follow_renamed(database)
    except BaseException:
        database.close()
        raise
    return Store(database, artifacts)


def _create(location: Location) -> None:
    """Create Optuna's tables and ours, unless another process has just done so.

    Our tables come last and in one transaction. So a database that has them is complete.
    """
    if not location.is_server:
        make_folder(location.file.parent)
    with creation_lock(location):
        if has_database(location):
            return
        if not location.is_server:
            make_file(location)
        database = Database(location)
        store = Store(database, LocalArtifacts(location.artifacts))
        try:
            database.use_wal()
            _ = store.optuna
            with storage_errors(location):
                migrate(database)
        finally:
            store.close()


def _check_magic(location: Location) -> None:
    if not location.file.is_file():
        return
    try:
        with location.file.open("rb") as file:
            head = file.read(len(SQLITE_MAGIC))
    except OSError as error:
        raise StorageError(f"the database {location} cannot be read: {error.strerror}") from None
    if head and head != SQLITE_MAGIC:
        raise StorageError(
            f"{location} is not an SQLite database", hint="name another file with --storage; this one was not touched"
        )


def migrate(database: Database) -> None:
    """Upgrade our tables to the newest schema, from any older one or from none."""
    from alembic import command  # importing takes a second and is needed once per database
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
            hint=f"bring it up to date, a copy is kept: {command('storage upgrade')}",
        )
    if version > HEAD:
        raise StorageError(
            f"the database {database.location} has schema {version}, this tuner knows {HEAD}",
            hint=f"upgrade tuner: {UPGRADE}",
        )
