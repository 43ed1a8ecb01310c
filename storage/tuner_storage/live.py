"""What a run does at the moment, for pages and commands that look every second.

Few queries, none of which reads the epochs of trials that have ended. Each function reads within a session of its
caller, so that a look at a study is one short transaction: with SQLite, a run cannot commit while another process
reads.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, String, and_, cast, column, exists, func, select, table
from sqlalchemy.orm import Session

from tuner_storage.attempts import COMPLETE
from tuner_storage.copies import Attempt, KeptModel
from tuner_storage.identity import LINKS
from tuner_storage.tables import AttemptRow, LeaseRow, ModelRow, RunRow, StudyRow
from tuner_storage.trial_attributes import CONFIRMS, PAUSED, PROMOTED, REFUSED

_TRIALS = table("trials", column("trial_id"), column("study_id"), column("number"), column("state"))
_VALUES = table("trial_values", column("trial_id"), column("value"), column("objective"))
_ATTRIBUTES = table("trial_user_attributes", column("trial_id"), column("key"), column("value_json"))
_REPORTS = table("trial_intermediate_values", column("trial_id"), column("step"), column("intermediate_value"))
_PARAMS = table(
    "trial_params", column("trial_id"), column("param_name"), column("param_value"), column("distribution_json")
)
_STATE = cast(_TRIALS.c.state, String)  # PostgreSQL stores an enumeration
_SHARED = (("PAUSED", "WAITING", PAUSED), ("REFUSED", "PRUNED", REFUSED))  # our states, stored as one of Optuna's
_AT_ONCE = 20  # the best trials that are compared with what a run wrote


@dataclass(frozen=True, slots=True)
class LiveLease:
    """A lease, which may have expired. Its time is UTC."""

    owner: str
    expires: datetime
    stop_requested: bool


@dataclass(frozen=True, slots=True)
class StudyStates:
    """A study and the number of its trials by state, as in :class:`tuner_storage.overview.StudyLine`."""

    id: int  # our row
    optuna_id: int
    name: str
    recipe: Mapping[str, Any]
    created: datetime  # UTC
    states: Mapping[str, int]
    leases: Sequence[LiveLease]  # the first one first


@dataclass(frozen=True, slots=True)
class RunningTrial:
    """A trial that is training. ``params`` are name, stored value and distribution, as Optuna stores them."""

    number: int
    device: str | None
    started: datetime  # UTC
    values: tuple[float, ...]  # the objective after each epoch
    params: tuple[tuple[str, float, str], ...]
    promoted: int | None


@dataclass(frozen=True, slots=True)
class LastRun:
    """The last run of a study. Times are UTC."""

    workers: int
    device: str | None
    started: datetime
    ended: datetime | None
    stopped_by: str | None


def read_states(session: Session, optuna_id: int | None = None) -> list[StudyStates]:
    """Return all our studies with their counts, sorted by name, or only one."""
    query = select(LINKS.c.study_id, LINKS.c.study_name, StudyRow).join(StudyRow, StudyRow.id == LINKS.c.row_id)
    counts = select(_TRIALS.c.study_id, _STATE, func.count()).group_by(_TRIALS.c.study_id, _STATE)
    if optuna_id is not None:
        query = query.where(LINKS.c.study_id == optuna_id)
        counts = counts.where(_TRIALS.c.study_id == optuna_id)
    states: dict[int, dict[str, int]] = {}
    for study, state, number in session.execute(counts):
        states.setdefault(study, {})[state] = number
    for ours, optunas, attribute in _SHARED:
        for study, number in session.execute(_count_with(optunas, attribute, optuna_id)):
            states[study][ours] = number
            states[study][optunas] -= number
    leases: dict[int, list[LiveLease]] = {}
    for lease in session.scalars(select(LeaseRow).order_by(LeaseRow.since, LeaseRow.owner)):
        leases.setdefault(lease.study_id, []).append(LiveLease(lease.owner, lease.expires, lease.stop_requested))
    return [
        StudyStates(
            row.id, study, name, dict(row.recipe), row.created, states.get(study, {}), leases.get(row.id, [])
        )
        for study, name, row in sorted(session.execute(query), key=lambda line: str(line[1]))
    ]  # fmt: skip


def read_best(session: Session, study: StudyStates, metric: str, *, maximize: bool) -> tuple[int, float] | None:
    """Return number and value of the best complete trial whose result a run wrote, or ``None``.

    The rule is that of :mod:`tuner.own_results`, for the first objective.
    """
    order = _VALUES.c.value.desc() if maximize else _VALUES.c.value
    best = (
        select(_TRIALS.c.trial_id, _TRIALS.c.number, _VALUES.c.value)
        .join(_VALUES, and_(_VALUES.c.trial_id == _TRIALS.c.trial_id, _VALUES.c.objective == 0))
        .where(_TRIALS.c.study_id == study.optuna_id, _STATE.in_([COMPLETE.upper()]))
        .order_by(order, _TRIALS.c.number)
    )
    for offset in range(0, study.states.get("COMPLETE", 0), _AT_ONCE):
        candidates = best.limit(_AT_ONCE).offset(offset).subquery()
        query = (
            select(candidates.c.number, candidates.c.value, _ATTRIBUTES.c.value_json)
            .join(_ATTRIBUTES, and_(_ATTRIBUTES.c.trial_id == candidates.c.trial_id, _ATTRIBUTES.c.key == metric))
            .where(exists().where(*_attempts(study, candidates.c.number), AttemptRow.outcome == COMPLETE))
        )
        rows = [(number, value) for number, value, text in session.execute(query) if is_number(text, value)]
        if rows:
            return min(rows, key=lambda row: (-row[1] if maximize else row[1], row[0]))
    return None


def read_confirmations(session: Session, study: StudyStates) -> tuple[dict[int, int], dict[int, float]]:
    """Return the trial that each confirming trial trains again, and the values of the complete ones among all these."""
    confirms = read_confirms(session, study.optuna_id)
    if not confirms:
        return {}, {}
    values = (
        select(_TRIALS.c.number, _VALUES.c.value)
        .join(_VALUES, and_(_VALUES.c.trial_id == _TRIALS.c.trial_id, _VALUES.c.objective == 0))
        .where(_TRIALS.c.study_id == study.optuna_id, _STATE.in_([COMPLETE.upper()]))
        .where(_TRIALS.c.number.in_({*confirms, *confirms.values()}))
        .where(exists().where(*_attempts(study, _TRIALS.c.number), AttemptRow.outcome == COMPLETE))
    )
    return confirms, {number: value for number, value in session.execute(values) if value is not None}


def read_confirms(session: Session, optuna_id: int) -> dict[int, int]:
    """Return the trial that each confirming trial of a study trains again."""
    confirming = (
        select(_TRIALS.c.number, _ATTRIBUTES.c.value_json)
        .join(_ATTRIBUTES, and_(_ATTRIBUTES.c.trial_id == _TRIALS.c.trial_id, _ATTRIBUTES.c.key == CONFIRMS))
        .where(_TRIALS.c.study_id == optuna_id)
    )
    named = ((number, _integer(text)) for number, text in session.execute(confirming))
    return {number: original for number, original in named if original is not None}


def read_last_run(session: Session, study_id: int) -> LastRun | None:
    """Return the last run of a study, or ``None`` if there was none."""
    row = session.scalar(select(RunRow).where(RunRow.study_id == study_id).order_by(RunRow.id.desc()).limit(1))
    if row is None:
        return None
    return LastRun(row.workers, row.device, row.started, row.ended, row.stopped_by)


def read_running(session: Session, study: StudyStates) -> list[RunningTrial]:
    """Return the trials that are training, in the order of their numbers."""
    if not study.states.get("RUNNING"):
        return []
    running = (
        select(_TRIALS.c.trial_id, AttemptRow.trial_number, AttemptRow.device, AttemptRow.started)
        .join(AttemptRow, and_(AttemptRow.study_id == study.id, AttemptRow.trial_number == _TRIALS.c.number))
        .where(_TRIALS.c.study_id == study.optuna_id, _STATE.in_(["RUNNING"]), AttemptRow.outcome.is_(None))
        .order_by(AttemptRow.trial_number)
    )
    rows = session.execute(running).all()
    ids = [row[0] for row in rows]
    values: dict[int, list[float]] = {trial: [] for trial in ids}
    reports = select(_REPORTS.c.trial_id, _REPORTS.c.intermediate_value).where(_REPORTS.c.trial_id.in_(ids))
    for trial, value in session.execute(reports.order_by(_REPORTS.c.trial_id, _REPORTS.c.step)):
        values[trial].append(value)
    params: dict[int, list[tuple[str, float, str]]] = {trial: [] for trial in ids}
    drawn = select(_PARAMS.c.trial_id, _PARAMS.c.param_name, _PARAMS.c.param_value, _PARAMS.c.distribution_json)
    for trial, name, value, distribution in session.execute(drawn.where(_PARAMS.c.trial_id.in_(ids))):
        params[trial].append((name, value, distribution))
    promoted = select(_ATTRIBUTES.c.trial_id, _ATTRIBUTES.c.value_json)
    after = dict(session.execute(promoted.where(_ATTRIBUTES.c.trial_id.in_(ids), _ATTRIBUTES.c.key == PROMOTED)).all())
    return [
        RunningTrial(number, device, started, tuple(values[trial]), tuple(params[trial]), _integer(after.get(trial)))
        for trial, number, device, started in rows
    ]


def read_ended(session: Session, study_id: int, limit: int, outcomes: Sequence[str] = ()) -> list[Attempt]:
    """Return the attempts that began last among those that have ended, the newest first.

    Args:
        session: A session of the database.
        study_id: Our row of the study.
        limit: How many.
        outcomes: Only attempts that ended like this, such as ``failed``.
    """
    query = select(AttemptRow).where(AttemptRow.study_id == study_id)
    query = query.where(AttemptRow.outcome.in_(outcomes)) if outcomes else query.where(AttemptRow.outcome.is_not(None))
    return [Attempt.of(row) for row in session.scalars(query.order_by(AttemptRow.id.desc()).limit(limit))]


def read_model_sizes(session: Session, study_id: int) -> dict[int, int]:
    """Return the size in bytes of each kept model by trial number."""
    query = select(ModelRow.trial_number, ModelRow.size).where(ModelRow.study_id == study_id)
    return dict(session.execute(query).all())


def read_model(session: Session, optuna_id: int, number: int) -> KeptModel | None:
    """Return the kept model of a trial, or ``None``."""
    query = select(ModelRow).join(LINKS, LINKS.c.row_id == ModelRow.study_id)
    row = session.scalar(query.where(LINKS.c.study_id == optuna_id, ModelRow.trial_number == number))
    return None if row is None else KeptModel.of(row)


def read_results(session: Session, study: StudyStates, numbers: Sequence[int], names: Sequence[str]) -> dict[int, Any]:
    """Return attributes of trials by trial number and name. Those that are no numbers are left out."""
    query = (
        select(_TRIALS.c.number, _ATTRIBUTES.c.key, _ATTRIBUTES.c.value_json)
        .join(_ATTRIBUTES, _ATTRIBUTES.c.trial_id == _TRIALS.c.trial_id)
        .where(_TRIALS.c.study_id == study.optuna_id, _TRIALS.c.number.in_(numbers), _ATTRIBUTES.c.key.in_(names))
    )
    results: dict[int, dict[str, float]] = {}
    for number, name, text in session.execute(query):
        if (value := _number(text)) is not None:
            results.setdefault(number, {})[name] = value
    return results


def is_number(text: str, value: float | None) -> bool:
    """Return whether an attribute, as JSON, is this number."""
    try:
        return value is not None and bool(json.loads(text) == value)
    except (ValueError, RecursionError):
        return False


def _count_with(state: str, attribute: str, optuna_id: int | None) -> Select[Any]:
    """Count the trials of each study that are in ``state`` and have ``attribute``."""
    has = and_(_ATTRIBUTES.c.trial_id == _TRIALS.c.trial_id, _ATTRIBUTES.c.key == attribute)
    query = select(_TRIALS.c.study_id, func.count()).join(_ATTRIBUTES, has).where(_STATE.in_([state]))
    return (query if optuna_id is None else query.where(_TRIALS.c.study_id == optuna_id)).group_by(_TRIALS.c.study_id)


def _attempts(study: StudyStates, number: ColumnElement[Any]) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """Return the conditions for the attempts at a trial."""
    return AttemptRow.study_id == study.id, AttemptRow.trial_number == number


def _integer(text: str | None) -> int | None:
    """Return the integer that an attribute holds as JSON, or ``None``."""
    value = _number(text)
    return value if isinstance(value, int) else None


def _number(text: str | None) -> float | None:
    """Return the number that an attribute holds as JSON, or ``None``: another program may have written anything."""
    try:
        value = None if text is None else json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, int | float) else None
