"""The rows of finished epochs, written and read within a transaction of the store."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from tuner_storage.inputs import FinishedEpoch
from tuner_storage.tables import EpochRow


def write_epochs(session: Session, study_id: int, ends: Sequence[FinishedEpoch]) -> None:
    """Record the metrics of epochs."""
    rows = [
        {
            "study_id": study_id,
            "trial_number": end.number,
            "epoch": end.epoch,
            "metrics": dict(end.metrics),
            "seconds": end.seconds,
        }
        for end in ends
    ]
    session.execute(insert(EpochRow), rows)


def read_epochs(
    session: Session, study_id: int, numbers: Sequence[int] | None = None
) -> dict[int, list[dict[str, float]]]:
    """Return the metrics of each epoch in order, by trial number.

    Args:
        session: A session of the database.
        study_id: Our row of the study.
        numbers: The trials to read, or ``None`` for all.

    Returns:
        One list per trial that has epochs. Each epoch holds its metrics and ``seconds``.
    """
    query = select(EpochRow).where(EpochRow.study_id == study_id).order_by(EpochRow.trial_number, EpochRow.epoch)
    if numbers is not None:
        query = query.where(EpochRow.trial_number.in_(numbers))
    curves: dict[int, list[dict[str, float]]] = {}
    for row in session.scalars(query):
        curves.setdefault(row.trial_number, []).append({**row.metrics, "seconds": row.seconds})
    return curves
