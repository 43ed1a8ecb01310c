"""Ctrl-C, SIGTERM and a closed terminal as a wish that the run hears between two turns of its loop."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_REASONS = {signal.SIGINT: "interrupt", signal.SIGTERM: "terminate"}
if hasattr(signal, "SIGHUP"):  # the terminal was closed
    _REASONS[signal.SIGHUP] = "hangup"


def ignore_signals() -> None:
    """Hear none of them: they reach the whole group or service, and the coordinator alone decides what they mean."""
    for number in _REASONS:
        signal.signal(number, signal.SIG_IGN)


class StopWish:
    """Why somebody wants the run to end, once somebody does: ``interrupt``, ``terminate`` or ``hangup``."""

    reason: str | None = None

    def __call__(self) -> str | None:
        """Return the reason."""
        return self.reason


@contextmanager
def stop_on_signals() -> Iterator[StopWish]:
    """Catch the first SIGINT, SIGTERM or SIGHUP; the second ends the program at once with ``KeyboardInterrupt``.

    Outside the main thread Python delivers no signals, and nothing is caught.
    """
    wish = StopWish()
    if threading.current_thread() is not threading.main_thread():
        yield wish
        return

    def hear(number: int, _frame: FrameType | None) -> None:
        if wish.reason is not None:
            raise KeyboardInterrupt
        wish.reason = _REASONS[signal.Signals(number)]

    before = {number: signal.signal(number, hear) for number in _REASONS}
    try:
        yield wish
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
