"""Tests of faults that no other file covers, with the real command if the process matters."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner
from tuner_storage import locate, open_store

from tests.command import DEADLINE, Command
from tests.recipes import always, small_recipe
from tests.runs import Recorder, rows, run_scripted, trials_of
from tuner.cli.main import main
from tuner.errors import StorageError
from tuner.run.progress import RunView

# Root can write read-only files. These words let a command run without that right.
AS_NORMAL_USER = ("setpriv", "--bounding-set", "-dac_override,-dac_read_search,-fowner") if os.geteuid() == 0 else ()


def make_read_only(folder: Path) -> None:
    """Make a folder and everything in it read-only."""
    for path in (*folder.rglob("*"), folder):
        path.chmod(0o555 if path.is_dir() else 0o444)


@pytest.mark.slow
@pytest.mark.skipif(not all(map(shutil.which, AS_NORMAL_USER[:1])), reason="needs setpriv if root runs it")
def test_a_read_only_folder_can_be_read(tuner: Command) -> None:
    """Lists, trials, reports and exports work; a run ends with exit code 3 and names the file (fault 5)."""
    start = ("study", "start", "digits", "--epochs", "1", "--executor", "inline", "--trials")
    assert tuner(*start, "1").returncode == 0
    home = tuner.folder / ".tuner"
    before = tuner.rows("SELECT * FROM trials")
    make_read_only(home)

    def run_tuner(*words: str) -> subprocess.CompletedProcess[str]:
        command = [*AS_NORMAL_USER, sys.executable, "-m", "tuner", *words]
        return subprocess.run(
            command, cwd=tuner.folder, env=tuner.env, capture_output=True, text=True, timeout=DEADLINE, check=False
        )

    try:
        done = {words: run_tuner("study", *words) for words in (("list",), ("show", "digits"), ("trials", "digits"))}
        done["report",] = run_tuner("report", "digits")
        done["doctor",] = run_tuner("doctor", "--quick")
        done["export",] = run_tuner("export", "digits", "-o", str(tuner.folder / "model"), "--format", "keras")
        refused = run_tuner(*start, "2")
    finally:
        for path in (home, *home.rglob("*")):
            path.chmod(0o755)

    assert {words: (result.returncode, result.stderr) for words, result in done.items() if result.returncode} == {}
    assert (tuner.folder / "model" / "model.keras").is_file()
    assert refused.returncode == 3, refused.stderr
    assert "is read-only\n" in refused.stderr
    assert "Hint:  check the permissions of the file and its folder" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert tuner.rows("SELECT * FROM trials") == before


def hold(file: Path, seconds: float, held: threading.Event) -> None:
    """Lock an SQLite database for a time, as another program may do."""
    with closing(sqlite3.connect(file, timeout=10, isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        held.set()
        time.sleep(seconds)
        connection.rollback()


@pytest.mark.parametrize(("seconds", "survives"), [(1.5, True), (5.0, False)])
def test_a_run_waits_for_a_locked_database_for_a_limited_time(
    home: Path, monkeypatch: pytest.MonkeyPatch, seconds: float, survives: bool
) -> None:
    """It waits longer than SQLite's own timeout, then ends with exit code 3; the next run continues (fault 9)."""
    monkeypatch.setattr("tuner_storage.engine.BUSY_TIMEOUT", 0.1)
    monkeypatch.setattr("tuner_storage.lease.MAX_WAIT", 60.0 if survives else 1.0)
    recipe = small_recipe(space=always(3), budget={"trials": 3, "epochs": 3})
    threads: list[threading.Thread] = []

    def lock(view: RunView) -> None:
        trained = any(trial.values for trial in view.running)  # while Optuna creates a trial, it waits itself
        if view.counts.complete == 1 and trained and not threads:
            held = threading.Event()
            threads.append(threading.Thread(target=hold, args=(home / "studies.db", seconds, held)))
            threads[0].start()
            held.wait()

    try:
        if survives:
            run_scripted(home, recipe, recorder=Recorder(on_update=lock))
        else:
            with pytest.raises(StorageError, match=r"studies\.db stayed locked") as caught:
                run_scripted(home, recipe, recorder=Recorder(on_update=lock))
            assert caught.value.exit_code == 3
    finally:
        threads[0].join()
    if not survives:
        with closing(open_store(locate(home=home))) as store, store.database.write() as session:
            session.connection().exec_driver_sql("DELETE FROM tuner_lease")  # this process holds it
        run_scripted(home, recipe)

    assert [(trial.number, trial.state) for trial in trials_of(home, recipe)] == [(n, "complete") for n in range(3)]
    assert rows(home, "SELECT COUNT(*), COUNT(DISTINCT trial_number || ' ' || epoch) FROM tuner_epoch") == [(9, 9)]


def test_a_study_never_starts_in_a_network_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The exit code is 3, nothing is created, and the hint names PostgreSQL (fault 10)."""
    monkeypatch.setattr("tuner.run.session.network_type", lambda path: "nfs4")
    home = tmp_path / ".tuner"
    result = CliRunner().invoke(main, ["study", "start", "digits", "--trials", "1", "--home", str(home)])

    assert result.exit_code == 3
    assert "would lie on a network folder (nfs4), where SQLite can be damaged" in result.stderr
    assert "--storage postgresql://" in result.stderr
    assert not home.exists()


@pytest.mark.slow
def test_ctrl_c_twice_ends_the_run_at_once(tuner: Command) -> None:
    """It ends during an epoch with exit code 130; no process is left, and the next run can start (fault 18)."""
    space = "learning_rate = 0.001\nlayers = 3\nunits = 1024\nbatch_size = 1"  # seconds per epoch
    (tuner.folder / "slow.toml").write_text(f'data = "digits"\n[space]\n{space}\n', encoding="utf-8")
    words = ("study", "start", "slow.toml", "--trials", "1", "--epochs", "2", "--workers", "1")
    process = subprocess.Popen(
        [sys.executable, "-m", "tuner", *words], cwd=tuner.folder, env=tuner.env, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    tuner.running.append(process)
    tuner.until(lambda: tuner.rows("SELECT 1 FROM tuner_attempt"))
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    assert process.poll() is None, "the epoch ended too soon"
    interrupted = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=DEADLINE)

    assert process.returncode == 130, stderr
    assert time.monotonic() - interrupted < 10
    assert "Traceback" not in stderr
    tuner.until(lambda: not tuner.processes(process.pid))
    assert tuner.rows("PRAGMA integrity_check") == [("ok",)]
    again = tuner(*words, "--timeout", "1s")
    assert again.returncode == 0, again.stderr


def test_the_dashboard_cannot_be_opened_to_a_network_unencrypted() -> None:
    """At a public address, it needs TLS or a proxy (fault 40)."""
    result = CliRunner().invoke(main, ["dashboard", "--host", "0.0.0.0"])  # noqa: S104 - it must be refused

    assert result.exit_code == 2
    assert "would cross the network unencrypted" in result.stderr
