"""Queries for `tuner doctor`: leases, rows of deleted studies, unfinished imports, and files that rows refer to."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Select, String, cast, column, delete, inspect, select, table

from tuner.output_file import SQLITE_MAGIC
from tuner_storage.engine import Database, storage_errors
from tuner_storage.identity import LINKS, STUDIES, dead_rows
from tuner_storage.owner import is_alive
from tuner_storage.tables import CheckpointRow, LeaseRow, ModelRow, RefitRow, StudyRow

_TRIALS = table("trials", column("study_id"), column("number"), column("state"))
_KINDS: Mapping[str, type[ModelRow | RefitRow | CheckpointRow]] = {
    "model": ModelRow,
    "refit": RefitRow,
    "checkpoint": CheckpointRow,
}
# An unfinished import has a study with such a name; see tuner_storage.transfer.
IMPORT_NAME = re.compile(r"tuner-import (\S+) ([0-9a-f]{32})")


@dataclass(frozen=True, slots=True)
class Holder:
    """The lease of a study. ``live`` means that its run goes on."""

    study_id: int
    study: str
    owner: str
    live: bool


@dataclass(frozen=True, slots=True)
class NamedFile:
    """An artifact that a row refers to. ``path`` is relative to the artifact folder."""

    study_id: int
    study: str
    number: int
    kind: str  # model, refit or checkpoint
    path: str
    sha256: str
    size: int  # bytes


@dataclass(frozen=True, slots=True)
class Import:
    """An unfinished import. ``live`` means that its process still runs; otherwise it died."""

    name: str  # of the study in Optuna's tables
    token: str  # part of the name of its folder
    live: bool


def holders(database: Database) -> list[Holder]:
    """Return all leases."""
    query = _with_study_name(select(LeaseRow.study_id, LINKS.c.study_name, LeaseRow.owner, LeaseRow.expires), LeaseRow)
    if not _has_studies(database):
        return []
    with database.read() as session:
        now = database.now(session)
        return [
            Holder(study_id, name or "?", owner, expires > now and is_alive(owner))
            for study_id, name, owner, expires in session.execute(query)
        ]


def left_running(database: Database) -> dict[str, list[int]]:
    """Return the trials that are marked as running although their study does not run, by study name."""
    live = {holder.study_id for holder in holders(database) if holder.live}
    query = (
        select(LINKS.c.study_name, _TRIALS.c.number, LINKS.c.row_id)
        .join(_TRIALS, _TRIALS.c.study_id == LINKS.c.study_id)
        .where(cast(_TRIALS.c.state, String) == "RUNNING")  # PostgreSQL stores an enumeration
        .order_by(LINKS.c.study_name, _TRIALS.c.number)
    )
    numbers: dict[str, list[int]] = {}
    if not _has_studies(database):
        return numbers
    with database.read() as session:
        for name, number, study_id in session.execute(query):
            if study_id not in live:
                numbers.setdefault(name, []).append(number)
    return numbers


def orphans(database: Database) -> list[int]:
    """Return our rows of studies that are no longer in Optuna's tables under any name.

    A study whose run has not noticed yet is left out: its trainers may still write files.
    """
    if not _has_studies(database):
        return []
    running = {holder.study_id for holder in holders(database) if holder.live}
    with database.read() as session:
        return [row_id for row_id in dead_rows(session) if row_id not in running]


def remove_rows(database: Database, study_ids: Iterable[int]) -> None:
    """Remove our rows of studies, and all rows that refer to them."""
    with database.write() as session:
        session.execute(delete(StudyRow).where(StudyRow.id.in_(list(study_ids))))


def imports(database: Database) -> list[Import]:
    """Return the unfinished imports."""
    query = select(STUDIES.c.study_name).where(STUDIES.c.study_id.not_in(select(StudyRow.optuna_id)))
    if not _has_studies(database):
        return []
    with database.read() as session:
        names = list(session.scalars(query))
    matches = (IMPORT_NAME.fullmatch(name) for name in names)
    return [Import(match[0], match[2], is_alive(match[1])) for match in matches if match]


def named_files(database: Database) -> list[NamedFile]:
    """Return all files that rows refer to."""
    files: list[NamedFile] = []
    if not _has_studies(database):
        return files
    with database.read() as session:
        for kind, row in _KINDS.items():
            columns = (row.study_id, LINKS.c.study_name, row.trial_number, row.path, row.sha256, row.size)
            for study_id, name, number, path, sha256, size in session.execute(_with_study_name(select(*columns), row)):
                files.append(NamedFile(study_id, name or "?", number, kind, path, sha256, size))
    return files


def named_elsewhere(folders: Iterable[Path], but: Path | None) -> set[str]:
    """Return the paths that other SQLite databases refer to.

    Such a database is a copy of ours, or uses the same artifact folder.

    Args:
        folders: Folders whose files are read.
        but: Our own database file, which is left out, or ``None``.

    Returns:
        Paths relative to the artifact folder.
    """
    paths: set[str] = set()
    for folder in set(folders):
        for file in folder.iterdir() if folder.is_dir() else ():
            if file.is_file() and (but is None or not but.exists() or not file.samefile(but)):
                paths |= _named_in(file)
    return paths


def _named_in(file: Path) -> set[str]:
    """Return the paths that one SQLite database refers to; nothing if ``file`` is not one or cannot be read."""
    try:
        with file.open("rb") as opened:
            if opened.read(len(SQLITE_MAGIC)) != SQLITE_MAGIC:
                return set()
        url = f"file:{quote(str(file.absolute()))}?mode=ro"
        with closing(sqlite3.connect(url, uri=True)) as connection:
            tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            paths: set[str] = set()
            for name in tables & {row.__tablename__ for row in _KINDS.values()}:
                paths |= {path for (path,) in connection.execute(f"SELECT path FROM {name}")}  # noqa: S608
            return paths
    except (OSError, sqlite3.Error):
        return set()


def _with_study_name(query: Select[Any], row: type[LeaseRow | ModelRow | RefitRow | CheckpointRow]) -> Select[Any]:
    """Join the name of the study. It is null if the study is no longer in Optuna's tables."""
    return query.select_from(row).outerjoin(LINKS, LINKS.c.row_id == row.study_id)


def _has_studies(database: Database) -> bool:
    with storage_errors(database.location):
        return inspect(database.engine).has_table("studies")
