"""Runs the real command, and kills its processes at random moments."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

TRIALS, EPOCHS = 50, 60
MAX_WAIT = 15.0  # seconds after which orphaned processes must have ended
COMMAND = (sys.executable, "-m", "tuner", "study", "start")


class Monkey:
    """Starts runs of one study and kills them.

    Args:
        home: The home folder of the study.
        seed: The seed of the random moments.
        storage: The URL of the database; ``None`` takes the database in ``home``.
        search: What is started, with its options.

    Attributes:
        trainers: How many trainers were killed.
        runs: How many coordinators were killed.
    """

    def __init__(self, home: Path, seed: int, storage: str | None = None, search: Sequence[str] = ("digits",)) -> None:
        self._home = home
        self._search = search
        self._random = random.Random(seed)  # noqa: S311 - no secret
        self.trainers = self.runs = 0
        self._env = {name: value for name, value in os.environ.items() if not name.startswith("TUNER_")}
        self._env |= {"TUNER_HOME": str(home), **({"TUNER_STORAGE": storage} if storage else {})}

    def start(self) -> subprocess.Popen[str]:
        """Start a run in a new session."""
        budget = ("--trials", str(TRIALS), "--epochs", str(EPOCHS), "--timeout", "30m")
        command = [*COMMAND, *self._search, "--quiet", "--workers", "2", *budget]
        return subprocess.Popen(
            command, env=self._env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True
        )

    def run_to_the_end(self) -> subprocess.CompletedProcess[str]:
        """Run to the end without killing anything."""
        process = self.start()
        _, stderr = process.communicate(timeout=300)
        return subprocess.CompletedProcess(process.args, process.returncode, "", stderr)

    def one_round(self) -> bool:
        """Run for a random time while killing trainers, then kill the coordinator; return whether the run had ended."""
        process = self.start()
        deadline = time.monotonic() + self._random.uniform(1.0, 16.0)  # importing TensorFlow takes 5 to 12 s
        while time.monotonic() < deadline and process.poll() is None:
            time.sleep(self._random.uniform(0.2, 3.0))
            if self._random.random() < 0.5:
                self._kill_a_trainer(process.pid)
        ended = process.poll() is not None
        if not ended:
            process.kill()
            self.runs += 1
        _, stderr = process.communicate()
        self._wait_for_orphans(process.pid)
        assert not ended or process.returncode == 0, f"a run failed: {stderr}"
        return ended

    def _kill_a_trainer(self, leader: int) -> None:
        """Kill one of the children of the fork server."""
        servers = [pid for pid in session(leader) if _parent(pid) == leader and _is_server(pid)]
        trainers = [pid for pid in session(leader) if _parent(pid) in servers]
        if trainers:
            os.kill(self._random.choice(trainers), signal.SIGKILL)
            self.trainers += 1

    def _wait_for_orphans(self, leader: int) -> None:
        deadline = time.monotonic() + MAX_WAIT
        while orphans := session(leader):
            assert time.monotonic() < deadline, f"processes {orphans} did not end with the run"
            time.sleep(0.1)


def session(leader: int) -> list[int]:
    """Return the running processes of a session, without its leader."""
    processes = []
    for folder in Path("/proc").glob("[0-9]*"):
        fields = _stat(int(folder.name))
        if fields and int(fields[3]) == leader and fields[0] != "Z" and int(folder.name) != leader:
            processes.append(int(folder.name))
    return processes


def _parent(pid: int) -> int:
    fields = _stat(pid)
    return int(fields[1]) if fields else 0


def _is_server(pid: int) -> bool:
    try:
        return b"tuner.executors.serve" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def _stat(pid: int) -> list[str]:
    """Return the fields of /proc/PID/stat from the state on, such as state, parent, group and session."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return []
