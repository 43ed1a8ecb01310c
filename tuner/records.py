"""Basic vocabulary: parameter values, metrics, outcomes and counts of trials."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass

ParamValue = bool | int | float | str
Params = Mapping[str, ParamValue]
Metrics = Mapping[str, float]


class Outcome(enum.StrEnum):
    """How one attempt at a trial ended."""

    COMPLETE = "complete"
    PRUNED = "pruned"
    FAILED = "failed"
    INTERRUPTED = "interrupted"  # no result; the trial waits again
    PAUSED = "paused"  # at a rung; the trial continues if it is promoted


@dataclass(frozen=True, slots=True)
class Counts:
    """Trials of a study by state."""

    complete: int
    pruned: int
    failed: int
    running: int
    waiting: int
    paused: int = 0
    refused: int = 0  # never trained because the model is too large

    @property
    def ended(self) -> int:
        """Trials with a final result."""
        return self.complete + self.pruned + self.failed

    @property
    def total(self) -> int:
        """All trials, refused ones included."""
        return self.ended + self.running + self.waiting + self.paused + self.refused
