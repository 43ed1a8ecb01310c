"""A test in which the disk is full during a run."""

from __future__ import annotations

import subprocess
import sys

from tests.command import Command


def test_a_full_disk_ends_the_run_and_the_study_can_be_continued(tuner: Command) -> None:
    """The exit code is 3, the database is intact, no partial file is left, no ended trial is lost (fault 6)."""
    run = ["study", "start", "digits", "--epochs", "3", "--workers", "1", "--trials"]
    assert tuner(*run, "1").returncode == 0
    limit = (tuner.folder / ".tuner" / "studies.db").stat().st_size // 1024 + 8  # the largest size of a file, in kB
    limited = f"ulimit -f {limit}; exec {sys.executable} -m tuner {' '.join(run)} 20"
    done = subprocess.run(
        ["/bin/bash", "-c", limited], cwd=tuner.folder, env=tuner.env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 3, done.stderr
    assert done.stderr.count("Error:") == 1
    assert "Traceback" not in done.stderr
    finished = tuner.rows("SELECT number, state FROM trials WHERE state IN ('COMPLETE', 'PRUNED')")
    assert tuner.rows("PRAGMA integrity_check") == [("ok",)]
    assert [path for path in (tuner.folder / ".tuner").rglob("*") if ".tmp" in path.name] == []

    again = tuner(*run, "20")
    assert again.returncode == 0, again.stderr
    assert set(finished) <= set(tuner.rows("SELECT number, state FROM trials"))
    assert tuner.rows("SELECT COUNT(*) FROM trials") == [(20,)]
