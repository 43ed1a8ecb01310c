"""Limits how often a password can be guessed."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable

FREE = 5  # wrong attempts after which the next one has to wait
LONGEST_WAIT = 60.0  # seconds


class Attempts:
    """Counts wrong attempts since the last right one, of all clients together.

    Behind a proxy, all clients have one address, and an attacker can have many. The price: during an attack, nobody
    can log in. Sessions go on.

    Args:
        clock: Returns seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._wrong = 0
        self._next = -math.inf

    def check(self, is_right: Callable[[], bool]) -> tuple[bool, int]:
        """Make an attempt if one is allowed now.

        Args:
            is_right: Makes the attempt.

        Returns:
            Whether it succeeded, and after how many seconds the next one is allowed.
        """
        with self._lock:  # attempts at the same time would otherwise all count as the first
            wait = self._next - self._clock()
            if wait > 0:
                return False, math.ceil(wait)
            if is_right():
                self._wrong = 0
                return True, 0
            self._wrong += 1
            wait = min(2.0 ** (self._wrong - FREE), LONGEST_WAIT) if self._wrong >= FREE else 0.0
            self._next = self._clock() + wait
            return False, math.ceil(wait)
