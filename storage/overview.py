"""Summaries of all studies. The database counts the trials, so this is fast and does not import Optuna."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, String, and_, cast, column, desc, func, select, table

from storage.engine import Database
from storage.tables import StudyRow
from storage.trial_attributes import PAUSED, REFUSED

# The columns of Optuna's tables that we read. Optuna may change them; its storage checks their version when it opens.
_STUDIES = table("studies", column("study_id"), column("study_name"))
_TRIALS = table("trials", column("trial_id"), column("study_id"), column("number"), column("state"))
_VALUES = table("trial_values", column("trial_id"), column("value"), column("objective"))
_ATTRIBUTES = table("trial_user_attributes", column("trial_id"), column("key"))
_STATE = cast(_TRIALS.c.state, String)  # PostgreSQL stores an enumeration


@dataclass(frozen=True, slots=True)
class StudyLine:
    """The summary of one study.

    ``states`` counts its trials by Optuna's state, but paused trials are not counted as ``WAITING`` and refused trials
    not as ``PRUNED``.
    """

    id: int
    name: str
    recipe: Mapping[str, Any]
    created: datetime  # UTC
    states: Mapping[str, int]
    lowest: tuple[int, float] | None  # number and value of the complete trial with the smallest value
    highest: tuple[int, float] | None


def read_lines(database: Database, name: str | None = None) -> list[StudyLine]:
    """Return the summaries of all our studies, sorted by name, or that of the study ``name``."""
    query = select(_STUDIES.c.study_id, _STUDIES.c.study_name, StudyRow).join(
        StudyRow, StudyRow.optuna_id == _STUDIES.c.study_id
    )
    if name is not None:
        query = query.where(_STUDIES.c.study_name == name)
    with database.read() as session:
        lines = []
        # Sorted here, because the order of text depends on the settings of the server.
        for optuna_id, study_name, row in sorted(session.execute(query).all(), key=lambda line: str(line[1])):
            states: dict[str, int] = dict(session.execute(_count(optuna_id)).all())
            for state, optuna_state, attribute in (("PAUSED", "WAITING", PAUSED), ("REFUSED", "PRUNED", REFUSED)):
                states[state] = session.scalar(_count_with(optuna_id, optuna_state, attribute)) or 0
                states[optuna_state] = states.get(optuna_state, 0) - states[state]
            lowest, highest = (
                session.execute(_extreme(optuna_id, largest=largest)).first() for largest in (False, True)
            )
            lines.append(
                StudyLine(
                    id=row.id,
                    name=study_name,
                    recipe=dict(row.recipe),
                    created=row.created,
                    states=states,
                    lowest=None if lowest is None else (lowest[0], lowest[1]),
                    highest=None if highest is None else (highest[0], highest[1]),
                )
            )
        return lines


def _count(optuna_id: int) -> Select[str, int]:
    """Count the trials of a study by Optuna's state."""
    return select(_STATE, func.count()).where(_TRIALS.c.study_id == optuna_id).group_by(_TRIALS.c.state)


def _count_with(optuna_id: int, state: str, attribute: str) -> Select[int]:
    """Count the trials of a study that are in ``state`` and have ``attribute``."""
    has = and_(_ATTRIBUTES.c.trial_id == _TRIALS.c.trial_id, _ATTRIBUTES.c.key == attribute)
    counted = select(func.count()).select_from(_TRIALS).join(_ATTRIBUTES, has)
    return counted.where(_TRIALS.c.study_id == optuna_id, _STATE.in_([state]))


def _extreme(optuna_id: int, *, largest: bool) -> Select[Any]:
    """Select number and value of the complete trial with the smallest or largest value. Of equals, take the first."""
    value = _VALUES.c.value
    return (
        select(_TRIALS.c.number, value)
        .join(_VALUES, and_(_VALUES.c.trial_id == _TRIALS.c.trial_id, _VALUES.c.objective == 0))
        .where(_TRIALS.c.study_id == optuna_id, _STATE == "COMPLETE", value.is_not(None))
        .order_by(desc(value) if largest else value, _TRIALS.c.number)
        .limit(1)
    )
