"""Faults that no other file of tests covers, with the real command where that is what counts."""

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

from storage import locate, open_store
from tests.command import DEADLINE, Command
from tests.recipes import always, small_recipe
from tests.runs import Recorder, rows, run_scripted, trials_of
from tuner.cli.main import main
from tuner.errors import StorageError
from tuner.run.progress import RunView

# Root may write what nobody may write, unless it gives up the right to.
AS_A_PERSON = ("setpriv", "--bounding-set", "-dac_override,-dac_read_search,-fowner") if os.geteuid() == 0 else ()


def make_read_only(folder: Path) -> None:
    """Take the right to write from everything below ``folder``."""
    for path in (*folder.rglob("*"), folder):
        path.chmod(0o555 if path.is_dir() else 0o444)


@pytest.mark.slow
@pytest.mark.skipif(not all(map(shutil.which, AS_A_PERSON[:1])), reason="needs setpriv: root may write everything")
def test_a_folder_that_may_only_be_read_can_still_be_looked_at(tuner: Command) -> None:
    """Lists, trials, reports and exports work; a run ends with 3 and says what is read-only (fault 5)."""
    run = ("study", "start", "digits", "--epochs", "1", "--executor", "inline", "--trials")
    assert tuner(*run, "1").returncode == 0
    home = tuner.folder / ".tuner"
    before = tuner.rows("SELECT * FROM trials")
    make_read_only(home)

    def ask(*words: str) -> subprocess.CompletedProcess[str]:
        command = [*AS_A_PERSON, sys.executable, "-m", "tuner", *words]
        return subprocess.run(
            command, cwd=tuner.folder, env=tuner.env, capture_output=True, text=True, timeout=DEADLINE, check=False
        )

    try:
        done = {words: ask("study", *words) for words in (("list",), ("show", "digits"), ("trials", "digits"))}
        done["report",] = ask("report", "digits")
        done["doctor",] = ask("doctor", "--quick")
        done["export",] = ask("export", "digits", "-o", str(tuner.folder / "model"), "--format", "keras")
        refused = ask(*run, "2")
    finally:
        for path in (home, *home.rglob("*")):
            path.chmod(0o755)

    assert {words: (each.returncode, each.stderr) for words, each in done.items() if each.returncode} == {}
    assert (tuner.folder / "model" / "model.keras").is_file()
    assert refused.returncode == 3, refused.stderr
    assert "is read-only\n" in refused.stderr
    assert "Hint:  check the permissions of the file and its folder" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert tuner.rows("SELECT * FROM trials") == before


def hold(file: Path, seconds: float, held: threading.Event) -> None:
    """Keep an SQLite database locked for a while, as another program would."""
    with closing(sqlite3.connect(file, timeout=10, isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        held.set()
        time.sleep(seconds)
        connection.rollback()


@pytest.mark.parametrize(("seconds", "survives"), [(1.5, True), (5.0, False)])
def test_a_locked_database_is_waited_for_and_then_given_up(
    home: Path, monkeypatch: pytest.MonkeyPatch, seconds: float, survives: bool
) -> None:
    """The lock may outlast SQLite's own timeout; given up, the run ends with 3 and the next goes on (fault 9)."""
    monkeypatch.setattr("storage.engine.BUSY_TIMEOUT", 0.1)
    monkeypatch.setattr("storage.lease.PATIENCE", 60.0 if survives else 1.0)
    recipe = small_recipe(space=always(3), budget={"trials": 3, "epochs": 3})
    threads: list[threading.Thread] = []

    def lock(view: RunView) -> None:
        trained = any(trial.values for trial in view.running)  # while it makes a trial, Optuna waits by itself
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
            session.connection().exec_driver_sql("DELETE FROM tuner_lease")  # its process is this one, which lives
        run_scripted(home, recipe)

    assert [(trial.number, trial.state) for trial in trials_of(home, recipe)] == [(n, "complete") for n in range(3)]
    assert rows(home, "SELECT COUNT(*), COUNT(DISTINCT trial_number || ' ' || epoch) FROM tuner_epoch") == [(9, 9)]


def test_a_study_never_starts_in_a_network_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 3, nothing is made, and PostgreSQL is the way out (fault 10)."""
    monkeypatch.setattr("tuner.run.session.network_type", lambda path: "nfs4")
    home = tmp_path / ".tuner"
    result = CliRunner().invoke(main, ["study", "start", "digits", "--trials", "1", "--home", str(home)])

    assert result.exit_code == 3
    assert "would lie on a network folder (nfs4), where SQLite can be damaged" in result.stderr
    assert "--storage postgresql://" in result.stderr
    assert not home.exists()


@pytest.mark.slow
def test_ctrl_c_twice_ends_the_run_at_once(tuner: Command) -> None:
    """Exit code 130 in the middle of an epoch; no process is left, and the next start needs not wait (fault 18)."""
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
    assert process.poll() is None, "the epoch was over too soon"
    pressed = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=DEADLINE)

    assert process.returncode == 130, told
    assert time.monotonic() - pressed < 10
    assert "Traceback" not in told
    tuner.until(lambda: not tuner.processes(process.pid))
    assert tuner.rows("PRAGMA integrity_check") == [("ok",)]
    again = tuner(*words, "--timeout", "1s")
    assert again.returncode == 0, again.stderr


@pytest.mark.parametrize("option", ["--host", "--bind"])
def test_the_dashboard_cannot_be_opened_to_a_network(option: str) -> None:
    """It has no login, so there is no option for that: exit code 2 (fault 40)."""
    result = CliRunner().invoke(main, ["dashboard", option, "0.0.0.0"])  # noqa: S104 - which is refused

    assert result.exit_code == 2
    assert f"No such option '{option}'" in result.stderr
