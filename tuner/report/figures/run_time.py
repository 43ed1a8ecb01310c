"""The time that the runs of a study took, and when its best value improved in that time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from tuner_storage.copies import Attempt
from tuner_storage.runs import RunRecord
from tuner_storage.tables import utc_now

from tuner.config.recipe import Recipe
from tuner.records import Outcome
from tuner.results.trials import TrialResult, ranked

Spans = Sequence[tuple[datetime, datetime]]  # when each run began and ended, in UTC


def ended_at(attempts: Sequence[Attempt]) -> dict[int, datetime]:
    """Return when each complete trial ended, in UTC, by its number."""
    return {row.number: row.ended for row in attempts if row.outcome == Outcome.COMPLETE and row.ended is not None}


def spans_of(runs: Sequence[RunRecord], ended: Mapping[int, datetime]) -> Spans:
    """Return when each run began and ended. A run that was killed ended with its last complete trial."""
    spans = []
    for index, run in enumerate(runs):
        end = run.ended or utc_now()
        if run.ended is None and index + 1 < len(runs):
            during = [moment for moment in ended.values() if run.started <= moment <= runs[index + 1].started]
            end = max(during, default=run.started)
        spans.append((run.started, end))
    return spans


def minutes_until(moment: datetime, spans: Spans) -> float:
    """Return how many minutes of the runs had passed at a moment; the time between runs does not count."""
    seconds = sum(max(0.0, (min(end, moment) - begin).total_seconds()) for begin, end in spans)
    return round(seconds / 60, 3)


def improvements_in_time(
    recipe: Recipe, trials: Sequence[TrialResult], ended: Mapping[int, datetime], spans: Spans
) -> list[tuple[float, TrialResult]]:
    """Return each trial that was better than all before it, with the minutes of the runs that had passed at its end."""
    sign = -1 if recipe.objective.maximize else 1
    done = sorted(
        (trial for trial in ranked(list(trials), recipe) if trial.number in ended),
        key=lambda trial: ended[trial.number],
    )
    steps: list[TrialResult] = []
    for trial in done:
        if not steps or sign * (trial.value or 0.0) < sign * (steps[-1].value or 0.0):
            steps.append(trial)
    return [(minutes_until(ended[trial.number], spans), trial) for trial in steps]
