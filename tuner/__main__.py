"""The ``tuner`` command and ``python -m tuner``. Ctrl-C ends it at every moment with one line and exit code 130.

Python raises ``KeyboardInterrupt`` wherever it is. In the middle of an import, libraries turn it into other errors. So
Ctrl-C waits for the end of an import, at most a second, and then ends the process. Before the command begins and after
it has ended, there is nothing to clean up, and the process ends at once.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import suppress
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable
    from sys import UnraisableHookArgs

INTERRUPTED = 130
_STDERR = 2
_PATIENCE = 1.0  # seconds that Ctrl-C waits for the end of an import


def main() -> None:
    """Run the command, and end the process with its exit code."""
    _on_interrupt(_leave)
    sys.unraisablehook = _not_raised
    os.environ["PYTHONSAFEPATH"] = "1"  # libraries that start Python do not run files of the current folder either
    from tuner.cli.main import main as command

    interrupt = _Interrupt()
    signal.signal(signal.SIGALRM, interrupt.again)
    try:
        _on_interrupt(interrupt)  # from here on, commands can clean up
        command()
    except KeyboardInterrupt:
        _leave()
    finally:
        _on_interrupt(_leave)


def _on_interrupt(handler: Callable[[int, FrameType | None], object]) -> None:
    """Set the handler of Ctrl-C, unless a shell made us ignore it, as for `tuner … &` in a script."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, handler)


class _Interrupt:
    """The handler of Ctrl-C while a command runs."""

    def __init__(self) -> None:
        self._since: float | None = None

    def __call__(self, _number: int, frame: FrameType | None) -> None:
        """Raise ``KeyboardInterrupt``, after an import has ended."""
        if not _is_importing(frame):
            self._since = None
            raise KeyboardInterrupt
        self._since = self._since or time.monotonic()
        if time.monotonic() - self._since > _PATIENCE:
            _leave()
        signal.setitimer(signal.ITIMER_REAL, 0.02)

    @staticmethod
    def again(_number: int, _frame: FrameType | None) -> None:
        """Repeat the signal, for the handler that there is now."""
        signal.raise_signal(signal.SIGINT)


def _is_importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


def _leave(_number: int = signal.SIGINT, _frame: FrameType | None = None) -> NoReturn:
    with suppress(OSError):  # stderr is closed
        os.write(_stderr, b"Interrupted.\n")
    os._exit(INTERRUPTED)


def _copy_of_stderr() -> int:
    """Return a file descriptor of stderr that stays, while the imports of TensorFlow are silenced."""
    try:
        return os.dup(_STDERR)
    except OSError:
        return _STDERR


_stderr = _copy_of_stderr()


def _not_raised(unraisable: UnraisableHookArgs) -> None:
    """Act on an exception that Python can only print, such as one in a callback of the garbage collector."""
    if issubclass(unraisable.exc_type, KeyboardInterrupt):
        _leave()
    sys.__unraisablehook__(unraisable)


if __name__ == "__main__":
    main()
