"""The dashboard in a process beside a run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from queue import Queue

import pytest
from tuner_storage import locate

from tests.dashboard.client import send
from tests.dashboard.conftest import Finished
from tuner.dashboard import beside as module
from tuner.dashboard.beside import DashboardBeside

SECONDS = 60.0
HOLD = """
import sys, time
from pathlib import Path
from tuner_storage import locate
from tests.dashboard.client import send
from tuner.dashboard.beside import DashboardBeside
with DashboardBeside(locate(home=Path(sys.argv[1])), lambda line: print(line, flush=True)) as beside:
    print(beside.pid, flush=True)
    time.sleep(600)
"""


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the process time to start and to end by itself on a machine with much other work."""
    monkeypatch.setattr(module, "_END", SECONDS)


@pytest.mark.slow
def test_it_is_open_during_the_run_and_ends_with_it(finished: Finished) -> None:
    """The line names the live page, which answers until the end of the block."""
    lines: Queue[str] = Queue()
    with DashboardBeside(locate(home=finished.home), lines.put) as beside:
        address = lines.get(timeout=SECONDS).removeprefix("Live page: ")
        assert address.startswith("http://127.0.0.1:")
        assert b"small" in send(address.removesuffix("/live"), "GET /live").body

    assert beside._process.returncode == 0


def test_it_waits_for_the_database_and_ends_without_one(home: Path) -> None:
    """A run that fails before it has made the database leaves no process, and nothing is created."""
    lines: Queue[str] = Queue()
    with DashboardBeside(locate(home=home), lines.put) as beside:
        pass

    assert beside._process.returncode == 0
    assert lines.empty()
    assert not home.exists()


def test_a_database_that_cannot_be_used_is_named(home: Path) -> None:
    """The run itself will say so too; the line tells why there is no page."""
    home.mkdir()
    (home / "studies.db").write_text("no database" * 100)
    lines: Queue[str] = Queue()
    with DashboardBeside(locate(home=home), lines.put):
        line = lines.get(timeout=SECONDS)

    assert line == f"The dashboard is not open: {home / 'studies.db'} is not an SQLite database"


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs /proc")
def test_it_ends_if_the_run_is_killed(finished: Finished) -> None:
    """Also with SIGKILL, when nothing of the run can clean up."""
    words = [sys.executable, "-c", HOLD, str(finished.home)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        lines = sorted([run.stdout.readline(), run.stdout.readline()])  # the process, and the address
        child = Path("/proc") / lines[0].strip()
        assert child.is_dir()
        os.kill(run.pid, signal.SIGKILL)
        deadline = time.monotonic() + SECONDS
        while child.is_dir() and "Z (zombie)" not in (child / "status").read_text():
            assert time.monotonic() < deadline
            time.sleep(0.05)
