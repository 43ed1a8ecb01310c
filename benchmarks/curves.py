"""What searches had found at each moment: their curves, the means over seeds, and when one reaches another."""

from __future__ import annotations

import bisect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

METRICS = {"val_accuracy": max, "val_loss": min}  # what is better of two

Steps = list[tuple[float, float]]  # seconds and the best value from then on


@dataclass(frozen=True)
class Point:
    """The validation metrics of one finished epoch; ``seconds`` is the time since the search's process was started."""

    seconds: float
    trial: int
    epoch: int
    val_accuracy: float
    val_loss: float

    @classmethod
    def read(cls, found: Mapping[str, Any]) -> Self:
        """Build from a mapping that may hold more.

        Accuracies are shares of thousands of rows, in 32 bits here and 64 there: rounded, so that equals are equal.
        """
        accuracy = round(found["val_accuracy"], 6)
        return cls(found["seconds"], found["trial"], found["epoch"], accuracy, found["val_loss"])


@dataclass(frozen=True)
class Run:
    """One contestant's search with one seed; ``about`` is what was measured: budget in seconds, rows, versions."""

    contestant: str
    seed: int
    about: dict[str, Any]
    points: list[Point]

    @property
    def trials(self) -> int:
        """Trials with at least one epoch."""
        return len({point.trial for point in self.points})

    def best(self, metric: str) -> Steps:
        """Return the best value so far, at each moment at which it changed."""
        better = METRICS[metric]
        steps: Steps = []
        for point in self.points:
            value = getattr(point, metric)
            if not steps or (value != steps[-1][1] and better(value, steps[-1][1]) == value):
                steps.append((point.seconds, value))
        return steps


def value_at(steps: Steps, seconds: float) -> float | None:
    """Return the value at a moment; ``None`` before the first."""
    i = bisect.bisect_right(steps, seconds, key=lambda step: step[0])
    return steps[i - 1][1] if i else None


def reached(steps: Steps, value: float, metric: str) -> float | None:
    """Return the seconds after which ``steps`` are at least as good as ``value``; ``None`` if they never are."""
    tiny = 1e-9  # means of equal numbers may differ in their last bit
    for seconds, found in steps:
        if METRICS[metric](found, value) == found or abs(found - value) < tiny:
            return seconds
    return None


def mean(runs: Sequence[Steps]) -> Steps:
    """Return the mean of several curves, from the moment at which all have a value."""
    return [(seconds, sum(values) / len(values)) for seconds, values in _together(runs)]


def envelope(runs: Sequence[Steps]) -> list[tuple[float, float, float]]:
    """Return the lowest and the highest of several curves, from the moment at which all have a value."""
    return [(seconds, min(values), max(values)) for seconds, values in _together(runs)]


def _together(runs: Sequence[Steps]) -> list[tuple[float, list[float]]]:
    moments = sorted({seconds for steps in runs for seconds, _ in steps})
    rows = [(seconds, [value_at(steps, seconds) for steps in runs]) for seconds in moments]
    return [(seconds, [v for v in values if v is not None]) for seconds, values in rows if None not in values]


def summarise(runs: Sequence[Run], ours: str) -> list[dict[str, Any]]:
    """Return a row for each run, and for each contestant's mean over the seeds that all contestants have.

    ``peer`` is how accurate the better peer with the same seed was at the end, ``to_peer`` the seconds after which a
    run was at least as accurate, and ``share`` that time as a share of the budget. For means, the mean curves count.
    """
    by = {(run.contestant, run.seed): run for run in runs}
    names = list(dict.fromkeys(run.contestant for run in runs))
    seeds = sorted({seed for _, seed in by})
    rows = []
    for seed in seeds:
        there = {name: [by[name, seed]] for name in names if (name, seed) in by}
        rows += _rows(there, seed, ours)
    shared = [seed for seed in seeds if all((name, seed) in by for name in names)]
    if len(shared) > 1:
        rows += _rows({name: [by[name, seed] for seed in shared] for name in names}, "mean", ours)
    return rows


def _rows(runs: Mapping[str, Sequence[Run]], label: int | str, ours: str) -> list[dict[str, Any]]:
    """Return a row for each contestant, all with the same seed or all the mean of the same seeds."""
    accuracy = {name: mean([run.best("val_accuracy") for run in each]) for name, each in runs.items()}
    loss = {name: mean([run.best("val_loss") for run in each]) for name, each in runs.items()}
    target = max((steps[-1][1] for name, steps in accuracy.items() if name != ours and steps), default=None)
    rows = []
    for name, each in runs.items():
        seconds = None if target is None else reached(accuracy[name], target, "val_accuracy")
        rows.append(
            {
                "contestant": name,
                "seed": label,
                "trials": sum(run.trials for run in each) / len(each),
                "epochs": sum(len(run.points) for run in each) / len(each),
                "val_accuracy": accuracy[name][-1][1] if accuracy[name] else None,
                "val_loss": loss[name][-1][1] if loss[name] else None,
                "peer": target,
                "to_peer": seconds,
                "share": None if seconds is None else seconds / each[0].about["budget"],
            }
        )
    return rows
