"""The Pareto front of a study with several objectives: as a table, a sentence and JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from tuner.config.objectives import Objective
from tuner.report.tables import new_table
from tuner.report.text import brief, duration, metric, shown

if TYPE_CHECKING:
    from tuner.results.trials import TrialResult

_MILLION = 1_000_000


def front_table(front: Sequence[TrialResult], objective: Objective, title: str = "The Pareto front") -> Table:
    """Return one row per trial on the front, in the order given: its objectives and its configuration."""
    table = new_table(title)
    for name in ("trial", *objective.names):
        table.add_column(name, justify="right")
    table.add_column("configuration", overflow="fold")
    for trial in front:
        table.add_row(*cells(trial, objective), Text(trial.label or brief(trial.all_params)))
    return table


def cells(trial: TrialResult, objective: Objective) -> list[str]:
    """Return the number of a trial and its objectives, each as people read it."""
    return [str(trial.number), *(shown(name, trial.values[name]) for name in objective.names)]


def describe_front(front: Sequence[TrialResult], objective: Objective) -> str:
    """Say what there is to choose from; nothing where there is one objective or no trial."""
    if not front or not objective.several:
        return ""
    names = _and(objective.names)
    if len(front) == 1:
        return f"Trial {front[0].number} is alone on the Pareto front: no other is better in any of {names}."
    best, other = front[0], front[-1]
    if best.values == other.values:
        return f"{len(front)} trials with the same {names} are the Pareto front."
    ends = f"from {_told(other, objective)} to {_told(best, objective)}"
    return f"{len(front)} trials are on the Pareto front of {names}: {ends}."


def _told(trial: TrialResult, objective: Objective) -> str:
    """Return a trial as ``0.9810 with 25,450 weights``."""
    others = [_in_words(name, trial.values[name]) for name in objective.also]
    return f"{metric(trial.values[objective.metric])} with {_and(others)} (trial {trial.number})"


def _in_words(name: str, value: float) -> str:
    if name == "parameters":
        return f"{value / _MILLION:.1f} million weights" if value >= _MILLION else f"{value:,.0f} weights"
    if name == "seconds":
        return f"{duration(value)} of training"
    return f"{shown(name, value)} ms" if name == "latency_ms" else f"a {name} of {shown(name, value)}"


def _and(words: Sequence[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
