"""The rows of attempts, written within a transaction of the store."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from tuner_storage.copies import Attempt
from tuner_storage.optuna_rows import delete_reports
from tuner_storage.tables import AttemptRow, EpochRow, utc_now

INTERRUPTED = "interrupted"  # the outcome of an attempt that ended without a result
COMPLETE = "complete"  # the outcome of an attempt that trained to its end


def begin_attempt(session: Session, row: AttemptRow) -> int:
    """Add an attempt that trains from ``row.first_epoch`` on, and return its number.

    Earlier attempts lose their epochs from ``row.first_epoch`` on. If one of them was never ended, it ends now.
    """
    of_trial = (AttemptRow.study_id == row.study_id, AttemptRow.trial_number == row.trial_number)
    row.attempt = session.scalar(select(func.count()).where(*of_trial)) or 0
    if row.attempt:
        end_attempt(session, row.study_id, row.trial_number, INTERRUPTED, "killed")
        epochs = (EpochRow.study_id == row.study_id, EpochRow.trial_number == row.trial_number)
        session.execute(delete(EpochRow).where(*epochs, EpochRow.epoch >= row.first_epoch))
        delete_reports(session, row.study_id, row.trial_number, row.first_epoch)
    session.add(row)
    return row.attempt


def end_attempt(
    session: Session, study_id: int, number: int, outcome: str, reason: str | None, *, traceback: str | None = None
) -> None:
    """End the running attempt at a trial. If no attempt is running, nothing happens."""
    running = (AttemptRow.study_id == study_id, AttemptRow.trial_number == number, AttemptRow.outcome.is_(None))
    values = {"ended": utc_now(), "outcome": outcome, "reason": reason, "traceback": traceback}
    session.execute(update(AttemptRow).where(*running).values(**values))


def read_attempts(session: Session, study_id: int, number: int | None = None) -> list[Attempt]:
    """Return the attempts at one trial, or at all trials if ``number`` is ``None``, by trial and attempt number."""
    query = select(AttemptRow).where(AttemptRow.study_id == study_id)
    if number is not None:
        query = query.where(AttemptRow.trial_number == number)
    rows = session.scalars(query.order_by(AttemptRow.trial_number, AttemptRow.attempt))
    return [Attempt.of(row) for row in rows]


def read_completed(session: Session, study_id: int, numbers: Collection[int] | None = None) -> set[int]:
    """Return the numbers of the trials with a complete attempt, among all or only ``numbers``."""
    query = select(AttemptRow.trial_number).where(AttemptRow.study_id == study_id, AttemptRow.outcome == COMPLETE)
    return set(session.scalars(query if numbers is None else query.where(AttemptRow.trial_number.in_(numbers))))
