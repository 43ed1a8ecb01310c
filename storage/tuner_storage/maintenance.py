"""Maintain a database: check it, copy it while it is in use, and upgrade its schema."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import inspect, select, text

from tuner.command_line import command, shell_quote
from tuner.distribution import UPGRADE
from tuner.errors import RunError, StorageError, UsageError
from tuner.output_file import OutputFile
from tuner_storage.creation_lock import creation_lock
from tuner_storage.engine import Database, engine_arguments, storage_errors
from tuner_storage.faults import BUSY_TIMEOUT
from tuner_storage.identity import STUDIES
from tuner_storage.location import Location
from tuner_storage.opening import HEAD, VERSION_TABLE, has_database, migrate
from tuner_storage.owner import describe_owner, is_alive
from tuner_storage.tables import LeaseRow, StudyRow


@dataclass(frozen=True, slots=True)
class Health:
    """The result of a check. In a sound database, ``damage`` and ``dangling`` are empty."""

    database: str
    backend: str
    schema: str
    needed: str  # the schema of this tuner
    damage: tuple[str, ...]
    dangling: tuple[str, ...]  # rows that refer to missing rows
    seconds: float  # for one short query

    @property
    def problem(self) -> tuple[str, str] | None:
        """The worst problem and a hint, or ``None``."""
        if self.damage:
            return f"is damaged: {self.damage[0]}", f"make a copy first: {command('storage backup', 'FILE')}"
        if self.dangling:
            reason = f"has rows that refer to missing rows: {self.dangling[0]}"
            return reason, f"make a copy first: {command('storage backup', 'FILE')}"
        if self.schema < self.needed:
            reason = f"has schema {self.schema} of an older tuner, this one needs {self.needed}"
            return reason, f"bring it up to date, a copy is kept: {command('storage upgrade')}"
        if self.schema > self.needed:
            reason = f"has schema {self.schema}, this tuner knows {self.needed}"
            return reason, f"upgrade tuner: {UPGRADE}"
        return None


@dataclass(frozen=True, slots=True)
class Upgrade:
    """The result of an upgrade: the schemas before and after, and the copy that was made before."""

    database: str
    before: str
    after: str
    optuna_before: str | None
    optuna_after: str | None
    backup: Path | None

    @property
    def changed(self) -> bool:
        """Whether a schema was changed."""
        return (self.before, self.optuna_before) != (self.after, self.optuna_after)


def check(location: Location) -> Health:
    """Check a whole database without writing to it.

    Raises:
        StorageError: If there is no database, or it cannot be read.
    """
    with closing(_existing(location)) as database:
        damage: list[str] = []
        dangling: list[str] = []
        with database.read() as session:
            session.execute(text("SELECT 1"))  # connects, so that the time below is that of a query alone
            began = time.perf_counter()
            schema = _schema(database)
            seconds = time.perf_counter() - began
            if not location.is_server:
                damage = [str(line) for line in session.scalars(text("PRAGMA integrity_check")) if line != "ok"]
                rows = session.execute(text("PRAGMA foreign_key_check")).all()
                dangling = [f"row {row[1]} of {row[0]} refers to a missing row of {row[2]}" for row in rows]
        return Health(
            str(location), location.url.get_backend_name(), schema, HEAD, tuple(damage), tuple(dangling), seconds
        )


def backup(location: Location, output: OutputFile) -> int:
    """Write a consistent copy of an SQLite database, also while a run writes to it.

    Args:
        location: The database.
        output: The copy. Missing folders are made.

    Returns:
        The size of the copy in bytes.

    Raises:
        UsageError: If the database is on a server, or the copy must not be written.
        StorageError: If there is no database, or it cannot be copied.
        RunError: If the copy cannot be written.
    """
    if location.is_server:
        raise UsageError(
            f"{location} is on a database server, so copy it with the tool of the server",
            hint=f"pg_dump --format=custom --file={shell_quote(str(output.path))} {shell_quote(str(location))}",
        )
    if not has_database(location):
        raise StorageError(f"there is no study in {location}", hint="name another database with --storage or --home")
    with output.file() as temporary:
        try:
            _copy(location.file, temporary)
        except sqlite3.Error as error:
            raise StorageError(f"{location} could not be copied to {output}: {error}") from error
        return temporary.stat().st_size


def upgrade(location: Location, on_step: Callable[[str], None] = lambda _: None) -> Upgrade:
    """Upgrade our tables and Optuna's to the schemas of this tuner. An SQLite file is copied before.

    Args:
        location: The database.
        on_step: Called with a description of each step.

    Raises:
        RunError: If a study is running.
        StorageError: If there is no database, a newer program wrote it, or it cannot be written.
    """
    with closing(_existing(location)) as database:
        before, optuna_before, optuna_newest = _schema(database), *_optuna_schema(database)
        if before > HEAD:
            raise StorageError(
                f"the database {location} has schema {before}, this tuner knows {HEAD}",
                hint=f"upgrade tuner: {UPGRADE}",
            )
        if before == HEAD and optuna_before == optuna_newest:
            return Upgrade(str(location), before, HEAD, optuna_before, optuna_newest, None)
        _refuse_while_running(database)
        copy = None
        if not location.is_server:
            copy = _free_name(location.file, before)
            backup(location, OutputFile(copy, mode=location.file.stat().st_mode))  # as private as the database
            on_step(f"a copy of the database is in {copy}")
        _refuse_while_running(database)  # again: a run may have begun while the copy was made
        if before < HEAD:
            on_step(f"from schema {before} to {HEAD}")
            with creation_lock(location), storage_errors(location):
                migrate(database)
        if optuna_before is not None and optuna_before != optuna_newest:
            on_step(f"Optuna's tables from {optuna_before} to {optuna_newest}")
            _upgrade_optuna(location)
        return Upgrade(str(location), before, HEAD, optuna_before, optuna_newest, copy)


def _existing(location: Location) -> Database:
    if not has_database(location):
        raise StorageError(f"there is no study in {location}", hint=f"start one: {command('study start', 'digits')}")
    return Database(location)


def _schema(database: Database) -> str:
    with database.read() as session:
        return str(session.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar_one())  # noqa: S608


def _copy(source: Path, target: Path) -> None:
    url = f"file:{quote(str(source.absolute()))}?mode=ro"
    with (
        closing(sqlite3.connect(url, uri=True, timeout=BUSY_TIMEOUT)) as read,
        closing(sqlite3.connect(target)) as written,
    ):
        read.backup(written)


def _free_name(file: Path, schema: str) -> Path:
    """Return an unused path beside ``file``, so that the copy replaces no earlier one, nor follows a link."""
    base = f"{file.name}.schema-{schema}"
    names = [f"{base}.backup", *(f"{base}-{number}.backup" for number in range(2, 1000))]
    return next(path for path in (file.with_name(name) for name in names) if not os.path.lexists(path))


def _refuse_while_running(database: Database) -> None:
    # By Optuna's id alone: an older schema has no identities.
    query = select(LeaseRow.owner, LeaseRow.expires, STUDIES.c.study_name).where(
        StudyRow.id == LeaseRow.study_id, STUDIES.c.study_id == StudyRow.optuna_id
    )
    with database.read() as session:
        if not inspect(session.connection()).has_table("studies"):
            return
        now = database.now(session)
        for owner, expires, name in session.execute(query):
            if expires > now and is_alive(owner):
                raise RunError(
                    f"study '{name}' is being run by {describe_owner(owner)}",
                    hint=f"stop it first: {command('study stop', name)}",
                )


def _optuna_schema(database: Database) -> tuple[str | None, str | None]:
    """Return the schema of Optuna's tables and the one that this Optuna needs, or ``None`` twice without tables."""
    with storage_errors(database.location):
        if not inspect(database.engine).has_table("studies"):
            return None, None
        with closing(_Optuna(database.location)) as optuna:
            current, newest = optuna.storage.get_current_version(), optuna.storage.get_head_version()
            if current not in optuna.storage.get_all_versions():
                raise StorageError(
                    f"Optuna's tables in {database.location} have schema {current}, this Optuna knows {newest}",
                    hint="upgrade Optuna: pip install --upgrade optuna",
                )
            return current, newest


def _upgrade_optuna(location: Location) -> None:
    with storage_errors(location), closing(_Optuna(location)) as optuna, _own_connections(location):
        optuna.storage.upgrade()


def _own_connections(location: Location) -> AbstractContextManager[None]:
    """Optuna's migrations make an engine of their own from the URL."""
    if not location.is_server:
        return nullcontext()
    from tuner_storage.postgres import connecting

    return connecting(location.url)


class _Optuna:
    """Optuna's storage, opened without a check of its schema."""

    def __init__(self, location: Location) -> None:
        from optuna.storages import RDBStorage

        from tuner_storage.optuna_log import quiet_optuna

        quiet_optuna()
        # The URL needs its password, because Optuna's migrations connect with it. Optuna applies str.format to it.
        url = location.url.render_as_string(hide_password=False).replace("{", "{{").replace("}", "}}")
        self.storage = RDBStorage(
            url, engine_arguments(location), skip_compatibility_check=True, skip_table_creation=True
        )

    def close(self) -> None:
        """Close all connections."""
        self.storage.remove_session()
        self.storage.engine.dispose()
