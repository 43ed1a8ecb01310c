"""A worker process as the coordinator sees it: its connection, its output, and how it ended."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import time
from multiprocessing.connection import Connection, wait

from tuner.executors.fork_protocol import ENDED, STATUS

_log = logging.getLogger(__name__)

GRACE = 5.0  # seconds that a process has to end after its connection was closed
_KEPT = 4000  # bytes of the output of a process that are kept for an error message


class Output:
    """The end of what a process has written to stdout and stderr. Each line is also logged at the debug level.

    Attributes:
        is_open: Whether more can follow.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._reader, self.writer = os.pipe()
        os.set_blocking(self._reader, False)
        self._kept = b""
        self.is_open = True

    def fileno(self) -> int:
        """Return the file descriptor to wait for."""
        return self._reader

    def read(self) -> None:
        """Read what is there, without waiting."""
        if not self.is_open:
            return
        try:
            text = os.read(self._reader, 65536)
        except BlockingIOError:
            return
        for line in text.decode(errors="replace").splitlines():
            _log.debug("%s: %s", self._name, line)
        self._kept = (self._kept + text)[-_KEPT:]
        if not text:
            self.close()

    @property
    def last_line(self) -> str | None:
        """The last line that is not empty: of a Python traceback, this is the error."""
        self.read()
        lines = [line for line in self._kept.decode(errors="replace").splitlines() if line.strip()]
        return lines[-1].strip() if lines else None

    def close_writer(self) -> None:
        """Close our copy of the end that the process writes to."""
        os.close(self.writer)

    def close(self) -> None:
        """Stop reading."""
        if self.is_open:
            os.close(self._reader)
        self.is_open = False


class Process:
    """A worker process, from the request to fork it. It exists once the server has imported its libraries.

    Attributes:
        connection: Messages to and from the worker. If it is closed, the worker ends by itself.
        output: What the worker prints.
        exitcode: How it ended, negative for a signal. ``None`` if it has not ended, or the server ended before it.
    """

    def __init__(self, connection: Connection, output: Output, status: int) -> None:
        self.connection = connection
        self.output = output
        self._pid: int | None = None
        self.exitcode: int | None = None
        self._status: int | None = status

    @property
    def pid(self) -> int | None:
        """Its process id; ``None`` before it was forked."""
        self.join(0)
        return self._pid

    def join(self, timeout: float) -> bool:
        """Wait until the process has ended, up to ``timeout`` seconds; returns whether it has."""
        deadline = time.monotonic() + timeout
        while self._status is not None and self.exitcode is None:
            if not wait([self._status], max(0.0, deadline - time.monotonic())):
                return False
            record = os.read(self._status, STATUS.size)
            if not record:  # closed by the server and the worker: neither exists any more
                return True
            kind, value = STATUS.unpack(record)
            if kind == ENDED:
                self.exitcode = value
            else:
                self._pid = value
        return True

    def kill(self) -> None:
        """Kill the process, if it exists."""
        if not self.join(0) and self._pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)

    def end(self) -> None:
        """Close the connection, wait for the process, and kill it if it does not end by itself."""
        self.connection.close()
        if not self.join(GRACE):
            self.kill()
            self.join(GRACE)
        self.close()

    def close(self) -> None:
        """Release the pipes of a process that has ended or that nobody waits for any more."""
        self.connection.close()
        self.output.read()
        self.output.close()
        if self._status is not None:
            os.close(self._status)
        self._status = None


def how_it_ended(exitcode: int | None, last_line: str | None) -> str:
    """Return how a process ended, with the last line that it printed, unless somebody else killed it."""
    if exitcode is None:
        how = "ended without an exit code"
    elif exitcode < 0:
        how = f"killed by {signal.Signals(-exitcode).name}"
    else:
        how = f"ended with exit code {exitcode}"
    return how if last_line is None or exitcode in {-signal.SIGKILL, -signal.SIGTERM} else f"{how}: {last_line}"
