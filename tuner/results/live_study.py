"""Copies of what is read of a study at one moment, and what its run would show in a terminal."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from tuner_storage.copies import Attempt
from tuner_storage.live import LastRun, RunningTrial

from tuner.config.recipe import Recipe
from tuner.records import Counts, ParamValue
from tuner.run.progress import Ended, RunView, TrialView


@dataclass(frozen=True, slots=True)
class LiveLine:
    """A study in a list.

    Attributes:
        id: Optuna's id of the study.
        name: Its name.
        recipe: Its recipe.
        counts: Its trials by state.
        limit: How many trials there may be.
        best: Number and value of the winner so far, as in `tuner study best`.
        running: The process that runs the study, or ``None``.
        stopping: Whether that process was asked to stop.
    """

    id: int
    name: str
    recipe: Recipe
    counts: Counts
    limit: int
    best: tuple[int, float] | None
    running: str | None
    stopping: bool


class LiveModel(NamedTuple):
    """A kept model: its trial, the value of the trial, and its size in bytes."""

    number: int
    value: float | None
    size: int


class EndedAttempt(NamedTuple):
    """The end of an attempt, and the number of the attempt, which tells it from others at the same trial."""

    attempt: int
    end: Ended


@dataclass(frozen=True, slots=True)
class LiveStudy:
    """A study in detail. Times are in seconds or UTC.

    Attributes:
        line: What a list shows of it.
        view: What its run would show in a terminal.
        trials: The trials that are training, as in ``view``, with their devices.
        run: The last run, or ``None`` if there was none.
        rate: Trials per second that the last run has finished lately, or ``None`` if it has finished none.
        failures: The last failed attempts, the newest first.
        ended: The attempts that ended last, the newest first.
        models: The kept models, the best first.
    """

    line: LiveLine
    view: RunView
    trials: tuple[RunningTrial, ...]
    run: LastRun | None
    rate: float | None
    failures: tuple[Attempt, ...]
    ended: tuple[EndedAttempt, ...]
    models: tuple[LiveModel, ...]


def view_of(
    line: LiveLine, run: LastRun | None, running: list[RunningTrial], now: datetime, rate: float | None
) -> RunView:
    """Return what the run would show."""
    elapsed = 0.0 if run is None else ((run.ended or now) - run.started).total_seconds()
    return RunView(
        study=line.name,
        objective=line.recipe.objective.metric,
        counts=line.counts,
        limit=line.limit,
        best=line.best,
        running=tuple(_trial(trial, line.recipe) for trial in running),
        elapsed=max(0.0, elapsed),
        remaining=_remaining(line, elapsed, rate) if line.running else None,
        status=_status(line, run, running),
    )


def _trial(trial: RunningTrial, recipe: Recipe) -> TrialView:
    params = {name: _param(value, distribution) for name, value, distribution in trial.params}
    return TrialView(trial.number, recipe.budget.epochs, params, trial.promoted, list(trial.values))


def _param(value: float, distribution: str) -> ParamValue:
    """Return the value of a parameter from Optuna's row."""
    kind = json.loads(distribution)
    if "choices" in kind["attributes"]:
        choice: ParamValue = kind["attributes"]["choices"][int(value)]
        return choice
    return int(value) if kind["name"].startswith("Int") else value


def _remaining(line: LiveLine, elapsed: float, rate: float | None) -> float | None:
    timeout = line.recipe.budget.timeout
    left = None if timeout is None else max(0.0, timeout - elapsed)
    if rate is None:
        return left
    to_do = max(0, line.limit - line.counts.ended - line.counts.paused)
    return to_do / rate if left is None else min(to_do / rate, left)


def _status(line: LiveLine, run: LastRun | None, running: list[RunningTrial]) -> str:
    """Return what the run waits for, as far as the database tells."""
    if line.running is None:
        return ""
    if line.stopping:
        return "finishing the running epochs"
    if run is None or run.ended is not None or (run.device is None and not running):
        return "starting the trainers"
    if not running and line.counts.ended + line.counts.paused >= line.limit:
        return "the search is over: refitting, testing and comparing the winner"
    return ""
