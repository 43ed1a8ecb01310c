"""The Pareto front of a study with several objectives, as a table and as a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.table import Table

from tuner.config.objectives import Objective
from tuner.report.tables import new_table
from tuner.report.text import brief, duration, join_words, metric, objective_value

if TYPE_CHECKING:
    from tuner.results.trials import TrialResult

_MILLION = 1_000_000


def front_table(front: Sequence[TrialResult], objective: Objective, title: str = "The Pareto front") -> Table:
    """Return one row per trial of the front, in the order given: its objectives and its configuration."""
    table = new_table(title)
    for name in ("trial", *objective.names):
        table.add_column(name, justify="right")
    table.add_column("configuration", overflow="fold")
    for trial in front:
        table.add_row(*cells(trial, objective), trial.label or brief(trial.all_params))
    return table


def cells(trial: TrialResult, objective: Objective) -> list[str]:
    """Return the number of a trial and the values of its objectives as text."""
    return [str(trial.number), *(objective_value(name, trial.values[name]) for name in objective.names)]


def describe_front(front: Sequence[TrialResult], objective: Objective) -> str:
    """Return one sentence about the trials of the front; empty if there is one objective or no trial.

    Args:
        front: The trials of the front, the best in the first objective first.
        objective: The objectives of the study.
    """
    if not front or not objective.several:
        return ""
    if len(front) == 1:
        names = join_words(objective.names, "or")
        return f"Trial {front[0].number} is alone on the Pareto front: no other trial is better in {names}."
    names = join_words(objective.names)
    best, other = front[0], front[-1]
    if best.values == other.values:
        return f"{len(front)} trials with the same {names} are on the Pareto front."
    ends = f"from {_describe_trial(other, objective)} to {_describe_trial(best, objective)}"
    return f"{len(front)} trials are on the Pareto front of {names}: {ends}."


def _describe_trial(trial: TrialResult, objective: Objective) -> str:
    """Return a trial as ``0.9810 with 25,450 weights (trial 3)``."""
    others = [_with_unit(name, trial.values[name]) for name in objective.also]
    return f"{metric(trial.values[objective.metric])} with {join_words(others)} (trial {trial.number})"


def _with_unit(name: str, value: float) -> str:
    """Return the value of an objective with its unit; a metric with its name."""
    if name == "parameters":
        return f"{value / _MILLION:.1f} million weights" if value >= _MILLION else f"{value:,.0f} weights"
    if name == "seconds":
        return f"{duration(value)} of training"
    text = objective_value(name, value)
    return f"{text} ms" if name == "latency_ms" else f"a {name} of {text}"
