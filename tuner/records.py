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
    INTERRUPTED = "interrupted"  # given back to the queue, not a result
    PAUSED = "paused"  # at a rung; it goes on if it is promoted


@dataclass(frozen=True, slots=True)
class Counts:
    """Trials of a study by state."""

    complete: int
    pruned: int
    failed: int
    running: int
    waiting: int
    paused: int = 0
    refused: int = 0  # never trained: too large

    @property
    def ended(self) -> int:
        """Trials that were tried and have a result for good."""
        return self.complete + self.pruned + self.failed

    @property
    def total(self) -> int:
        """All trials that there are."""
        return self.ended + self.running + self.waiting + self.paused + self.refused
