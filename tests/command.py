"""The real ``tuner`` command in a folder of its own."""

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
    """``tuner`` in a folder of its own, and in a process group of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.running: list[subprocess.Popen[str]] = []
        self.env = {name: value for name, value in os.environ.items() if not name.startswith("TUNER_")}

    def __call__(self, *args: str) -> subprocess.CompletedProcess[str]:
        """Run to the end."""
        return subprocess.run(
            [sys.executable, "-m", "tuner", *args],
            cwd=self.folder, env=self.env, capture_output=True, text=True, timeout=DEADLINE, check=False,
        )  # fmt: skip

    def start(self, *args: str) -> subprocess.Popen[str]:
        """Start and go on."""
        process = subprocess.Popen(
            [sys.executable, "-m", "tuner", "study", "start", "digits", "--epochs", "40", *args],
            cwd=self.folder, env=self.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            start_new_session=True,
        )  # fmt: skip
        self.running.append(process)
        return process

    def rows(self, query: str) -> list[tuple[object, ...]]:
        """Read the database, empty while there is none."""
        try:
            with sqlite3.connect(f"file:{self.folder}/.tuner/studies.db?mode=ro", uri=True, timeout=10) as connection:
                return connection.execute(query).fetchall()
        except sqlite3.OperationalError:
            return []

    def until(self, true: Callable[[], object]) -> None:
        """Wait for something to come true."""
        deadline = time.monotonic() + DEADLINE
        while not true():
            assert time.monotonic() < deadline, "it never came true"
            time.sleep(0.05)

    def processes(self, leader: int) -> list[int]:
        """Return the processes of the group that ``leader`` began."""
        found = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[2]) == leader and fields[0] != "Z":
                found.append(int(stat.parent.name))
        return found
