"""The database: is it sound, who runs what, does every row lead somewhere."""

from __future__ import annotations

from collections.abc import Callable

from storage import Location, Store
from storage.engine import WAL_IS_SAFE, Database
from storage.findings import Holder, holders, imports, left_running, orphans, remove_orphans
from storage.maintenance import check
from storage.network import network_type
from storage.opening import has_database
from storage.owner import describe_owner
from storage.transfer import clear_dead
from tuner.doctor.findings import Examination, count
from tuner.errors import StorageError


def examine_database(location: Location, found: Examination, *, fix: bool) -> Database | None:
    """Examine the database; returns it open where the rest can be read."""
    if not location.is_server:
        _folder(location, found)
    try:
        if not has_database(location):
            found.add("database", "ok", f"there is none in {location} yet", "start a study: tuner study start digits")
            return None
        health = check(location)
    except StorageError as error:
        found.add("database", "problem", str(error), error.hint)
        return None
    if health.problem:
        message, hint = health.problem
        found.add("database", "problem", f"{location} {message}", hint, (*health.damage, *health.dangling))
        return None
    found.add("database", "ok", f"{location}: sound, schema {health.schema}")
    database = Database(location)
    try:
        _journal(database, found)
        _runs(database, found)
        _rows(database, found, fix=fix)
    except StorageError as error:
        database.close()
        found.add("database", "problem", str(error), error.hint)
        return None
    return database


def _folder(location: Location, found: Examination) -> None:
    kind = network_type(location.file)
    if kind is None:
        found.add("folder", "ok", f"{location.file.parent} is on a local disk")
    else:
        found.add(
            "folder",
            "problem",
            f"{location.file.parent} is on a network folder ({kind}), where SQLite's locks do not hold",
            "move it with --home to a local disk, or use PostgreSQL: --storage postgresql://HOST/DATABASE",
        )


def _journal(database: Database, found: Examination) -> None:
    if database.location.is_server:
        return
    with database.read() as session:
        mode = str(session.connection().exec_driver_sql("PRAGMA journal_mode").scalar())
    if mode == "wal" and not WAL_IS_SAFE:
        found.add(
            "journal",
            "warning",
            "a write-ahead log, which SQLite before 3.51.3 can damage",
            "use a Python with a newer SQLite, or only one program at a time",
        )
    else:
        found.add("journal", "ok", "a write-ahead log" if mode == "wal" else f"a rollback journal ({mode})")


def _runs(database: Database, found: Examination) -> None:
    leases = holders(database)
    live, dead = [each for each in leases if each.live], [each for each in leases if not each.live]
    if dead:
        found.add(
            "runs",
            "warning",
            f"{count(len(dead), 'run')} ended without a word; the next start takes over",
            "tuner study start NAME",
            map(_line, dead),
        )
    else:
        found.add("runs", "ok", f"{count(len(live), 'run')} at this moment", cases=map(_line, live))
    left = left_running(database)
    if left:
        cases = (f"'{name}': {', '.join(map(str, numbers))}" for name, numbers in left.items())
        total = sum(map(len, left.values()))
        found.add(
            "trials",
            "warning",
            f"{count(total, 'trial')} of runs that are gone; the next start tries again",
            "tuner study start NAME",
            cases,
        )
    else:
        found.add("trials", "ok", "none is left behind by a run that is gone")


def _rows(database: Database, found: Examination, *, fix: bool) -> None:
    lost = orphans(database)
    halves = [each for each in imports(database) if not each.live]
    cases = [f"row {study_id} of tuner_study: Optuna has no such study" for study_id in lost]
    cases += [f"{each.name}: an import that did not end" for each in halves]
    if not cases:
        found.add("rows", "ok", "every row of a study leads to Optuna's")
        return
    if fix and _tried(lambda: _remove_rows(database, lost), found):
        found.removed += cases
        found.add("rows", "ok", f"{count(len(cases), 'row')} that led nowhere removed", cases=cases)
    else:
        found.add("rows", "problem", f"{count(len(cases), 'row')} that lead nowhere", "tuner doctor --fix", cases)


def _remove_rows(database: Database, lost: list[int]) -> None:
    if lost:
        remove_orphans(database, lost)
    store = Store(Database(database.location))
    try:
        clear_dead(store)
    finally:
        store.close()


def _tried(action: Callable[[], None], found: Examination) -> bool:
    try:
        action()
    except StorageError as error:
        found.add("fix", "problem", str(error), error.hint)
        return False
    return True


def _line(holder: Holder) -> str:
    return f"'{holder.study}' by {describe_owner(holder.owner)}"
