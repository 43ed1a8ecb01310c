"""The real command with real workers: it is killed, interrupted, stopped and started twice."""

from __future__ import annotations

import fcntl
import json
import os
import select
import signal
import subprocess
import sys
import termios
import time

import pytest

from tests.command import DEADLINE, Command

pytestmark = pytest.mark.slow


def stored_epochs(tuner: Command) -> int:
    """Return the number of stored epochs."""
    rows = tuner.rows("SELECT COUNT(*) FROM tuner_epoch")
    return int(str(rows[0][0])) if rows else 0


def test_a_killed_run_continues_where_it_was(tuner: Command) -> None:
    """Ended trials are kept, no number is missing, no trial stays running, and no process is left."""
    process = tuner.start("--trials", "6", "--workers", "2", "--pruner", "none")
    tuner.until(lambda: len(tuner.rows("SELECT 1 FROM tuner_attempt WHERE outcome = 'complete'")) >= 2)
    process.kill()
    process.wait()
    finished = "SELECT number, state FROM trials WHERE state IN ('COMPLETE', 'PRUNED')"
    before = tuner.rows(finished)
    tuner.until(lambda: not tuner.processes(process.pid))
    assert tuner.rows("SELECT 1 FROM trials WHERE state = 'RUNNING'")

    done = tuner("study", "start", "digits", "--trials", "6", "--epochs", "40", "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["trials"]["running"] == report["trials"]["waiting"] == 0
    assert report["trials"]["complete"] + report["trials"]["pruned"] == report["trials"]["total"] == 6
    assert set(before) <= set(tuner.rows(finished))
    assert tuner.rows("SELECT number FROM trials ORDER BY number") == [(number,) for number in range(6)]
    assert tuner.rows("PRAGMA integrity_check") == [("ok",)]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_one_signal_ends_the_run_after_its_epochs(tuner: Command, number: signal.Signals, code: int) -> None:
    """Results are kept, running trials get a checkpoint, the next command is printed (faults 16, 17)."""
    process = tuner.start("--trials", "500", "--workers", "1")
    tuner.until(lambda: stored_epochs(tuner) > 3)
    os.killpg(process.pid, number)  # to the whole group, as a terminal does
    _, stderr = process.communicate(timeout=DEADLINE)

    assert process.returncode == code, stderr
    assert "every result is kept. Go on with: tuner study start digits --trials 500\n" in stderr
    assert tuner.rows("SELECT COUNT(*) FROM trials WHERE state = 'RUNNING'") == [(0,)]
    assert tuner.rows("SELECT COUNT(*) FROM tuner_lease") == [(0,)]
    waiting = tuner.rows("SELECT number FROM trials WHERE state = 'WAITING'")
    assert tuner.rows("SELECT DISTINCT trial_number FROM tuner_checkpoint") == waiting
    tuner.until(lambda: not tuner.processes(process.pid))  # the fork server ends after its parent


def test_stop_reaches_a_run_in_another_terminal(tuner: Command) -> None:
    """The run ends with exit code 0 within seconds; until then, a second run and a deletion are refused."""
    process = tuner.start("--trials", "500", "--workers", "1")
    tuner.until(lambda: stored_epochs(tuner) > 0)
    second = tuner("study", "start", "digits")
    assert second.returncode == 1
    assert "is being run by process" in second.stderr
    assert tuner("study", "delete", "digits", "--yes").returncode == 1
    stop = tuner("study", "stop", "digits")
    _, stderr = process.communicate(timeout=DEADLINE)

    assert "stops after the running epochs" in stop.stderr
    assert process.returncode == 0, stderr
    assert "Stopped by `tuner study stop`" in stderr


def test_a_closed_terminal_ends_the_run(tuner: Command) -> None:
    """If its terminal closes, the running epochs finish and no trial stays running (SIGHUP)."""
    ours, theirs = os.openpty()
    command = [sys.executable, "-m", "tuner", "study", "start", "digits", "--epochs", "40", "--trials", "50"]

    def take_terminal() -> None:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    process = subprocess.Popen(
        command, cwd=tuner.folder, env=tuner.env, stdin=theirs, stdout=theirs, stderr=theirs,
        start_new_session=True, preexec_fn=take_terminal,  # noqa: PLW1509 - it only calls ioctl between fork and exec
    )  # fmt: skip
    tuner.running.append(process)  # type: ignore[arg-type]
    os.close(theirs)
    deadline = time.monotonic() + DEADLINE
    while stored_epochs(tuner) < 4:
        assert time.monotonic() < deadline
        if select.select([ours], [], [], 0.05)[0]:
            os.read(ours, 65536)  # read the progress, as a terminal does
    os.close(ours)

    assert process.wait(DEADLINE) == 129
    assert tuner.rows("SELECT COUNT(*) FROM trials WHERE state = 'RUNNING'") == [(0,)]
    assert tuner.rows("SELECT stopped_by FROM tuner_run") == [("hangup",)]
    tuner.until(lambda: not tuner.processes(process.pid))


def test_a_closed_pipe_is_not_an_error(tuner: Command) -> None:
    """A command in a pipe to ``head -1`` ends with exit code 0 and prints no error."""
    command = f"{sys.executable} -m tuner space show mnist | head -1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["/bin/bash", "-c", command], cwd=tuner.folder, env=tuner.env, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 1
