"""Adds up where the seconds of a run go, for the trainers and for the coordinator."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tuner.clock import Clock
from tuner.events import TrialEnd

TRAINER_PHASES = (
    "import",
    "build",
    "trace",
    "compile",
    "train",
    "validate",
    "checkpoint",
    "save",
    "test",
    "other",
    "idle",
)
COORDINATOR_PHASES = ("ask", "storage", "display", "dashboard", "waiting")


class Timing:
    """Adds up the phases that the coordinator sees while it runs.

    Args:
        slots: How many trials can run at the same time.

    Attributes:
        slots: The same; if the number changes, the largest one.
        coordinator: The coordinator's own clock: ``ask``, ``storage``, ``display``, ``dashboard``.
    """

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self._began = time.monotonic()
        self._trainers = Clock()
        self._traced = self._reused = 0
        self._ready = 0
        self.coordinator = Clock()

    def ready(self) -> None:
        """Count the time until a trainer was ready as ``import``. For a replaced worker this time counts as idle."""
        if self._ready < self.slots:
            self._ready += 1
            self._trainers.seconds["import"] += time.monotonic() - self._began

    def trial(self, end: TrialEnd) -> None:
        """Add the phases of a trial, whatever its outcome."""
        for phase, seconds in end.phases.items():
            self._trainers.seconds[phase] += seconds
        self._trainers.seconds["other"] += max(0.0, end.seconds - sum(end.phases.values()))
        self._traced += end.traced
        self._reused += bool(end.phases) and not end.traced

    def test(self, seconds: float) -> None:
        """Add the time of a final job: a refit or an evaluation on the test split."""
        self._trainers.seconds["test"] += seconds

    def as_json(self) -> dict[str, Any]:
        """Return the sums so far.

        The phases of the trainers add up to ``wall * slots``, those of the coordinator to ``wall``.
        """
        wall = time.monotonic() - self._began
        trainers, coordinator = dict(self._trainers.seconds), dict(self.coordinator.seconds)
        trainers["idle"] = max(0.0, wall * self.slots - sum(trainers.values()))
        coordinator["waiting"] = max(0.0, wall - sum(coordinator.values()))
        return {
            "wall": round(wall, 3),
            "slots": self.slots,
            "trainers": _ordered(trainers, TRAINER_PHASES),
            "coordinator": _ordered(coordinator, COORDINATOR_PHASES),
            "programs": {"traced": self._traced, "reused": self._reused},
        }


def total(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the sum of several results of :meth:`Timing.as_json`; ``slots`` is their largest number of slots."""

    def summed(key: str, names: Iterable[str]) -> dict[str, Any]:
        return {name: round(sum(run[key].get(name, 0) for run in runs), 3) for name in names}

    return {
        "wall": round(sum(run["wall"] for run in runs), 3),
        "slots": max((run["slots"] for run in runs), default=0),
        "trainers": summed("trainers", TRAINER_PHASES),
        "coordinator": summed("coordinator", COORDINATOR_PHASES),
        "programs": summed("programs", ("traced", "reused")),
    }


def _ordered(seconds: Mapping[str, float], names: Iterable[str]) -> dict[str, float]:
    return {name: round(seconds.get(name, 0.0), 3) for name in names}
