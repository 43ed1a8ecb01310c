"""The rows of checkpoints, written and read within a transaction of the store."""

from __future__ import annotations

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from tuner_storage.artifacts import Artifacts
from tuner_storage.copies import KeptCheckpoint
from tuner_storage.inputs import FinishedCheckpoint
from tuner_storage.tables import CheckpointRow

KEPT = 2  # per running trial: if the newest is damaged, the one before it is used
KEPT_PAUSED = 1  # per paused trial, of which there may be many


def add_checkpoint(
    session: Session, artifacts: Artifacts, study_id: int, number: int, file: FinishedCheckpoint, *, keep: int = KEPT
) -> list[str]:
    """Record a checkpoint, keep the newest ``keep``, and return the files to remove after the commit."""
    rows = _rows(session, study_id, number)
    if not any(row.epochs == file.epochs for row in rows):
        row = CheckpointRow(
            study_id=study_id,
            trial_number=number,
            epochs=file.epochs,
            path=artifacts.relative(file.path),
            sha256=file.sha256,
            size=file.size,
        )
        session.add(row)
        rows.insert(0, row)
    for old in rows[keep:]:
        session.delete(old)
    return [old.path for old in rows[keep:]]


def read_checkpoints(session: Session, study_id: int, number: int) -> list[KeptCheckpoint]:
    """Return the checkpoints of a trial, the newest first."""
    rows = _rows(session, study_id, number)
    return [KeptCheckpoint(row.epochs, row.path, row.sha256, row.size) for row in rows]


def read_checkpointed(session: Session, study_id: int) -> set[int]:
    """Return the numbers of the trials that have checkpoints."""
    return set(session.scalars(select(CheckpointRow.trial_number).where(CheckpointRow.study_id == study_id)))


def forget_checkpoints(session: Session, study_id: int, number: int, *, after: int = -1) -> list[str]:
    """Remove the rows of checkpoints with more than ``after`` epochs; return the files to remove after the commit."""
    of_trial = (
        CheckpointRow.study_id == study_id,
        CheckpointRow.trial_number == number,
        CheckpointRow.epochs > after,
    )
    paths = list(session.scalars(select(CheckpointRow.path).where(*of_trial)))
    if paths:
        session.execute(delete(CheckpointRow).where(*of_trial))
    return paths


def _rows(session: Session, study_id: int, number: int) -> list[CheckpointRow]:
    of_trial = (CheckpointRow.study_id == study_id, CheckpointRow.trial_number == number)
    return list(session.scalars(select(CheckpointRow).where(*of_trial).order_by(CheckpointRow.epochs.desc())))
