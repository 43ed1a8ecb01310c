"""The trials that trainers work on, and which of them get another attempt."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field

from tuner.errors import RunError
from tuner.jobs import OUT_OF_MEMORY, TrainerLost, TrialSpec
from tuner.run.progress import RunningTrial

FAILURES_IN_A_ROW = 5
LOST_AT_START = 5  # trainers in a row that may die without a job before one is ready


@dataclass(slots=True)
class Active:
    """A trial that a trainer works on.

    ``ended`` once its result is written and only the trainer goes on; ``overdue`` once it was killed for its time;
    ``paused`` after how many epochs it was told to pause.
    """

    asked: TrialSpec
    shown: RunningTrial
    began: float = field(default_factory=time.monotonic)
    ended: bool = False
    overdue: bool = False
    paused: int | None = None


class Attempts:
    """Keeps count of what is running and of what went wrong.

    Args:
        study: Its name, for people.
        retries: Further attempts at a trial whose trainer was lost.
        trial_timeout: Seconds that an attempt may take; ``None`` sets no limit.

    Attributes:
        active: The running trials by number.
        waiting: Trials whose trainer was lost; they are tried again before any new one.
    """

    def __init__(self, study: str, *, retries: int, trial_timeout: float | None) -> None:
        self._study = study
        self._retries = retries
        self._timeout = trial_timeout
        self._lost: Counter[int | None] = Counter()
        self._failures: list[str] = []
        self.active: dict[int, Active] = {}
        self.waiting: list[TrialSpec] = []

    def overdue(self) -> list[int]:
        """Return the trials that have just used up their time; each is named once."""
        if self._timeout is None:
            return []
        late = [each for each in self.active.values() if not each.ended and not each.overdue]
        late = [each for each in late if time.monotonic() - each.began > self._timeout]
        for each in late:
            each.overdue = True
        return [each.asked.number for each in late]

    def lost(self, active: Active, event: TrainerLost) -> str | None:
        """Return why the trial of a lost trainer fails, or ``None`` where it is to be tried again.

        What ran out of memory would do so again, and what took too long too.
        """
        number = active.asked.number
        self._lost[number] += 1
        if active.overdue:
            return self.timed_out
        if event.reason == OUT_OF_MEMORY:
            return OUT_OF_MEMORY
        if self._lost[number] > self._retries:
            return f"trainer {event.reason}" + (f", {self._lost[number]} times" if self._retries else "")
        self.waiting.append(active.asked)
        return None

    @property
    def timed_out(self) -> str:
        """The reason of a trial that took too long."""
        return f"timed out after {self._timeout:g} s"

    def ready(self) -> None:
        """Begin to count trainers that die without a job anew: one can start."""
        self._lost.pop(None, None)

    def lost_without_job(self, reason: str) -> None:
        """Count a trainer that died without a job.

        Raises:
            RunError: If that happened too often since the last one was ready.
        """
        self._lost[None] += 1
        if self._lost[None] >= LOST_AT_START:
            raise RunError(f"no trainer can start: the process {reason}", hint="see why with --debug")

    def succeeded(self) -> None:
        """Begin to count failures in a row anew."""
        self._failures.clear()

    def failed(self, reason: str) -> None:
        """Count a trial that failed.

        Raises:
            RunError: If that is one too many in a row.
        """
        self._failures.append(reason)
        if len(self._failures) >= FAILURES_IN_A_ROW:
            reason, _ = Counter(self._failures).most_common(1)[0]
            raise RunError(
                f"{FAILURES_IN_A_ROW} trials failed in a row, most often with: {reason}",
                hint=f"see each one: tuner study trials {self._study}",
            )
