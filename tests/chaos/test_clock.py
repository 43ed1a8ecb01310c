"""Tests in which the wall clock jumps during a run: no early end, no takeover, no loss (fault 20)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.command import DEADLINE, Command

# The variant for programs with threads. On Debian, its folder has the name of the architecture.
LIBRARIES = [
    path for place in ("lib*/*", "lib*") for path in sorted(Path("/usr").glob(f"{place}/faketime/libfaketimeMT.so.1"))
]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not LIBRARIES, reason="needs libfaketime: on Debian `apt-get install faketime`"),
]
RUN = ("study", "start", "digits", "--executor", "inline", "--pruner", "none")
HOLDER = "SELECT owner FROM tuner_lease"
DONE = "SELECT COUNT(*) FROM tuner_attempt WHERE outcome = 'complete'"
DAYS = "SELECT DISTINCT CAST(ROUND(julianday(started) - julianday('now')) AS INTEGER) FROM tuner_attempt ORDER BY 1"


class Clock:
    """A wall clock that a test can change; monotonic time and the times of files do not change."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "clock"
        self.set("+0")

    def set(self, offset: str) -> None:
        """Set it to ``offset`` from the true time, such as ``-1d``; running programs read the change."""
        new = self._file.with_suffix(".new")
        new.write_text(offset, encoding="utf-8")
        new.replace(self._file)

    @property
    def settings(self) -> dict[str, str]:
        """Environment variables for a program that uses this clock.

        It reads the file once a second: without the cache, every wait of every thread reads it, which takes minutes.
        """
        return {
            "LD_PRELOAD": str(LIBRARIES[0]),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }


def start(tuner: Command, clock: Clock, *options: str) -> subprocess.Popen[str]:
    """Start a run that uses ``clock``."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tuner", *RUN, *options],
        cwd=tuner.folder, env=tuner.env | clock.settings, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    tuner.running.append(process)
    return process


def complete(tuner: Command) -> int:
    """Return how many trials are complete."""
    rows = tuner.rows(DONE)
    return int(str(rows[0][0])) if rows else 0


def test_a_clock_that_jumps_back_and_forward_changes_nothing(tuner: Command, tmp_path: Path) -> None:
    """The clock jumps a day back, then two days ahead; the timeout does not end the run, and the lease is kept."""
    clock = Clock(tmp_path)
    process = start(tuner, clock, "--trials", "16", "--epochs", "8", "--timeout", "10m", "--json")
    tuner.until(lambda: complete(tuner) >= 1)
    clock.set("-1d")
    tuner.until(lambda: (-1,) in tuner.rows(DAYS))
    clock.set("+2d")  # read within a second, in which several of the remaining trials may end
    out, err = process.communicate(timeout=DEADLINE)

    assert process.returncode == 0, err
    trials = json.loads(out)["trials"]
    assert (trials["complete"], trials["total"]) == (16, 16)
    assert tuner.rows("SELECT stopped_by FROM tuner_run") == [(None,)]
    assert tuner.rows("SELECT COUNT(*), COUNT(DISTINCT trial_number) FROM tuner_attempt") == [(16, 16)]
    assert tuner.rows("SELECT COUNT(*) FROM tuner_lease") == [(0,)]
    assert all(0 <= float(str(seconds)) < 60 for (seconds,) in tuner.rows("SELECT seconds FROM tuner_epoch"))
    assert tuner.rows(DAYS) == [(-1,), (0,), (2,)]  # shows that the clock jumped


def test_a_run_with_a_clock_ahead_does_not_get_the_lease(tuner: Command, tmp_path: Path) -> None:
    """The lease looks expired, but the second run is refused with the name of its holder, and the first continues."""
    (tmp_path / "ahead").mkdir()
    process = start(tuner, Clock(tmp_path), "--trials", "14", "--epochs", "40", "--timeout", "none")
    tuner.until(lambda: complete(tuner) >= 1)
    held = tuner.rows(HOLDER)
    clock = Clock(tmp_path / "ahead")
    clock.set("+2d")
    second = subprocess.run(
        [sys.executable, "-m", "tuner", *RUN], cwd=tuner.folder, env=tuner.env | clock.settings,
        capture_output=True, text=True, timeout=DEADLINE, check=False,
    )  # fmt: skip
    assert process.poll() is None, "it ended before the second run was refused"
    assert second.returncode == 1, second.stderr
    assert f"study 'digits' is being run by process {process.pid} on {os.uname().nodename} since" in second.stderr
    assert tuner.rows(HOLDER) == held
    _, err = process.communicate(timeout=DEADLINE)

    assert process.returncode == 0, err
    assert tuner.rows("SELECT COUNT(DISTINCT owner), COUNT(*) FROM tuner_attempt") == [(1, 14)]
    assert tuner.rows(DAYS) == [(0,)]
