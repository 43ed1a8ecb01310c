"""What a run shows while it goes on; the command line draws it, Python users may ignore it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from tuner.records import Counts, ParamValue


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run is about to do; ``seconds`` is a rough estimate, ``timeout`` bounds it."""

    study: str
    finished: int  # trials of earlier runs
    limit: int  # trials in the whole study
    epochs: int
    workers: int
    seconds: float
    timeout: float | None


@dataclass(slots=True)
class RunningTrial:
    """A trial that trains at this moment; ``values`` is the objective after each finished epoch.

    ``promoted`` is the number of epochs after which it was paused, if it was.
    """

    number: int
    epochs: int  # how many it will train at most
    params: Mapping[str, ParamValue]
    promoted: int | None = None
    values: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class RunView:
    """A run at one moment; times in seconds, ``remaining`` is unknown until a trial has ended."""

    study: str
    objective: str
    counts: Counts
    limit: int  # trials in the whole study
    best: tuple[int, float] | None  # number and value
    running: tuple[RunningTrial, ...]
    elapsed: float
    remaining: float | None
    note: str  # what the run is doing, for people


@dataclass(frozen=True, slots=True)
class Ended:
    """One trial's end, for a line of text."""

    number: int
    outcome: str
    value: float | None
    epochs: int
    seconds: float
    reason: str | None


class Progress(Protocol):
    """Hears what a run does. Called by the coordinator's thread; must return quickly."""

    def planned(self, plan: Plan) -> None:
        """The run begins."""

    def update(self, view: RunView) -> None:
        """The run as it stands now; several times per second."""

    def ended(self, end: Ended, view: RunView) -> None:
        """A trial has ended."""


class Silent:
    """Shows nothing."""

    def planned(self, plan: Plan) -> None:
        """Show nothing."""

    def update(self, view: RunView) -> None:
        """Show nothing."""

    def ended(self, end: Ended, view: RunView) -> None:
        """Show nothing."""
