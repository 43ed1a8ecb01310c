"""Whole studies with artifacts in S3: outages, kills, other machines, the doctor, archives, export and deletion."""

from __future__ import annotations

import json
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tuner_storage import Location, locate, open_store
from tuner_storage.s3_address import S3Address

from tests.command import DEADLINE
from tests.doctor.conftest import checks
from tests.recipes import always, small_recipe
from tests.runs import Recorder, rows, run_scripted, trials_of
from tests.s3_server import ACCESS_KEY, SECRET_KEY, S3Server
from tuner import open_study
from tuner.cli.main import main
from tuner.run.progress import RunView

FEW = small_recipe(budget={"trials": 2, "epochs": 2})
SLOW = small_recipe(space=always(3), budget={"trials": 2, "epochs": 5})  # 0.2 s and a checkpoint per epoch
# Runs SLOW in a process of its own, which the test kills.
RUN = """
import sys
from dataclasses import replace
from pathlib import Path
from tuner_storage import locate
from tuner_storage.s3_address import parse_address
from tests.runs import run_scripted
from tests.test_s3 import SLOW
home = Path(sys.argv[1])
run_scripted(home, SLOW, location=replace(locate(home=home), s3=parse_address(sys.argv[2])))
"""


@pytest.fixture
def address(s3_location: Location) -> S3Address:
    """Where the artifacts of ``s3_location`` are."""
    assert s3_location.s3 is not None
    return s3_location.s3


def tuner(home: Path, *command: str) -> Result:
    """Run a command."""
    return CliRunner().invoke(main, [*command, "--home", str(home)])


def named(home: Path) -> set[str]:
    """Return the paths in the rows of models, refits and checkpoints."""
    tables = ("tuner_model", "tuner_refit", "tuner_checkpoint")
    return {path for table in tables for (path,) in rows(home, f"SELECT path FROM {table}")}


def test_a_study_leaves_the_objects_that_its_rows_name(
    s3_location: Location, address: S3Address, home: Path, s3: S3Server
) -> None:
    """Models that are not kept, and checkpoints of ended trials, are deleted as in a folder."""
    recipe = small_recipe(budget={"trials": 3, "epochs": 2, "keep": 1}, winner={"refit": True})
    run_scripted(home, recipe, location=s3_location)

    assert [trial.state for trial in trials_of(home, recipe)] == ["complete"] * 3
    assert set(s3.objects(address)) == named(home)
    assert len(named(home)) == 2
    assert json.loads(tuner(home, "study", "show", "small", "--json").stdout)["artifacts"] == str(address)
    assert {check.status for check in checks(locate(home=home)).values() if check.name != "data"} == {"ok"}


@pytest.mark.slow  # it waits for checkpoints and for the server
def test_a_store_that_goes_away_during_a_run_loses_no_trial(
    s3_location: Location, address: S3Address, home: Path, s3: S3Server
) -> None:
    """The run waits and goes on; no trial is repeated."""
    stopped: list[float] = []

    def stop_once(view: RunView) -> None:
        if view.running and not stopped:
            stopped.append(view.elapsed)
            s3.stop()
            threading.Timer(1.0, s3.start).start()

    run_scripted(home, SLOW, location=s3_location, recorder=Recorder(on_update=stop_once))

    assert stopped
    assert rows(home, "SELECT trial_number, outcome FROM tuner_attempt") == [(0, "complete"), (1, "complete")]
    assert set(s3.objects(address)) == named(home)


@pytest.mark.slow  # it starts a process
def test_a_killed_run_goes_on_from_its_checkpoint_on_another_machine(
    s3_location: Location, address: S3Address, home: Path, s3: S3Server
) -> None:
    """Nothing of the folder of the first machine is needed. The doctor finds what the kill left in the bucket."""
    process = subprocess.Popen([sys.executable, "-c", RUN, str(home), str(address)])
    deadline = time.monotonic() + DEADLINE
    while not (home / "studies.db").exists() or not _checkpoints(home):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    shutil.rmtree(home / "artifacts")
    run_scripted(home, SLOW, location=locate(home=home))

    ((first, outcome),) = rows(home, "SELECT first_epoch, outcome FROM tuner_attempt WHERE trial_number = 0 "
                                     "AND attempt = 1")  # fmt: skip
    assert (first > 0, outcome) == (True, "complete")
    left = set(s3.objects(address)) - named(home)
    results = checks(locate(home=home), fix=True)
    assert results["files"].status == "ok"
    assert set(results["leftovers"].cases) == left
    assert set(s3.objects(address)) == named(home)


def _checkpoints(home: Path) -> list[object]:
    try:
        return rows(home, "SELECT 1 FROM tuner_checkpoint")
    except Exception:  # noqa: BLE001 - the table does not exist yet
        return []


def test_the_doctor_names_what_is_wrong_in_the_bucket(
    s3_location: Location, address: S3Address, home: Path, s3: S3Server
) -> None:
    """Missing, changed and surplus objects. A lost model can be trained again."""
    run_scripted(home, FEW, location=s3_location)
    missing, changed, *_ = sorted(named(home))
    number = int(Path(missing).name[6:11])
    s3.change(address, missing, None)
    s3.change(address, changed, b"!" * len(s3.objects(address)[changed]))
    surplus = "study-00001/trial-00099.keras"
    ((identity,),) = rows(home, "SELECT identity FROM tuner_artifacts")
    s3.client.put_object(Bucket=address.bucket, Key=f"{address.prefix}/{identity}/{surplus}", Body=b"left")
    results = checks(locate(home=home))

    assert results["files"].status == "problem"
    assert [case.rpartition(": ")[2] for case in results["files"].cases] == [
        f"{missing} is missing",
        f"{changed} was changed (SHA-256)",
    ]
    assert f"tuner study reproduce small --trial {number} --restore" in str(results["files"].hint)
    assert results["leftovers"].cases == (f"{surplus} (4 bytes)",)
    assert checks(locate(home=home), fix=True)["leftovers"].cases == (surplus,)
    assert surplus not in s3.objects(address)


def test_the_doctor_says_that_the_bucket_cannot_be_reached(s3_location: Location, home: Path, s3: S3Server) -> None:
    """It is a problem of the files; the other checks go on."""
    run_scripted(home, FEW, location=s3_location)
    s3.stop()
    results = checks(locate(home=home))
    s3.start()

    assert results["files"].status == "problem"
    assert "cannot be reached" in results["files"].message
    assert results["versions"].status == "ok"


def test_an_archive_moves_a_study_into_a_bucket_and_out_of_it(
    s3_location: Location, address: S3Address, home: Path, s3: S3Server, tmp_path: Path
) -> None:
    """Models and checksums stay the same. Deleting the study deletes its objects and no others."""
    run_scripted(tmp_path / "folder", FEW)
    assert tuner(tmp_path / "folder", "study", "export-archive", "small", str(tmp_path / "1.zip")).exit_code == 0
    imported = tuner(home, "study", "import", str(tmp_path / "1.zip"), "--artifacts", str(address))
    assert imported.exit_code == 0, imported.stderr
    assert set(s3.objects(address)) == named(home)
    assert tuner(home, "study", "import", str(tmp_path / "1.zip"), "--name", "second").exit_code == 0
    shutil.rmtree(home / "artifacts")
    assert tuner(home, "study", "export-archive", "small", str(tmp_path / "2.zip")).exit_code == 0
    assert (tmp_path / "2.zip").read_bytes() == (tmp_path / "1.zip").read_bytes()
    deleted = tuner(home, "study", "delete", "small", "--yes")
    assert deleted.exit_code == 0, deleted.stderr

    assert set(s3.objects(address)) == named(home)
    assert {path.partition("/")[0] for path in named(home)} == {"study-00002"}


def test_an_import_that_fails_leaves_no_object(
    address: S3Address, home: Path, s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that were uploaded are deleted."""
    run_scripted(tmp_path / "folder", FEW)
    assert tuner(tmp_path / "folder", "study", "export-archive", "small", str(tmp_path / "1.zip")).exit_code == 0
    open_store(replace(locate(home=home), s3=address), create=True).close()
    with sqlite3.connect(home / "studies.db") as connection:
        connection.execute("CREATE TRIGGER full BEFORE INSERT ON tuner_model BEGIN SELECT RAISE(FAIL, 'full'); END")
    result = tuner(home, "study", "import", str(tmp_path / "1.zip"))

    assert result.exit_code == 3, result.stderr
    assert s3.objects(address) == {}


@pytest.mark.slow  # it trains
def test_a_real_study_in_s3_from_its_start_to_its_deletion(
    s3_location: Location, address: S3Address, home: Path, s3: S3Server, tmp_path: Path
) -> None:
    """Interrupted, continued elsewhere, exported, reproduced and deleted. No key is in a log or an output."""
    log = tmp_path / "log"
    study = open_study("digits", home=home, artifacts=str(address))
    options = {"trials": 2, "epochs": 3, "executor": "inline", "device": "cpu", "pruner": "none"}
    study.run(**options, progress=Recorder(on_update=lambda view: _stop_at_first_epoch(home)))  # type: ignore[arg-type]
    assert rows(home, "SELECT first_epoch FROM tuner_attempt") == [(0,)]
    shutil.rmtree(home / "artifacts")
    texts: list[str] = []

    def do(*command: str) -> str:
        result = CliRunner().invoke(main, ["--debug", "--log-file", str(log), *command, "--home", str(home)])
        assert result.exit_code == 0, result.output
        texts.append(result.output)
        return result.stdout

    do("study", "start", "digits", "--trials", "2", "--executor", "inline", "--device", "cpu")
    attempts = "SELECT trial_number, first_epoch FROM tuner_attempt ORDER BY trial_number, attempt"
    assert rows(home, attempts) == [(0, 0), (0, 1), (1, 0)]
    assert json.loads(do("study", "best", "digits", "--json"))["trial"] in {0, 1}
    do("export", "digits", "-o", str(tmp_path / "model"), "--format", "keras")
    assert (tmp_path / "model" / "model.keras").exists()
    for path in s3.objects(address):
        s3.change(address, path, None)
    do("study", "reproduce", "digits", "--trial", "1", "--restore", "--executor", "inline")
    assert [path[:23] for path in s3.objects(address)] == ["study-00001/trial-00001"]
    do("study", "delete", "digits", "--yes")
    assert s3.objects(address) == {}
    assert not [key for key in (ACCESS_KEY, SECRET_KEY) for text in [log.read_text(), *texts] if key in text]


def _stop_at_first_epoch(home: Path) -> None:
    with closing(open_store(locate(home=home))) as store:
        if store.epochs(1):
            store.request_stop(1)
