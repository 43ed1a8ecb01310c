"""Repeats a costly update while a run goes on, so that it takes at most a small share of the time."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable

EVERY = 20.0  # seconds between two updates, at least
SHARE = 0.01  # of the time, at most


class Upkeep:
    """Calls an update now and then.

    Args:
        update: What is called. It takes seconds in a study of thousands of trials.
        state: Returns what the update depends on; it is called only if the last update was long enough ago.
    """

    def __init__(self, update: Callable[[], None], state: Callable[[], Hashable]) -> None:
        self.update = update
        self._state = state
        self._seen = state()
        self._next = time.monotonic() + EVERY

    def __call__(self) -> None:
        """Call the update if it is due and something has changed."""
        if time.monotonic() < self._next:
            return
        began, state = time.monotonic(), self._state()
        if state != self._seen:
            self._seen = state
            self.update()
        self._next = began + max(EVERY, (time.monotonic() - began) / SHARE)
