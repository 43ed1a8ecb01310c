"""What a run shows while it runs. The command line draws it; Python users may ignore it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from tuner.records import Counts, ParamValue


@dataclass(frozen=True, slots=True)
class DiskSpace:
    """The disk of a study's models and checkpoints. ``needed`` is an upper estimate of their size.

    Both numbers are bytes. ``available`` includes the space that the files of the study have already.
    """

    folder: Path
    needed: int
    available: int

    @property
    def is_short(self) -> bool:
        """Whether the disk may become full."""
        return self.needed > self.available


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run is about to do. ``seconds`` is a rough estimate, bounded by ``timeout``."""

    study: str
    finished: int  # trials of earlier runs
    limit: int  # trials in the whole study
    epochs: int
    workers: int
    seconds: float
    timeout: float | None
    disk: DiskSpace
    whole_grid: bool = False  # the trials are all configurations that there are
    remarks: tuple[str, ...] = ()  # what the recipe does that its author may not expect


@dataclass(slots=True)
class TrialView:
    """A trial that is training now. ``values`` holds the objective after each finished epoch.

    ``promoted`` is the number of epochs after which the trial was paused before, if it was.
    """

    number: int
    epochs: int  # at most
    params: Mapping[str, ParamValue]
    promoted: int | None = None
    values: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class RunView:
    """A run at one moment. Times are in seconds; ``remaining`` is ``None`` if there is no estimate yet."""

    study: str
    objective: str
    counts: Counts
    limit: int  # trials in the whole study
    best: tuple[int, float] | None  # number and value
    running: tuple[TrialView, ...]
    elapsed: float
    remaining: float | None
    status: str  # what the run is doing, for people


@dataclass(frozen=True, slots=True)
class Ended:
    """The end of one trial, for a line of text."""

    number: int
    outcome: str
    value: float | None
    epochs: int
    seconds: float
    reason: str | None


class Progress(Protocol):
    """Receives the progress of a run. Its methods are called in the coordinator's thread and must return quickly."""

    def planned(self, plan: Plan) -> None:
        """Receive the plan when the run begins."""

    def update(self, view: RunView) -> None:
        """Receive the current view, several times per second."""

    def ended(self, end: Ended, view: RunView) -> None:
        """Receive the end of a trial."""


class Silent:
    """Shows nothing."""

    def planned(self, plan: Plan) -> None:
        """Show nothing."""

    def update(self, view: RunView) -> None:
        """Show nothing."""

    def ended(self, end: Ended, view: RunView) -> None:
        """Show nothing."""
