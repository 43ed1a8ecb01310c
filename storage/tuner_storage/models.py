"""The rows of kept models, at most one per trial, written and read within a transaction of the store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, delete, select, update
from sqlalchemy.orm import Session

from tuner_storage.artifacts import Artifacts
from tuner_storage.copies import KeptModel
from tuner_storage.inputs import FinishedModel
from tuner_storage.tables import ModelRow


def replace_model(
    session: Session, artifacts: Artifacts, study_id: int, number: int, model: FinishedModel
) -> list[str]:
    """Record the model of a trial in place of an earlier one, and return the files to remove after the commit."""
    path = artifacts.relative(model.path)
    earlier = session.scalars(select(ModelRow.path).where(*_of_trial(study_id, number)))
    superseded = [earlier_path for earlier_path in earlier if earlier_path != path]
    forget_model(session, study_id, number)
    session.add(
        ModelRow(
            study_id=study_id,
            trial_number=number,
            path=path,
            sha256=model.sha256,
            size=model.size,
            outputs=model.outputs,
        ),
    )
    return superseded


def read_models(session: Session, study_id: int) -> dict[int, KeptModel]:
    """Return the kept models of a study by trial number."""
    rows = session.scalars(select(ModelRow).where(ModelRow.study_id == study_id))
    return {row.trial_number: KeptModel.of(row) for row in rows}


def write_model_test(
    session: Session, study_id: int, number: int, metrics: Mapping[str, float], evaluation: Mapping[str, Any] | None
) -> None:
    """Record the metrics of a kept model on the test split, and its evaluation."""
    values = {"test": dict(metrics), "evaluation": None if evaluation is None else dict(evaluation)}
    session.execute(update(ModelRow).where(*_of_trial(study_id, number)).values(values))


def read_model_evaluation(session: Session, study_id: int, number: int) -> dict[str, Any] | None:
    """Return the evaluation of a kept model; ``None`` if there is no such model, or nothing was recorded."""
    return session.scalar(select(ModelRow.evaluation).where(*_of_trial(study_id, number)))


def forget_model(session: Session, study_id: int, number: int) -> None:
    """Remove the row of a kept model. Its file is removed after the commit."""
    session.execute(delete(ModelRow).where(*_of_trial(study_id, number)))


def _of_trial(study_id: int, number: int) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return (ModelRow.study_id == study_id, ModelRow.trial_number == number)
