"""Curves of the best value over time: of one search, of the mean over seeds, and the time when one reaches another."""

from __future__ import annotations

import bisect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

METRICS = {"val_accuracy": max, "val_loss": min}  # returns the better of two values

Steps = list[tuple[float, float]]  # seconds, and the best value from then on


@dataclass(frozen=True)
class Point:
    """The validation metrics of one finished epoch; ``seconds`` is the time since the search's process was started."""

    seconds: float
    trial: int
    epoch: int
    val_accuracy: float
    val_loss: float

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> Self:
        """Build a point from a mapping, which may have further keys.

        Accuracies are shares of thousands of rows. Some have 32 bits and some 64, so they are rounded: equal accuracies
        compare as equal.
        """
        accuracy = round(values["val_accuracy"], 6)
        return cls(values["seconds"], values["trial"], values["epoch"], accuracy, values["val_loss"])


@dataclass(frozen=True)
class Run:
    """One contestant's search with one seed; ``about`` has the conditions: budget in seconds, rows, versions."""

    contestant: str
    seed: int
    about: dict[str, Any]
    points: list[Point]

    @property
    def trials(self) -> int:
        """The number of trials with at least one epoch."""
        return len({point.trial for point in self.points})

    def best(self, metric: str) -> Steps:
        """Return the best value so far, with the time of each change."""
        better = METRICS[metric]
        steps: Steps = []
        for point in self.points:
            value = getattr(point, metric)
            if not steps or (value != steps[-1][1] and better(value, steps[-1][1]) == value):
                steps.append((point.seconds, value))
        return steps


def value_at(steps: Steps, seconds: float) -> float | None:
    """Return the value after so many seconds; ``None`` before the first value."""
    i = bisect.bisect_right(steps, seconds, key=lambda step: step[0])
    return steps[i - 1][1] if i else None


def reached(steps: Steps, value: float, metric: str) -> float | None:
    """Return the seconds after which ``steps`` are at least as good as ``value``; ``None`` if they never are."""
    tiny = 1e-9  # means of equal numbers may differ in their last bit
    for seconds, best in steps:
        if METRICS[metric](best, value) == best or abs(best - value) < tiny:
            return seconds
    return None


def mean(runs: Sequence[Steps]) -> Steps:
    """Return the mean of several curves, from the time when all of them have a value."""
    return [(seconds, sum(values) / len(values)) for seconds, values in _together(runs)]


def envelope(runs: Sequence[Steps]) -> list[tuple[float, float, float]]:
    """Return the lowest and the highest value of several curves, from the time when all of them have a value."""
    return [(seconds, min(values), max(values)) for seconds, values in _together(runs)]


def _together(runs: Sequence[Steps]) -> list[tuple[float, list[float]]]:
    times = sorted({seconds for steps in runs for seconds, _ in steps})
    rows = [(seconds, [value_at(steps, seconds) for steps in runs]) for seconds in times]
    return [(seconds, [v for v in values if v is not None]) for seconds, values in rows if None not in values]


def summarise(runs: Sequence[Run], ours: str) -> list[dict[str, Any]]:
    """Return a row for each run, and a row for each contestant's mean over the seeds that all contestants have.

    ``peer`` is the final accuracy of the better peer with the same seed. ``to_peer`` is the number of seconds after
    which a run was at least as accurate, and ``share`` is that time as a share of the budget. The rows of means are
    computed from the mean curves.
    """
    by = {(run.contestant, run.seed): run for run in runs}
    names = list(dict.fromkeys(run.contestant for run in runs))
    seeds = sorted({seed for _, seed in by})
    rows = []
    for seed in seeds:
        present = {name: [by[name, seed]] for name in names if (name, seed) in by}
        rows += _rows(present, seed, ours)
    shared = [seed for seed in seeds if all((name, seed) in by for name in names)]
    if len(shared) > 1:
        rows += _rows({name: [by[name, seed] for seed in shared] for name in names}, "mean", ours)
    return rows


def _rows(runs: Mapping[str, Sequence[Run]], label: int | str, ours: str) -> list[dict[str, Any]]:
    """Return a row for each contestant. The runs have one seed in common, or the same several seeds."""
    accuracy = {name: mean([run.best("val_accuracy") for run in group]) for name, group in runs.items()}
    loss = {name: mean([run.best("val_loss") for run in group]) for name, group in runs.items()}
    target = max((steps[-1][1] for name, steps in accuracy.items() if name != ours and steps), default=None)
    rows = []
    for name, group in runs.items():
        seconds = None if target is None else reached(accuracy[name], target, "val_accuracy")
        rows.append(
            {
                "contestant": name,
                "seed": label,
                "trials": sum(run.trials for run in group) / len(group),
                "epochs": sum(len(run.points) for run in group) / len(group),
                "val_accuracy": accuracy[name][-1][1] if accuracy[name] else None,
                "val_loss": loss[name][-1][1] if loss[name] else None,
                "peer": target,
                "to_peer": seconds,
                "share": None if seconds is None else seconds / group[0].about["budget"],
            }
        )
    return rows
