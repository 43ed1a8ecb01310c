"""The row of a study's refit, at most one per study, written and read within a transaction of the store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from tuner_storage.artifacts import Artifacts
from tuner_storage.copies import KeptRefit
from tuner_storage.inputs import FinishedRefit
from tuner_storage.tables import RefitRow


def replace_refit(session: Session, artifacts: Artifacts, study_id: int, end: FinishedRefit) -> list[str]:
    """Record a refit in place of an earlier one, and return the files to remove after the commit.

    Raises:
        ValueError: If the refit has no model.
    """
    if end.model is None:
        raise ValueError(f"the refit of trial {end.number} has no model: {end.reason}")
    path = artifacts.relative(end.model.path)
    superseded = [earlier for earlier in forget_refit(session, study_id) if earlier != path]
    session.add(
        RefitRow(
            study_id=study_id,
            trial_number=end.number,
            epochs=end.epochs,
            rows=end.rows,
            path=path,
            sha256=end.model.sha256,
            size=end.model.size,
            outputs=end.model.outputs,
            metrics=dict(end.metrics),
            seconds=end.seconds,
        )
    )
    return superseded


def read_refit(session: Session, study_id: int) -> KeptRefit | None:
    """Return the refit of a study, or ``None`` if it has none."""
    row = session.get(RefitRow, study_id)
    return None if row is None else KeptRefit.of(row)


def write_refit_test(
    session: Session, study_id: int, metrics: Mapping[str, float], evaluation: Mapping[str, Any] | None
) -> None:
    """Record the metrics of the refit on the test split, and its evaluation."""
    values = {"test": dict(metrics), "evaluation": None if evaluation is None else dict(evaluation)}
    session.execute(update(RefitRow).where(RefitRow.study_id == study_id).values(values))


def read_refit_evaluation(session: Session, study_id: int) -> dict[str, Any] | None:
    """Return the evaluation of the refit; ``None`` if there is no refit, or nothing was recorded."""
    return session.scalar(select(RefitRow.evaluation).where(RefitRow.study_id == study_id))


def forget_refit(session: Session, study_id: int) -> list[str]:
    """Remove the row of a study's refit, and return the files to remove after the commit."""
    paths = list(session.scalars(select(RefitRow.path).where(RefitRow.study_id == study_id)))
    session.execute(delete(RefitRow).where(RefitRow.study_id == study_id))
    return paths
