"""Ctrl-C at every moment: exit code 130, one line, no traceback, and no process that goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from functools import partial

import pytest

from tests.command import DEADLINE, Command

MOMENTS = (0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 1.4, 1.8, 2.4, 3.0, 4.5)  # seconds after the start

NOT_STARTED = ("Fatal Python error: init_import_site", "Could not import runpy module")
OURS = ", in main\n"  # in the traceback once the function has begun that takes over Ctrl-C


@pytest.mark.slow
def test_ctrl_c_ends_a_run_at_every_moment(tuner: Command) -> None:
    """While Python, the command or TensorFlow is imported, while the fork server starts, and while trials run."""
    seen = []
    for moment in MOMENTS:
        process = subprocess.Popen(
            [sys.executable, "-m", "tuner", "study", "start", "digits", "--quiet", "--epochs", "500"],
            cwd=tuner.folder, env=tuner.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            start_new_session=True,
        )  # fmt: skip
        tuner.running.append(process)
        time.sleep(moment)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to all processes of the run
        _, stderr = process.communicate(timeout=DEADLINE)
        if OURS not in stderr and (process.returncode == -signal.SIGINT or stderr.startswith(NOT_STARTED)):
            continue  # Python was still starting, or imported this package
        seen.append((process.returncode, "Traceback" in stderr, "nterrupted" in stderr))
        tuner.until(partial(_has_ended, tuner, process.pid))

    assert len(seen) > len(MOMENTS) / 2
    assert set(seen) == {(130, False, True)}


def _has_ended(tuner: Command, leader: int) -> bool:
    """Return whether no process of a run is left."""
    return not tuner.processes(leader)
