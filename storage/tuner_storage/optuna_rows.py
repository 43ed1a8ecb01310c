"""Rows that we write into Optuna's tables, so that one transaction holds Optuna's part of a result and ours.

Optuna itself writes each user attribute and each reported value in a transaction of its own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Double, Enum, Select, column, delete, insert, select, table
from sqlalchemy.orm import Session

from tuner_storage.engine import Database
from tuner_storage.identity import ATTRIBUTES as STUDY_ATTRIBUTES
from tuner_storage.identity import STUDIES
from tuner_storage.tables import StudyRow
from tuner_storage.trial_attributes import IDENTITY

Report = tuple[int, int, float]  # Optuna's row of a trial, the epoch from 0, and the objective after it

_DIRECTIONS = table(
    "study_directions",
    column("study_id"),
    column("objective"),
    column("direction", Enum("NOT_SET", "MINIMIZE", "MAXIMIZE", name="studydirection")),
)
_TRIALS = table("trials", column("trial_id"), column("study_id"), column("number"))
_ATTRIBUTES = table("trial_user_attributes", column("trial_id"), column("key"), column("value_json"))
_PARAMS = table(
    "trial_params", column("trial_id"), column("param_name"), column("param_value", Double), column("distribution_json")
)
_REPORTS = table(
    "trial_intermediate_values",
    column("trial_id"),
    column("step"),
    column("intermediate_value", Double),
    column("intermediate_value_type", Enum("FINITE", "INF_POS", "INF_NEG", "NAN", name="trialintermediatevaluetype")),
)


def find_or_add_study(session: Session, name: str, directions: Sequence[str]) -> int:
    """Return Optuna's id of the study ``name``. If there is none, add one with these directions (``minimize`` …)."""
    named = select(STUDIES.c.study_id).where(STUDIES.c.study_name == name)
    found: int | None = session.scalar(named)
    if found is not None:
        return found
    session.execute(insert(STUDIES).values(study_name=name))
    added: int = session.execute(named).scalar_one()
    rows = [
        {"study_id": added, "objective": objective, "direction": direction.upper()}
        for objective, direction in enumerate(directions)
    ]
    session.execute(insert(_DIRECTIONS), rows)
    return added


def write_identity(session: Session, row: StudyRow) -> None:
    """Give Optuna's study the identity of our row, in place of any other."""
    of_study = (STUDY_ATTRIBUTES.c.study_id == row.optuna_id, STUDY_ATTRIBUTES.c.key == IDENTITY)
    session.execute(delete(STUDY_ATTRIBUTES).where(*of_study))
    value = {"study_id": row.optuna_id, "key": IDENTITY, "value_json": json.dumps(row.identity)}
    session.execute(insert(STUDY_ATTRIBUTES).values(value))


def write_attribute(session: Session, study_id: int, number: int, key: str, value: object) -> None:
    """Set one user attribute of a trial, or remove it if ``value`` is ``None``."""
    trial_id = session.scalar(_trial_id(study_id, number))
    session.execute(delete(_ATTRIBUTES).where(_ATTRIBUTES.c.trial_id == trial_id, _ATTRIBUTES.c.key == key))
    if value is not None and trial_id is not None:
        session.execute(insert(_ATTRIBUTES).values(trial_id=trial_id, key=key, value_json=json.dumps(value)))


def replace_attributes(session: Session, trial_id: int, attributes: Mapping[str, Any]) -> None:
    """Replace all user attributes of a trial."""
    rows = [{"trial_id": trial_id, "key": key, "value_json": json.dumps(value)} for key, value in attributes.items()]
    session.execute(delete(_ATTRIBUTES).where(_ATTRIBUTES.c.trial_id == trial_id))
    if rows:
        session.execute(insert(_ATTRIBUTES), rows)


def add_params(session: Session, trial_id: int, params: Mapping[str, tuple[float, str]]) -> None:
    """Add parameters of a trial: their values, as Optuna writes them, and their distributions as JSON."""
    rows = [
        {"trial_id": trial_id, "param_name": name, "param_value": value, "distribution_json": distribution}
        for name, (value, distribution) in params.items()
    ]
    session.execute(insert(_PARAMS), rows)


def add_reports(session: Session, reports: Sequence[Report]) -> None:
    """Report the objective after epochs to Optuna. The values must be finite."""
    rows = [
        {"trial_id": trial_id, "step": epoch, "intermediate_value": value, "intermediate_value_type": "FINITE"}
        for trial_id, epoch, value in reports
    ]
    session.execute(insert(_REPORTS), rows)


def delete_reports(session: Session, study_id: int, number: int, first_epoch: int) -> None:
    """Remove the reports of a trial from ``first_epoch`` on.

    Optuna never removes a report. Those of an attempt that was abandoned would mislead its pruners.
    """
    of_trial = _REPORTS.c.trial_id.in_(_trial_id(study_id, number))
    session.execute(delete(_REPORTS).where(of_trial, _REPORTS.c.step >= first_epoch))


def study_of_trial(database: Database, trial_id: int) -> int | None:
    """Return Optuna's id of the study of a trial, or ``None`` if there is no such trial."""
    with database.read() as session:
        found: int | None = session.scalar(select(_TRIALS.c.study_id).where(_TRIALS.c.trial_id == trial_id))
        return found


def _trial_id(study_id: int, number: int) -> Select[Any]:
    query = select(_TRIALS.c.trial_id).join(StudyRow, StudyRow.optuna_id == _TRIALS.c.study_id)
    return query.where(StudyRow.id == study_id, _TRIALS.c.number == number)
