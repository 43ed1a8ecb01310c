"""Runs the real ``tuner`` command in a temporary folder."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

DEADLINE = 90.0  # seconds


class Command:
    """Runs ``tuner`` in one folder, without the settings of the environment.

    Attributes:
        folder: The working directory.
        running: The processes that were started; the fixture ends them.
        env: The environment of the processes.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.running: list[subprocess.Popen[str]] = []
        self.env = {name: value for name, value in os.environ.items() if not name.startswith("TUNER_")}

    def __call__(self, *args: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            [sys.executable, "-m", "tuner", *args],
            cwd=self.folder, env=self.env, capture_output=True, text=True, timeout=DEADLINE, check=False,
        )  # fmt: skip

    def start(self, *args: str) -> subprocess.Popen[str]:
        """Start a run of the digits in a new process group, and return without waiting for its end."""
        process = subprocess.Popen(
            [sys.executable, "-m", "tuner", "study", "start", "digits", "--epochs", "40", *args],
            cwd=self.folder, env=self.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            start_new_session=True,
        )  # fmt: skip
        self.running.append(process)
        return process

    def rows(self, query: str) -> list[tuple[object, ...]]:
        """Read from the database; returns no rows if it, or the table, does not exist yet."""
        try:
            with sqlite3.connect(f"file:{self.folder}/.tuner/studies.db?mode=ro", uri=True, timeout=10) as connection:
                return connection.execute(query).fetchall()
        except sqlite3.OperationalError:
            return []

    def until(self, condition: Callable[[], object]) -> None:
        """Wait until a condition is true."""
        deadline = time.monotonic() + DEADLINE
        while not condition():
            assert time.monotonic() < deadline, "the condition did not become true"
            time.sleep(0.05)

    def processes(self, leader: int) -> list[int]:
        """Return the running processes of the process group of ``leader``."""
        processes = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[2]) == leader and fields[0] != "Z":
                processes.append(int(stat.parent.name))
        return processes
