"""Repeat a call that failed because the database or the artifacts were away, so that a run survives an outage."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from typing import TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception, wait_exponential

from tuner_storage.faults import explain, is_transient
from tuner_storage.location import Location

Result = TypeVar("Result")

MAX_WAIT = 60.0  # seconds that a run waits for its database
_GROWING = wait_exponential(multiplier=0.1, max=5.0)  # seconds

_log = logging.getLogger(__name__)


class Retry:
    """Repeats calls that fail with a transient error of the database or of the artifact store.

    A call must be one transaction, or harmless to repeat: a transaction that raises was not written.

    Args:
        location: The database, named in the warning.

    Attributes:
        max_wait: Seconds to keep trying after the first failure. With 0, a call fails at once, as commands that only
            read should.
        guard: Called before each new try. It raises if this run may no longer write, for example because another run
            took the study over during the outage.
    """

    def __init__(self, location: Location) -> None:
        self._location = location
        self._busy = False
        self.max_wait = 0.0
        self.guard: Callable[[], object] = lambda: None

    def __call__(self, call: Callable[[], Result]) -> Result:
        """Return the result of ``call``. If calls are nested, only the outermost is repeated.

        Raises:
            Exception: The last error of ``call``, if it is not transient or the time is over.
        """
        if not self.max_wait or self._busy:
            return call()
        self._busy = True
        try:
            return self._persist(call)
        finally:
            self._busy = False

    def _persist(self, call: Callable[[], Result]) -> Result:
        tries = Retrying(
            retry=retry_if_exception(is_transient),
            stop=_StopAfterFirstFailure(self.max_wait),
            wait=_jittered_pause,
            before_sleep=self._warn_once,
            reraise=True,
        )
        for attempt in tries:
            with attempt:
                if attempt.retry_state.attempt_number > 1:
                    self.guard()
                return call()
        raise AssertionError("Retrying ends with a result or an error")

    def _warn_once(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome is not None else None
        if state.attempt_number == 1 and error is not None:
            _log.warning("%s; trying again for %.0f s", explain(self._location, error), self.max_wait)


class _StopAfterFirstFailure:
    """Stops ``max_wait`` seconds after the first failure.

    Tenacity's ``stop_after_delay`` counts from the start of the first call. That call may already have waited for
    SQLite's lock for a minute, and would then never be repeated.
    """

    def __init__(self, max_wait: float) -> None:
        self._max_wait = max_wait
        self._deadline: float | None = None

    def __call__(self, _state: RetryCallState) -> bool:
        now = time.monotonic()
        if self._deadline is None:
            self._deadline = now + self._max_wait
        return now >= self._deadline


def _jittered_pause(state: RetryCallState) -> float:
    """Return growing seconds with a random factor, so that several runs do not all come back at the same moment."""
    return _GROWING(state) * random.uniform(0.5, 1.5)  # noqa: S311 - no secret
