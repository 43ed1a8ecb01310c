"""Start a whole search in a process of its own, note when each epoch's numbers are there, and end it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO

from curves import Point

LOOK = 0.25  # seconds between two looks at the database
PATIENCE = 60  # seconds that a search gets to end its running epochs


def tuner_command(*words: object) -> list[str]:
    """Return the command line of ``tuner study start`` and what follows it, whatever the PATH is."""
    return [sys.executable, "-m", "tuner", "study", "start", *map(str, words)]


@contextlib.contextmanager
def running(
    command: Sequence[str], folder: Path, output: IO[str], errors: IO[str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command in ``folder`` and in a session of its own; at the end it is asked to end, then made to.

    Args:
        command: The command.
        folder: Where it runs.
        output: The file for its standard output.
        errors: The file for its standard error; ``None`` shows it where ours is shown.
    """
    process = subprocess.Popen(command, cwd=folder, stdout=output, stderr=errors, start_new_session=True)  # noqa: S603
    try:
        yield process
    finally:
        with contextlib.suppress(subprocess.TimeoutExpired, ProcessLookupError):
            if process.poll() is None:
                process.terminate()
            process.wait(PATIENCE)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)  # the session is ours, and so is all that is left in it
        process.wait()


def wait(process: subprocess.Popen[bytes], until: float, look: Callable[[], object] = lambda: None) -> None:
    """Wait for a process to end, at most until ``time.monotonic()`` says ``until``, and look around meanwhile."""
    while process.poll() is None and (left := until - time.monotonic()) > 0:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(min(LOOK, left))
        look()


class Watch:
    """Looks into the database of a running study for epochs that were not there before.

    A look is one query of about a millisecond by plain SQLite. Times are those of the look that found a row: at most
    ``LOOK`` seconds late, never early.

    Args:
        home: The study's ``--home``; nothing need be there yet.
        began: ``time.monotonic()`` when the study's process was started.
    """

    def __init__(self, home: Path, began: float) -> None:
        self._uri = f"{(home / 'studies.db').absolute().as_uri()}?mode=ro"
        self._began = began
        self._seen: set[tuple[int, int]] = set()
        self.points: list[Point] = []

    def look(self) -> None:
        """Note the epochs that are new."""
        query = "SELECT trial_number, epoch, metrics FROM tuner_epoch ORDER BY id"
        try:
            with contextlib.closing(sqlite3.connect(self._uri, uri=True, timeout=1)) as database:
                rows = database.execute(query).fetchall()
        except sqlite3.OperationalError:  # no file or no table yet
            return
        seconds = time.monotonic() - self._began
        for trial, epoch, metrics in rows:
            if (trial, epoch) not in self._seen:
                self._seen.add((trial, epoch))
                self.points.append(
                    Point.read({"seconds": seconds, "trial": trial, "epoch": epoch, **json.loads(metrics)})
                )
