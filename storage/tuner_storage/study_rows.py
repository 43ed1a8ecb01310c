"""The rows of studies, Optuna's and ours, written and read within a transaction of the store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import Session

from tuner_storage.copies import StudyRecord
from tuner_storage.identity import LINKS, relink
from tuner_storage.optuna_rows import find_or_add_study, write_identity
from tuner_storage.tables import StudyRow


def write_study(
    session: Session,
    name: str,
    directions: Sequence[str],
    *,
    recipe: Mapping[str, Any],
    fingerprint: str,
    environment: Mapping[str, Any],
) -> StudyRecord:
    """Add a study to Optuna's tables, unless it has one of this name, and to ours."""
    relink(session)  # frees the ids of deleted studies
    row = StudyRow(
        optuna_id=find_or_add_study(session, name, directions),
        recipe=dict(recipe),
        data_fingerprint=fingerprint,
        environment=dict(environment),
    )
    session.add(row)
    session.flush()
    write_identity(session, row)
    session.refresh(row)  # a copy as it is stored, which shares nothing with the arguments
    return StudyRecord.of(row)


def read_study(session: Session, optuna_id: int) -> StudyRecord | None:
    """Return the record of Optuna's study, or ``None`` if the study is one of Optuna alone."""
    return _read(session, LINKS.c.study_id == optuna_id)


def read_named(session: Session, name: str) -> StudyRecord | None:
    """Return the record of the study of this name, or ``None`` if there is none of ours."""
    return _read(session, LINKS.c.study_name == name)


def _read(session: Session, condition: ColumnElement[bool]) -> StudyRecord | None:
    row = session.scalar(select(StudyRow).join(LINKS, LINKS.c.row_id == StudyRow.id).where(condition))
    return None if row is None else StudyRecord.of(row)


def write_recipe(session: Session, study_id: int, recipe: Mapping[str, Any]) -> None:
    """Replace the stored recipe of a study."""
    session.execute(update(StudyRow).where(StudyRow.id == study_id).values(recipe=dict(recipe)))
