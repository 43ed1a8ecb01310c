"""Checks the database: its integrity, its runs, and rows that refer to nothing."""

from __future__ import annotations

from contextlib import closing

from tuner_storage import Location, open_store
from tuner_storage.engine import WAL_IS_SAFE, Database
from tuner_storage.findings import Holder, holders, imports, left_running, orphans, remove_rows
from tuner_storage.maintenance import check
from tuner_storage.network import network_type
from tuner_storage.opening import has_database
from tuner_storage.owner import describe_owner
from tuner_storage.transfer import clear_dead

from tuner.command_line import command
from tuner.doctor.checks import Examination
from tuner.errors import StorageError
from tuner.report.text import count


def examine_database(location: Location, examination: Examination, *, fix: bool) -> Database | None:
    """Check the database.

    Returns:
        The open database, or ``None`` if it does not exist or cannot be read.
    """
    if not location.is_server:
        _check_folder(location, examination)
    try:
        if not has_database(location):
            examination.add(
                "database",
                "ok",
                f"there is no database in {location} yet",
                f"start a study: {command('study start', 'digits')}",
            )
            return None
        health = check(location)
    except StorageError as error:
        examination.add("database", "problem", str(error), error.hint)
        return None
    if health.problem:
        message, hint = health.problem
        examination.add("database", "problem", f"{location} {message}", hint, (*health.damage, *health.dangling))
        return None
    examination.add("database", "ok", f"{location}: intact, schema {health.schema}")
    database = Database(location)
    try:
        _check_journal(database, examination)
        _check_runs(database, examination)
        _check_rows(database, examination, fix=fix)
    except StorageError as error:
        database.close()
        examination.add("database", "problem", str(error), error.hint)
        return None
    return database


def _check_folder(location: Location, examination: Examination) -> None:
    kind = network_type(location.file)
    if kind is None:
        examination.add("folder", "ok", f"{location.file.parent} is on a local disk")
    else:
        examination.add(
            "folder",
            "problem",
            f"{location.file.parent} is a network folder ({kind}), where SQLite's locks do not work",
            "move it to a local disk and name it with --home, or use PostgreSQL: --storage postgresql://HOST/DATABASE",
        )


def _check_journal(database: Database, examination: Examination) -> None:
    if database.location.is_server:
        return
    with database.read() as session:
        mode = str(session.connection().exec_driver_sql("PRAGMA journal_mode").scalar())
    if mode == "wal" and not WAL_IS_SAFE:
        examination.add(
            "journal",
            "warning",
            "the database has a write-ahead log, which SQLite before 3.51.3 can damage",
            "use a Python with a newer SQLite, or run only one program at a time",
        )
    else:
        examination.add("journal", "ok", "a write-ahead log" if mode == "wal" else f"a rollback journal ({mode})")


def _check_runs(database: Database, examination: Examination) -> None:
    leases = holders(database)
    live = [lease for lease in leases if lease.live]
    dead = [lease for lease in leases if not lease.live]
    if dead:
        examination.add(
            "runs",
            "warning",
            f"{count(len(dead), 'run')} crashed; the next start continues the study",
            command("study start", "NAME"),
            map(_describe, dead),
        )
    else:
        examination.add("runs", "ok", f"{count(len(live), 'run')} at present", cases=map(_describe, live))
    interrupted = left_running(database)
    if interrupted:
        cases = (f"'{name}': {', '.join(map(str, numbers))}" for name, numbers in interrupted.items())
        total = sum(map(len, interrupted.values()))
        examination.add(
            "trials",
            "warning",
            f"{count(total, 'trial')} of crashed runs; the next start trains them again",
            command("study start", "NAME"),
            cases,
        )
    else:
        examination.add("trials", "ok", "no trial belongs to a crashed run")


def _check_rows(database: Database, examination: Examination, *, fix: bool) -> None:
    lost = orphans(database)
    crashed = [unfinished for unfinished in imports(database) if not unfinished.live]
    cases = [f"row {study_id} of tuner_study: Optuna has no such study" for study_id in lost]
    cases += [f"{unfinished.name}: an import that crashed" for unfinished in crashed]
    if not cases:
        examination.add("rows", "ok", "Optuna has every study that our rows refer to")
        return
    if fix and _remove_rows(database, lost, examination):
        examination.removed += cases
        examination.add("rows", "ok", f"{count(len(cases), 'row')} that refer to no study: removed", cases=cases)
    else:
        examination.add(
            "rows", "problem", f"{count(len(cases), 'row')} that refer to no study", command("doctor", fix=True), cases
        )


def _remove_rows(database: Database, lost: list[int], examination: Examination) -> bool:
    """Remove rows without a study, and crashed imports; return whether that succeeded."""
    try:
        if lost:
            remove_rows(database, lost)
        with closing(open_store(database.location)) as store:
            clear_dead(store)
    except StorageError as error:
        examination.add("fix", "problem", str(error), error.hint)
        return False
    return True


def _describe(holder: Holder) -> str:
    return f"'{holder.study}' by {describe_owner(holder.owner)}"
