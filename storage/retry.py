"""A run outlives a database that is away for a while: what failed for that reason alone is done again."""

from __future__ import annotations

import functools
import logging
import random
import time
from collections.abc import Callable
from typing import TypeVar

from storage.faults import explain, is_transient
from storage.location import Location

Result = TypeVar("Result")

PATIENCE = 60.0  # seconds that a run waits for its database
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0

_log = logging.getLogger(__name__)


class Retry:
    """Calls again what the database refused for a passing reason, while a run has asked for it.

    A call must be one transaction, or harmless to repeat: a transaction that raises was not written.

    Args:
        location: Named in the warning.

    Attributes:
        patience: Seconds to go on after the first failure; 0 fails at once, as the verbs that only look should.
        guard: Called before each new try: whoever was away for long may have lost the right to write.
    """

    def __init__(self, location: Location) -> None:
        self._location = location
        self._busy = False
        self.patience = 0.0
        self.guard: Callable[[], object] = lambda: None

    def __call__(self, call: Callable[[], Result]) -> Result:
        """Return what ``call`` returns.

        Raises:
            Exception: What ``call`` raised, when that does not pass, or did not in time.
        """
        if not self.patience or self._busy:  # of calls in calls the outermost is repeated
            return call()
        self._busy = True
        try:
            return self._persist(call)
        finally:
            self._busy = False

    def _persist(self, call: Callable[[], Result]) -> Result:
        attempt: Callable[[], Result] = call
        deadline, pause = None, _FIRST_PAUSE
        while True:
            try:
                return attempt()
            except Exception as error:
                now = time.monotonic()
                if deadline is None:
                    deadline = now + self.patience
                    if is_transient(error):
                        _log.warning("%s; trying again for %.0f s", explain(self._location, error), self.patience)
                if not is_transient(error) or now >= deadline:
                    raise
            time.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - no secret; so that runs do not come all at once
            pause = min(2 * pause, _LONGEST_PAUSE)
            attempt = functools.partial(self._guarded, call)

    def _guarded(self, call: Callable[[], Result]) -> Result:
        self.guard()
        return call()
