"""The objectives of complete trials, read without the trials: enough to find the best ones of thousands."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import String, and_, cast, column, exists, select, table
from sqlalchemy.orm import Session

from tuner_storage.attempts import COMPLETE
from tuner_storage.live import is_number
from tuner_storage.tables import AttemptRow

_TRIALS = table("trials", column("trial_id"), column("study_id"), column("number"), column("state"))
_VALUES = table("trial_values", column("trial_id"), column("value"), column("objective"))
_ATTRIBUTES = table("trial_user_attributes", column("trial_id"), column("key"), column("value_json"))


def read_own_values(
    session: Session, optuna_id: int, study_id: int, objectives: Sequence[str]
) -> dict[int, tuple[float, ...]]:
    """Return the objectives of each complete trial, except those whose result another program wrote.

    The rule is that of :mod:`tuner.own_results`.

    Args:
        session: A session of the database.
        optuna_id: Optuna's id of the study.
        study_id: Our row of the study.
        objectives: The names of its objectives, in order.
    """
    of_trial = (AttemptRow.study_id == study_id, AttemptRow.trial_number == _TRIALS.c.number)
    complete = (
        select(_TRIALS.c.number, _VALUES.c.value, _ATTRIBUTES.c.value_json)
        .join(_VALUES, _VALUES.c.trial_id == _TRIALS.c.trial_id)
        .join(_ATTRIBUTES, _ATTRIBUTES.c.trial_id == _TRIALS.c.trial_id)
        .where(_TRIALS.c.study_id == optuna_id, cast(_TRIALS.c.state, String) == COMPLETE.upper())
        .where(exists().where(*of_trial, AttemptRow.outcome == COMPLETE))
    )
    columns = []
    for objective, name in enumerate(objectives):
        query = complete.where(and_(_VALUES.c.objective == objective, _ATTRIBUTES.c.key == name))
        columns.append({number: value for number, value, text in session.execute(query) if is_number(text, value)})
    return {
        number: tuple(values[number] for values in columns)
        for number in sorted(columns[0] if columns else ())
        if all(number in values for values in columns)
    }
