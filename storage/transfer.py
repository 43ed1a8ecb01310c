"""Our rows of a study as plain values, out of one database and into another; Optuna's rows are Optuna's to carry."""

from __future__ import annotations

import contextlib
import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import column, func, insert, select, table, update
from sqlalchemy.orm import Session

from storage.engine import Database
from storage.findings import imports
from storage.owner import this_owner
from storage.store import Store
from storage.tables import AttemptRow, EpochRow, ModelRow, RefitRow, RunRow, StudyRow
from tuner.errors import UsageError

_STUDIES = table("studies", column("study_id"), column("study_name"))

Rows = Mapping[str, Sequence[Mapping[str, Any]]]
# By the names that an archive has for them. Checkpoints stay behind: a trial that did not end begins anew.
TABLES: Mapping[str, type[EpochRow | AttemptRow | RunRow | ModelRow | RefitRow]] = {
    "epochs": EpochRow,
    "attempts": AttemptRow,
    "runs": RunRow,
    "models": ModelRow,
    "refits": RefitRow,  # of a study at most one
}


@dataclass(frozen=True, slots=True)
class StudyValues:
    """What a study was started with, its name, and its row of Optuna's."""

    name: str
    optuna_id: int
    recipe: Mapping[str, Any]
    data_fingerprint: str
    environment: Mapping[str, Any]
    created: datetime  # UTC


@dataclass(frozen=True, slots=True)
class Arrival:
    """An import that goes on: the name of its Optuna study, and the folder of its files until both are in place."""

    name: str
    folder: Path


def columns_of(name: str) -> list[str]:
    """Return the columns of one of ``TABLES`` that an archive carries."""
    return [key for key in TABLES[name].__table__.columns.keys() if key not in {"id", "study_id"}]  # noqa: SIM118


def read_rows(database: Database, study_id: int) -> dict[str, list[dict[str, Any]]]:
    """Return our rows of a study in the order in which they were written, all of one moment."""
    found: dict[str, list[dict[str, Any]]] = {}
    with database.read() as session:
        for name, row in TABLES.items():
            wanted = [getattr(row, key) for key in columns_of(name)]
            query = select(*wanted).where(row.study_id == study_id).order_by(*row.__table__.primary_key)
            result = session.execute(query)
            found[name] = [dict(each) for each in result.mappings()]
    return found


@contextmanager
def arriving(store: Store) -> Iterator[Arrival]:
    """Yield a place for an import that nobody sees; whatever is left in it at the end, or by a crash, is removed."""
    clear_dead(store)
    token = uuid.uuid4().hex
    arrival = Arrival(f"tuner-import {this_owner()} {token}", _folder(store, token))
    try:
        arrival.folder.mkdir(parents=True)
        yield arrival
    finally:
        _remove(store, arrival)


def clear_dead(store: Store) -> list[str]:
    """Remove what imports left behind whose process died; returns the names of their studies."""
    dead = [each for each in imports(store.database) if not each.live]
    for each in dead:
        _remove(store, Arrival(each.name, _folder(store, each.token)))
    return [each.name for each in dead]


def settle(store: Store, arrival: Arrival, values: StudyValues, rows: Rows) -> int:
    """Give an import its name, its rows and its files in one transaction; returns our row of the study.

    Args:
        store: Where it goes.
        arrival: Holds every file that a row of ``models`` or ``refits`` names.
        values: Our row of the study, and the name that Optuna's study gets, which is complete but for that.
        rows: Of each of ``TABLES``; the path of a file is that in the arrival's folder.

    Raises:
        UsageError: If there is a study of that name by now.
        StorageError: If the database cannot be written.
    """
    place = {"models": store.artifacts.model_path, "refits": store.artifacts.refit_path}
    placed: list[Path] = []
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
            session.add(row)
            session.flush()
            of_study = _STUDIES.c.study_id == values.optuna_id
            session.execute(update(_STUDIES).where(of_study).values(study_name=values.name))
            for kind, each in TABLES.items():
                lines = [dict(line) for line in rows[kind]]
                for line in lines if kind in place else ():
                    path = place[kind](row.id, line["trial_number"])
                    path.parent.mkdir(parents=True, exist_ok=True)
                    (arrival.folder / line["path"]).replace(path)
                    placed.append(path)
                    line["path"] = store.artifacts.relative(path)
                if lines:
                    session.execute(insert(each), [{**line, "study_id": row.id} for line in lines])
            return row.id
    except BaseException:
        for path in placed:
            path.unlink(missing_ok=True)
        raise


def taken(name: str) -> UsageError:
    """Return the error of a name that another study has."""
    return UsageError(f"there is a study '{name}' already", hint="give the other one a name of its own: --name NEW")


def _check_free(session: Session, name: str) -> None:
    if session.scalar(select(func.count()).select_from(_STUDIES).where(_STUDIES.c.study_name == name)):
        raise taken(name)


def _folder(store: Store, token: str) -> Path:
    return store.artifacts.folder / f".import-{token}"


def _remove(store: Store, arrival: Arrival) -> None:
    import optuna

    shutil.rmtree(arrival.folder, ignore_errors=True)
    with contextlib.suppress(KeyError):  # it got its name, or was never made
        optuna.delete_study(study_name=arrival.name, storage=store.optuna)
    with contextlib.suppress(OSError):  # not empty: the models of other studies
        store.artifacts.folder.rmdir()
