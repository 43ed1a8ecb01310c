"""Decides whether a trial gets another attempt, and when lost workers end the run."""

from __future__ import annotations

import time
from collections import Counter

from tuner.errors import RunError
from tuner.events import OUT_OF_MEMORY, WorkerLost
from tuner.search.study_state import StudyState

LOST_AT_START = 5  # workers in a row that may die without a job before one is ready


class AttemptLimits:
    """Counts lost workers, and says what follows.

    Args:
        retries: Further attempts at a trial whose worker was lost.
        trial_timeout: Seconds that one attempt may take; ``None`` sets no limit.
        state: The running attempts.
    """

    def __init__(self, *, retries: int, trial_timeout: float | None, state: StudyState) -> None:
        self._retries = retries
        self._timeout = trial_timeout
        self._state = state
        self._lost: Counter[int] = Counter()  # by trial
        self._lost_at_start = 0

    @property
    def timeout_reason(self) -> str:
        """Why a trial fails that took too long."""
        return f"timed out after {self._timeout:g} s"

    def time_out(self) -> list[int]:
        """Mark the attempts that have taken too long; returns their trials, each of them only once."""
        if self._timeout is None:
            return []
        latest_start = time.monotonic() - self._timeout
        late = [
            number
            for number, attempt in self._state.attempts.items()
            if number in self._state.running and not attempt.timed_out and attempt.began < latest_start
        ]
        for number in late:
            self._state.mark_timed_out(number)
        return late

    def reason_to_fail(self, event: WorkerLost, number: int, *, timed_out: bool) -> str | None:
        """Return why a trial fails whose worker was lost, or ``None`` if it gets another attempt.

        A trial that ran out of memory or took too long would do so again, so it fails at once.
        """
        self._lost[number] += 1
        if timed_out:
            return self.timeout_reason
        if event.reason == OUT_OF_MEMORY:
            return OUT_OF_MEMORY
        if self._lost[number] > self._retries:
            return f"trainer {event.reason}" + (f", {self._lost[number]} times" if self._retries else "")
        return None

    def worker_ready(self) -> None:
        """Reset the count of workers that died without a job: one can start."""
        self._lost_at_start = 0

    def worker_lost(self, reason: str) -> None:
        """Count a worker that died without a job.

        Raises:
            RunError: If too many did since the last one was ready.
        """
        self._lost_at_start += 1
        if self._lost_at_start >= LOST_AT_START:
            raise RunError(
                f"no trainer can start: the process was lost ({reason})",
                hint="see why: write `tuner --debug study start`",
            )
