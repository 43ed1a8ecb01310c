"""Runs a whole search in a process of its own, records when its epochs reach the database, and ends the process."""

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

LOOK = 0.25  # seconds between two queries of the database
PATIENCE = 60  # seconds for the search to finish its running epochs


def tuner_command(search: str, data_dir: Path | None, *options: object) -> list[str]:
    """Return the command line of ``tuner study start``; it does not depend on the PATH or the current folder.

    Args:
        search: A built-in search or a TOML file.
        data_dir: Folder of the data set; ``None`` leaves it to the command to find the data.
        options: The other options and their values.
    """
    path = str(Path(search).absolute()) if search.endswith(".toml") else search
    folder = ["--data-dir", str(data_dir)] if data_dir else []
    return [sys.executable, "-m", "tuner", "study", "start", path, *folder, *map(str, options)]


@contextlib.contextmanager
def running(
    command: Sequence[str], folder: Path, output: IO[str], errors: IO[str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command in ``folder`` and in a session of its own. At the end, terminate it; if it does not end, kill it.

    Args:
        command: The command.
        folder: The current folder of the command.
        output: The file for its standard output.
        errors: The file for its standard error; ``None`` shares ours.
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
            os.killpg(process.pid, signal.SIGKILL)  # the session holds nothing but processes of this command
        process.wait()


def wait(process: subprocess.Popen[bytes], until: float, look: Callable[[], object] = lambda: None) -> None:
    """Wait until a process ends or ``time.monotonic()`` reaches ``until``; call ``look`` every ``LOOK`` seconds."""
    while process.poll() is None and (left := until - time.monotonic()) > 0:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(min(LOOK, left))
        look()


class Watch:
    """Reads new epochs from the database of a running study.

    A look is one query of about a millisecond by plain SQLite. The time of an epoch is that of the look which read it:
    at most ``LOOK`` seconds late, never early.

    Args:
        home: The study's ``--home``; it may not exist yet.
        began: ``time.monotonic()`` when the study's process was started.
    """

    def __init__(self, home: Path, began: float) -> None:
        self._uri = f"{(home / 'studies.db').absolute().as_uri()}?mode=ro"
        self._began = began
        self._seen: set[tuple[int, int]] = set()
        self.points: list[Point] = []

    def look(self) -> None:
        """Add the epochs that were written since the last look."""
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
