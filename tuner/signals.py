"""Turns Ctrl-C, SIGTERM and a closed terminal into a request to stop, which the run checks in its loop."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_REASONS = {signal.SIGINT: "interrupt", signal.SIGTERM: "terminate"}
if hasattr(signal, "SIGHUP"):  # the terminal was closed
    _REASONS[signal.SIGHUP] = "hangup"


def stop_signals() -> set[signal.Signals]:
    """Return the signals that request a stop."""
    return set(_REASONS)


def ignore_signals() -> None:
    """Ignore stop signals. They reach all processes of a group, but only the coordinator decides what to do."""
    for number in _REASONS:
        signal.signal(number, signal.SIG_IGN)


class StopRequest:
    """The reason to stop: ``interrupt``, ``terminate`` or ``hangup``; ``None`` before the first signal."""

    reason: str | None = None

    def __call__(self) -> str | None:
        """Return the reason."""
        return self.reason


@contextmanager
def stop_on_signals() -> Iterator[StopRequest]:
    """Record the first SIGINT, SIGTERM or SIGHUP. The second one raises ``KeyboardInterrupt``.

    A signal that was ignored when the process began stays ignored, as ``nohup`` and background jobs of a shell expect.
    Outside the main thread, Python delivers no signals, so the request stays empty.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return

    def handle(number: int, _frame: FrameType | None) -> None:
        if request.reason is not None:
            raise KeyboardInterrupt
        request.reason = _REASONS[signal.Signals(number)]

    heard = [number for number in _REASONS if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, handle) for number in heard}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
