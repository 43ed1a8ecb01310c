"""Read our rows of a study as plain values, and write them into another database. Optuna transfers its own rows."""

from __future__ import annotations

import contextlib
import itertools
import shutil
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import func, insert, select, update
from sqlalchemy.orm import Session

from tuner.errors import UsageError
from tuner_storage.engine import Database
from tuner_storage.findings import imports
from tuner_storage.identity import STUDIES, relink
from tuner_storage.optuna_rows import write_identity
from tuner_storage.owner import this_owner
from tuner_storage.store import Store
from tuner_storage.tables import AssessmentRow, AttemptRow, DataRow, EpochRow, ModelRow, RefitRow, RunRow, StudyRow

Rows = Mapping[str, Iterable[Mapping[str, Any]]]
# By their names in an archive. Checkpoints are left out: an unfinished trial begins again after an import.
TABLES: Mapping[str, type[EpochRow | AttemptRow | RunRow | ModelRow | RefitRow | DataRow | AssessmentRow]] = {
    "epochs": EpochRow,
    "attempts": AttemptRow,
    "runs": RunRow,
    "models": ModelRow,
    "refits": RefitRow,  # at most one per study
    "data": DataRow,  # likewise
    "assessments": AssessmentRow,  # likewise
}
_AT_ONCE = 5000  # rows that are copied and written at a time


@dataclass(frozen=True, slots=True)
class StudyValues:
    """Our row of a study as plain values, and its name."""

    name: str
    optuna_id: int
    recipe: Mapping[str, Any]
    data_fingerprint: str
    environment: Mapping[str, Any]
    created: datetime  # UTC


@dataclass(frozen=True, slots=True)
class Arrival:
    """An unfinished import: the temporary name of its study in Optuna's tables, and the temporary folder of files."""

    name: str
    folder: Path


@dataclass(frozen=True, slots=True)
class _Moved:
    """A file that was moved to its final path."""

    path: Path
    sha256: str
    size: int  # bytes


def columns_of(name: str) -> list[str]:
    """Return the columns of one of ``TABLES`` that an archive holds."""
    return [key for key in TABLES[name].__table__.columns.keys() if key not in {"id", "study_id"}]  # noqa: SIM118


def read_rows(database: Database, study_id: int) -> dict[str, list[dict[str, Any]]]:
    """Return our rows of a study by table name, in the order in which they were written.

    One transaction reads all of them, so they fit together.
    """
    rows: dict[str, list[dict[str, Any]]] = {}
    with database.read() as session:
        for name, row in TABLES.items():
            columns = [getattr(row, key) for key in columns_of(name)]
            query = select(*columns).where(row.study_id == study_id).order_by(*row.__table__.primary_key)
            rows[name] = [dict(values) for values in session.execute(query).mappings()]
    return rows


@contextmanager
def arriving(store: Store) -> Iterator[Arrival]:
    """Yield a temporary place for an import, and remove what is left of it at the end.

    After a crash, the next import or `tuner doctor --fix` removes it.
    """
    clear_dead(store)
    token = uuid.uuid4().hex
    arrival = Arrival(f"tuner-import {this_owner()} {token}", _folder(store, token))
    try:
        arrival.folder.mkdir(parents=True)
        yield arrival
    finally:
        _remove(store, arrival)


def clear_dead(store: Store) -> list[str]:
    """Remove unfinished imports of processes that died, and return the temporary names of their studies."""
    dead = [unfinished for unfinished in imports(store.database) if not unfinished.live]
    for unfinished in dead:
        _remove(store, Arrival(unfinished.name, _folder(store, unfinished.token)))
    return [unfinished.name for unfinished in dead]


def settle(store: Store, arrival: Arrival, values: StudyValues, rows: Rows) -> int:
    """Finish an import in one transaction: write our rows, move the files, and give the study its name.

    Args:
        store: The database and the artifacts to import into.
        arrival: The unfinished import. Its folder holds every file that a row of ``models`` or ``refits`` refers to.
        values: Our row of the study, and the final name of Optuna's study, which is complete otherwise.
        rows: Our rows by the names of ``TABLES``. Paths of files are relative to the arrival's folder.

    Returns:
        The id of our row of the study.

    Raises:
        UsageError: If the name is taken by now.
        StorageError: If the database cannot be written.
    """
    new_path = {"models": store.artifacts.model_path, "refits": store.artifacts.refit_path}
    moved: list[str] = []
    try:
        with store.database.write() as session:
            _check_free(session, values.name)
            row = StudyRow(
                optuna_id=values.optuna_id,
                recipe=dict(values.recipe),
                data_fingerprint=values.data_fingerprint,
                environment=dict(values.environment),
                created=values.created,
            )
            relink(session)  # frees the ids of deleted studies
            session.add(row)
            session.flush()
            write_identity(session, row)
            of_study = STUDIES.c.study_id == values.optuna_id
            session.execute(update(STUDIES).where(of_study).values(study_name=values.name))
            for name, table_row in TABLES.items():
                unwritten = iter(rows[name])
                while lines := [{**line, "study_id": row.id} for line in itertools.islice(unwritten, _AT_ONCE)]:
                    for line in lines if name in new_path else ():
                        path = new_path[name](row.id, line["trial_number"])
                        path.parent.mkdir(parents=True, exist_ok=True)
                        (arrival.folder / line["path"]).replace(path)
                        line["path"] = store.artifacts.relative(path)
                        moved.append(line["path"])
                        store.artifacts.keep(_Moved(path, line["sha256"], line["size"]))
                    session.execute(insert(table_row), lines)
            return row.id
    except BaseException:
        for relative in moved:
            store.artifacts.remove(relative)
        raise


def taken(name: str) -> UsageError:
    """Return the error for a name that another study has already."""
    return UsageError(f"there is a study '{name}' already", hint="give the other one a name of its own: --name NEW")


def _check_free(session: Session, name: str) -> None:
    if session.scalar(select(func.count()).select_from(STUDIES).where(STUDIES.c.study_name == name)):
        raise taken(name)


def _folder(store: Store, token: str) -> Path:
    return store.artifacts.folder / f".import-{token}"


def _remove(store: Store, arrival: Arrival) -> None:
    import optuna

    shutil.rmtree(arrival.folder, ignore_errors=True)
    with contextlib.suppress(KeyError):  # the import is finished, or the study was never created
        optuna.delete_study(study_name=arrival.name, storage=store.optuna)
    with contextlib.suppress(OSError):  # not empty, because it holds artifacts of other studies
        store.artifacts.folder.rmdir()
