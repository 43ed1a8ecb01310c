"""What `tuner doctor` asks of a database: who runs what, which rows lead nowhere, which files belong to it."""

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

from storage.engine import Database, storage_errors
from storage.opening import MAGIC
from storage.owner import is_alive
from storage.tables import CheckpointRow, LeaseRow, ModelRow, RefitRow, StudyRow

_STUDIES = table("studies", column("study_id"), column("study_name"))
_TRIALS = table("trials", column("study_id"), column("number"), column("state"))
_KINDS: Mapping[str, type[ModelRow | RefitRow | CheckpointRow]] = {
    "model": ModelRow,
    "refit": RefitRow,
    "checkpoint": CheckpointRow,
}
# An import writes to a study of this name until all of it is there; see storage.transfer.
IMPORT_NAME = re.compile(r"tuner-import (\S+) ([0-9a-f]{32})")


@dataclass(frozen=True, slots=True)
class Holder:
    """The lease of a study; ``live`` while its run goes on."""

    study_id: int
    study: str
    owner: str
    live: bool


@dataclass(frozen=True, slots=True)
class NamedFile:
    """A file of the artifact folder that a row names; ``path`` is relative to the folder."""

    study_id: int
    study: str
    number: int
    kind: str  # model, refit or checkpoint
    path: str
    sha256: str
    size: int  # bytes


@dataclass(frozen=True, slots=True)
class Import:
    """An import that did not end: by a process that still runs, or by one that died."""

    name: str  # of Optuna's study
    token: str  # of its folder
    live: bool


def holders(database: Database) -> list[Holder]:
    """Return every lease."""
    query = _named(select(LeaseRow.study_id, _STUDIES.c.study_name, LeaseRow.owner, LeaseRow.expires), LeaseRow)
    if not _has_studies(database):
        return []
    with database.read() as session:
        now = database.now(session)
        return [
            Holder(study_id, name or "?", owner, expires > now and is_alive(owner))
            for study_id, name, owner, expires in session.execute(query)
        ]


def left_running(database: Database) -> dict[str, list[int]]:
    """Return the trials that are marked as running in studies that nobody runs, by study."""
    live = {holder.study_id for holder in holders(database) if holder.live}
    query = (
        select(_STUDIES.c.study_name, _TRIALS.c.number, StudyRow.id)
        .join(StudyRow, StudyRow.optuna_id == _STUDIES.c.study_id)
        .join(_TRIALS, _TRIALS.c.study_id == _STUDIES.c.study_id)
        .where(cast(_TRIALS.c.state, String) == "RUNNING")  # an enumeration on PostgreSQL
        .order_by(_STUDIES.c.study_name, _TRIALS.c.number)
    )
    found: dict[str, list[int]] = {}
    if not _has_studies(database):
        return found
    with database.read() as session:
        for name, number, study_id in session.execute(query):
            if study_id not in live:
                found.setdefault(name, []).append(number)
    return found


def orphans(database: Database) -> list[int]:
    """Return our rows of studies that Optuna does not have any more."""
    query = select(StudyRow.id).order_by(StudyRow.id)
    if _has_studies(database):
        query = query.where(StudyRow.optuna_id.not_in(select(_STUDIES.c.study_id)))
    with database.read() as session:
        return list(session.scalars(query))


def remove_orphans(database: Database, study_ids: Iterable[int]) -> None:
    """Remove rows of studies with all that refers to them."""
    with database.write() as session:
        session.execute(delete(StudyRow).where(StudyRow.id.in_(list(study_ids))))


def imports(database: Database) -> list[Import]:
    """Return the imports that did not end."""
    query = select(_STUDIES.c.study_name).where(_STUDIES.c.study_id.not_in(select(StudyRow.optuna_id)))
    if not _has_studies(database):
        return []
    with database.read() as session:
        names = list(session.scalars(query))
    matches = (IMPORT_NAME.fullmatch(name) for name in names)
    return [Import(match[0], match[2], is_alive(match[1])) for match in matches if match]


def named_files(database: Database) -> list[NamedFile]:
    """Return every file that a row names."""
    found: list[NamedFile] = []
    if not _has_studies(database):
        return found
    with database.read() as session:
        for kind, row in _KINDS.items():
            columns = (row.study_id, _STUDIES.c.study_name, row.trial_number, row.path, row.sha256, row.size)
            for study_id, name, number, path, sha256, size in session.execute(_named(select(*columns), row)):
                found.append(NamedFile(study_id, name or "?", number, kind, path, sha256, size))
    return found


def named_elsewhere(folders: Iterable[Path], but: Path | None) -> set[str]:
    """Return the paths that other SQLite databases in ``folders`` name: copies, or a neighbour with the same folder."""
    named: set[str] = set()
    for folder in set(folders):
        for file in folder.iterdir() if folder.is_dir() else ():
            if file.is_file() and (but is None or not but.exists() or not file.samefile(but)):
                named |= _named_in(file)
    return named


def _named_in(file: Path) -> set[str]:
    try:
        with file.open("rb") as opened:
            if opened.read(len(MAGIC)) != MAGIC:
                return set()
        url = f"file:{quote(str(file.absolute()))}?mode=ro"
        with closing(sqlite3.connect(url, uri=True)) as connection:
            tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            named: set[str] = set()
            for name in tables & {row.__tablename__ for row in _KINDS.values()}:
                named |= {path for (path,) in connection.execute(f"SELECT path FROM {name}")}  # noqa: S608
            return named
    except (OSError, sqlite3.Error):
        return set()


def _named(query: Select[Any], row: type[LeaseRow | ModelRow | RefitRow | CheckpointRow]) -> Select[Any]:
    """Join the name of the study, which is null for a study that is gone."""
    joined = query.select_from(row).join(StudyRow, StudyRow.id == row.study_id)
    return joined.outerjoin(_STUDIES, _STUDIES.c.study_id == StudyRow.optuna_id)


def _has_studies(database: Database) -> bool:
    with storage_errors(database.location):
        return inspect(database.engine).has_table("studies")
