"""Summaries of all studies. The database counts the trials, so this is fast and does not import Optuna."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, String, and_, cast, column, func, select, table

from tuner_storage.engine import Database
from tuner_storage.identity import LINKS
from tuner_storage.own_values import read_own_values
from tuner_storage.tables import CheckpointRow, ModelRow, RefitRow, StudyRow
from tuner_storage.trial_attributes import PAUSED, REFUSED

# The columns of Optuna's tables that we read. Optuna may change them; its storage checks their version when it opens.
_TRIALS = table("trials", column("trial_id"), column("study_id"), column("number"), column("state"))
_ATTRIBUTES = table("trial_user_attributes", column("trial_id"), column("key"), column("value_json"))
_FILES: tuple[type[ModelRow | RefitRow | CheckpointRow], ...] = (ModelRow, RefitRow, CheckpointRow)
_STATE = cast(_TRIALS.c.state, String)  # PostgreSQL stores an enumeration


@dataclass(frozen=True, slots=True)
class StudyLine:
    """The summary of one study.

    ``states`` counts its trials by Optuna's state, but paused trials are not counted as ``WAITING`` and refused trials
    not as ``PRUNED``. A trial that another program completed counts as ``FAIL``.
    """

    id: int
    name: str
    recipe: Mapping[str, Any]
    created: datetime  # UTC
    states: Mapping[str, int]
    lowest: tuple[int, float] | None  # number and value of the complete trial with the smallest value
    highest: tuple[int, float] | None
    artifact_bytes: int  # size of its models, refit and checkpoints


def read_lines(database: Database, name: str | None = None) -> list[StudyLine]:
    """Return the summaries of all our studies, sorted by name, or that of the study ``name``."""
    query = select(LINKS.c.study_id, LINKS.c.study_name, StudyRow).join(StudyRow, StudyRow.id == LINKS.c.row_id)
    if name is not None:
        query = query.where(LINKS.c.study_name == name)
    with database.read() as session:
        lines = []
        # Sorted here, because the order of text depends on the settings of the server.
        for optuna_id, study_name, row in sorted(session.execute(query).all(), key=lambda line: str(line[1])):
            states: dict[str, int] = dict(session.execute(_count(optuna_id)).all())
            for state, optuna_state, attribute in (("PAUSED", "WAITING", PAUSED), ("REFUSED", "PRUNED", REFUSED)):
                states[state] = session.scalar(_count_with(optuna_id, optuna_state, attribute)) or 0
                states[optuna_state] = states.get(optuna_state, 0) - states[state]
            values = read_own_values(session, optuna_id, row.id, _objectives(row.recipe))
            ours = [(number, first) for number, (first, *_) in values.items()]
            foreign = states.get("COMPLETE", 0) - len(ours)
            states = {**states, "COMPLETE": len(ours), "FAIL": states.get("FAIL", 0) + foreign}
            lines.append(
                StudyLine(
                    id=row.id,
                    name=study_name,
                    recipe=dict(row.recipe),
                    created=row.created,
                    states=states,
                    lowest=min(ours, key=lambda result: (result[1], result[0]), default=None),
                    highest=max(ours, key=lambda result: (result[1], -result[0]), default=None),
                    artifact_bytes=sum(session.scalar(_size(file, row.id)) or 0 for file in _FILES),
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


def _size(file: type[ModelRow | RefitRow | CheckpointRow], study_id: int) -> Select[Any]:
    """Add up the sizes of one kind of artifact of a study, in bytes."""
    return select(func.sum(file.size)).where(file.study_id == study_id)


def _objectives(recipe: Mapping[str, Any]) -> list[str]:
    """Return the names of the objectives of a recipe as it is stored."""
    objective = recipe.get("objective")
    if not isinstance(objective, Mapping):
        return []
    return [str(name) for name in (objective.get("metric"), *objective.get("also", ()))]
