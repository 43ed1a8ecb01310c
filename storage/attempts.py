"""The attempts at a trial, written within a transaction of the store."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Double, Enum, column, delete, func, insert, select, table, text, update
from sqlalchemy.orm import Session

from storage.tables import AttemptRow, EpochRow, utc_now

INTERRUPTED = "interrupted"  # the outcome of an attempt without a result

# Optuna's own table: a result has nine facts or so, and Optuna writes one per transaction.
_ATTRIBUTES = table("trial_user_attributes", column("trial_id"), column("key"), column("value_json"))
_REPORTS = table(
    "trial_intermediate_values",
    column("trial_id"),
    column("step"),
    column("intermediate_value", Double),
    column("intermediate_value_type", Enum("FINITE", "INF_POS", "INF_NEG", "NAN", name="trialintermediatevaluetype")),
)
_FORGET_REPORTS = text(
    "DELETE FROM trial_intermediate_values WHERE trial_id IN (SELECT t.trial_id FROM trials t JOIN tuner_study s "
    "ON t.study_id = s.optuna_id WHERE s.id = :study_id AND t.number = :number) AND step >= :first_epoch"
)

_TRIAL_ID = text(
    "SELECT t.trial_id FROM trials t JOIN tuner_study s ON t.study_id = s.optuna_id "
    "WHERE s.id = :study_id AND t.number = :number"
)


def begin_attempt(session: Session, row: AttemptRow) -> int:
    """Begin an attempt at a trial, from ``row.first_epoch`` on; returns its number.

    What earlier attempts left of that epoch and later ones is forgotten, and one that nobody ended is ended.
    """
    of_trial = (AttemptRow.study_id == row.study_id, AttemptRow.trial_number == row.trial_number)
    row.attempt = session.scalar(select(func.count()).where(*of_trial)) or 0
    if row.attempt:
        end_attempt(session, row.study_id, row.trial_number, INTERRUPTED, "killed")
        epochs = (EpochRow.study_id == row.study_id, EpochRow.trial_number == row.trial_number)
        session.execute(delete(EpochRow).where(*epochs, EpochRow.epoch >= row.first_epoch))
        # Optuna keeps reported values for ever; those of an attempt that is gone would mislead its pruners.
        values = {"study_id": row.study_id, "number": row.trial_number, "first_epoch": row.first_epoch}
        session.execute(_FORGET_REPORTS, values)
    session.add(row)
    return row.attempt


def end_attempt(
    session: Session, study_id: int, number: int, outcome: str, reason: str | None, *, traceback: str | None = None
) -> None:
    """End the attempt at a trial that nobody has ended yet, if there is one."""
    running = (AttemptRow.study_id == study_id, AttemptRow.trial_number == number, AttemptRow.outcome.is_(None))
    ended = {"ended": utc_now(), "outcome": outcome, "reason": reason, "traceback": traceback}
    session.execute(update(AttemptRow).where(*running).values(**ended))


def write_fact(session: Session, study_id: int, number: int, key: str, fact: object) -> None:
    """Set one user attribute of a trial, or remove it with ``None``."""
    trial_id = session.execute(_TRIAL_ID, {"study_id": study_id, "number": number}).scalar()
    session.execute(delete(_ATTRIBUTES).where(_ATTRIBUTES.c.trial_id == trial_id, _ATTRIBUTES.c.key == key))
    if fact is not None and trial_id is not None:
        session.execute(insert(_ATTRIBUTES).values(trial_id=trial_id, key=key, value_json=json.dumps(fact)))


def write_report(session: Session, trial_id: int, epoch: int, value: float) -> None:
    """Report the objective after an epoch to Optuna; the value is a finite number."""
    row = {"trial_id": trial_id, "step": epoch, "intermediate_value": value, "intermediate_value_type": "FINITE"}
    session.execute(insert(_REPORTS).values(row))


def write_facts(session: Session, trial_id: int, facts: Mapping[str, Any]) -> None:
    """Replace the user attributes of a trial, all at once: Optuna would write each in a transaction of its own."""
    rows = [{"trial_id": trial_id, "key": key, "value_json": json.dumps(fact)} for key, fact in facts.items()]
    session.execute(delete(_ATTRIBUTES).where(_ATTRIBUTES.c.trial_id == trial_id))
    if rows:
        session.execute(insert(_ATTRIBUTES), rows)
