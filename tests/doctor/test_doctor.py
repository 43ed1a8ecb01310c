"""The doctor finds what is wrong, names it, and removes nothing but what leads nowhere."""

from __future__ import annotations

import os
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import optuna
import pytest
from sqlalchemy import insert

from storage import Location, locate, open_store
from storage.maintenance import backup
from storage.owner import this_owner
from storage.tables import CheckpointRow
from tests.recipes import small_recipe
from tests.runs import run_scripted, trials_of
from tests.scripted import write_model
from tuner.doctor import Examination, examine, machine, studies
from tuner.doctor.findings import Check
from tuner.jobs import RefitEnd


@pytest.fixture
def location(home: Path) -> Location:
    """A home with a finished study of six trials, five of whose models are kept."""
    run_scripted(home, small_recipe())
    return locate(home=home)


def look(location: Location, *, fix: bool = False, quick: bool = False) -> dict[str, Check]:
    """Return what was found by name, but for the device."""
    found = examined(location, fix=fix, quick=quick)
    return {check.name: check for check in found.checks}


def examined(location: Location, *, fix: bool = False, quick: bool = False) -> Examination:
    """Examine without starting a trainer."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tuner.doctor.examine_device", lambda found: None)
        return examine(location, fix=fix, quick=quick)


def execute(location: Location, *statements: str) -> None:
    """Change a database behind the back of everybody."""
    with closing(sqlite3.connect(location.file)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def contents(location: Location) -> dict[str, bytes]:
    """Return every file of a home."""
    home = location.artifacts.parent
    return {path.relative_to(home).as_posix(): path.read_bytes() for path in home.rglob("*") if path.is_file()}


def test_a_healthy_home_has_nothing_but_ok(location: Location) -> None:
    """And looking, even with `fix`, changes no byte."""
    before = contents(location)
    found = examined(location, fix=True)

    assert {check.status for check in found.checks if check.name != "data"} == {"ok"}
    assert found.problems == 0
    assert found.removed == []
    assert contents(location) == before


def test_without_a_database_there_is_nothing_to_mend(home: Path) -> None:
    """None is made by looking."""
    found = examined(locate(home=home))

    assert found.problems == 0
    assert "there is none in" in found.checks[1].message
    assert not home.exists()


def test_a_file_that_is_no_database_is_a_problem(home: Path) -> None:
    """The rest of the machine is looked at all the same (fault 1)."""
    home.mkdir()
    (home / "studies.db").write_text("my thesis")
    found = look(locate(home=home))

    assert found["database"].status == "problem"
    assert "is not an SQLite database" in found["database"].message
    assert found["versions"].status == "ok"


def test_an_older_schema_is_a_problem_with_a_way_out(location: Location) -> None:
    """What cannot be read is not guessed (fault 8)."""
    execute(location, "UPDATE tuner_alembic_version SET version_num = '0001'")
    found = look(location)

    assert found["database"].status == "problem"
    assert "tuner storage upgrade" in str(found["database"].hint)
    assert "files" not in found


def test_missing_short_and_changed_models_are_told_apart(location: Location) -> None:
    """Each is named with its trial; none of their rows is removed (fault 38)."""
    gone, short, changed, *_ = sorted(location.artifacts.rglob("*.keras"))
    gone.unlink()
    short.write_bytes(b"")
    content = bytearray(changed.read_bytes())
    content[0] ^= 1
    changed.write_bytes(content)
    check = look(location, fix=True)["files"]

    assert check.status == "problem"
    assert check.message.startswith("3 of 5 files in ")
    for path, said in ((gone, "is missing"), (short, "has 0 bytes"), (changed, "was changed (SHA-256)")):
        assert any(path.name in case and said in case and "of 'small'" in case for case in check.cases)
    assert len(look(location, quick=True)["files"].cases) == 2  # the checksums were not read
    assert sum(trial.kept for trial in trials_of(location.artifacts.parent, small_recipe())) == 5


def test_checkpoints_are_looked_at_too(location: Location) -> None:
    """They are files of the same folder."""
    store = open_store(location)
    with store.database.write() as session:
        session.execute(
            insert(CheckpointRow).values(
                study_id=1, trial_number=3, epochs=2, path="study-00001/c.npz", sha256="0" * 64, size=5
            )
        )
    store.close()

    assert look(location)["files"].cases == ("checkpoint of trial 3 of 'small': study-00001/c.npz is missing",)
    (location.artifacts / "study-00001" / "c.npz").write_bytes(b"12345")
    assert "was changed" in look(location)["files"].cases[0]


def test_the_refit_is_looked_at_too(location: Location) -> None:
    """A row names its file, so that it is no leftover, also for a neighbour; a missing or changed one is named."""
    store = open_store(location)
    model = write_model(store.artifacts.refit_path(1, 4), "12345")
    left = write_model(store.artifacts.refit_path(1, 4), "of a run that was killed")
    store.set_refit(1, RefitEnd(4, {}, 2, 1000, model))
    store.close()
    backup(location, location.file.with_name("copy.db"))
    assert look(location)["files"].message == f"6 files in {location.artifacts} are whole"
    assert examined(location, fix=True).removed == [str(left.path)]

    execute(location, "DELETE FROM tuner_refit")
    assert look(location, fix=True)["leftovers"].status == "ok"
    location.file.with_name("copy.db").replace(location.file)
    model.path.write_text("54321")
    assert look(location)["files"].cases == (
        f"refit of trial 4 of 'small': study-00001/{model.path.name} was changed (SHA-256)",
    )


def test_files_that_no_row_names_are_removed_when_asked(location: Location) -> None:
    """Left by a crash; a file of somebody else in the folder stays."""
    folder = location.artifacts
    left = [folder / "study-00001" / ".trial-00003.77.tmp.keras", folder / "study-00099" / "trial-00000.keras"]
    for path in left:
        path.parent.mkdir(exist_ok=True)
        path.write_text("half")
    (folder / "notes.txt").write_text("mine")
    named = look(location)["leftovers"]
    before = contents(location)
    found = examined(location, fix=True)

    assert named.status == "warning"
    assert named.hint == "tuner doctor --fix"
    assert len(named.cases) == 2
    assert sorted(found.removed) == sorted(map(str, left))
    assert not (folder / "study-00099").exists()
    kept = {path: content for path, content in before.items() if not any(str(each).endswith(path) for each in left)}
    assert contents(location) == kept


def test_files_of_a_running_study_are_never_touched(location: Location) -> None:
    """Its models are written before their rows."""
    path = location.artifacts / "study-00001" / ".trial-00006.1.tmp.keras"
    path.write_text("half")
    store = open_store(location)
    with store.lease(1, "small"):
        found = look(location, fix=True)
        assert found["leftovers"].status == "ok"
        assert found["runs"].cases == (f"'small' by process {os.getpid()} on {socket.gethostname()}",)
        assert path.exists()
    store.close()

    assert look(location, fix=True)["leftovers"].message == "1 file that no row named removed"
    assert not path.exists()


def test_models_of_another_database_in_the_folder_are_not_leftovers(location: Location, tmp_path: Path) -> None:
    """A neighbour, or an older copy of the same database, may name them."""
    backup(location, location.file.with_name("copy.db"))
    execute(location, "DELETE FROM tuner_model WHERE trial_number = 0", "DELETE FROM tuner_model WHERE id = 1")
    assert look(location, fix=True)["leftovers"].status == "ok"

    elsewhere = Location(locate(f"sqlite:///{tmp_path}/elsewhere.db").url, location.artifacts)
    backup(location, elsewhere.file)
    location.file.with_name("copy.db").unlink()
    location.file.unlink()
    found = look(elsewhere, fix=True)["leftovers"]
    assert found.status == "warning"
    assert "another database may use the folder too" in str(found.hint)
    assert len(list(location.artifacts.rglob("*.keras"))) == 5


def test_a_run_that_was_killed_is_a_warning(location: Location) -> None:
    """The next start takes over, so nothing has to be mended."""
    store = open_store(location)
    lease = store.lease(1, "small")
    lease.owner = f"{socket.gethostname()}:1:never"
    lease.acquire()
    study = optuna.load_study(study_name="small", storage=store.optuna)
    study.ask()
    store.close()
    found = look(location)

    assert found["runs"].status == "warning"
    assert found["runs"].cases == (f"'small' by process 1 on {socket.gethostname()}",)
    assert found["trials"].status == "warning"
    assert found["trials"].cases == ("'small': 6",)


def test_trials_of_a_live_run_are_not_left_behind(location: Location) -> None:
    """They are being trained."""
    store = open_store(location)
    with store.lease(1, "small"):
        optuna.load_study(study_name="small", storage=store.optuna).ask()
        assert look(location)["trials"].status == "ok"
    store.close()


def test_rows_of_a_study_that_optuna_lost_are_removed_when_asked(location: Location) -> None:
    """With all that refers to them; other studies stay as they are."""
    home = location.artifacts.parent
    run_scripted(home, small_recipe(), name="other")
    store = open_store(location)
    optuna.delete_study(study_name="small", storage=store.optuna)
    store.close()
    named = look(location)
    found = examined(location, fix=True)

    assert named["rows"].status == "problem"
    assert named["rows"].hint == "tuner doctor --fix"
    assert found.removed[0] == "row 1 of tuner_study: Optuna has no such study"
    assert len([path for path in found.removed if "study-00001" in path]) == 5
    assert {check.status for check in look(location).values() if check.name != "data"} == {"ok"}
    assert len(trials_of(home, small_recipe(), "other")) == 6


def test_an_import_that_died_is_removed_when_asked(location: Location) -> None:
    """Its study has no name yet; one that goes on is left alone."""
    store = open_store(location)
    for owner, token in ((f"{socket.gethostname()}:1:never", "a" * 32), (this_owner(), "b" * 32)):
        optuna.create_study(storage=store.optuna, study_name=f"tuner-import {owner} {token}")
        (location.artifacts / f".import-{token}" / "models").mkdir(parents=True)
        (location.artifacts / f".import-{token}" / "models" / "trial-00000.keras").write_text("half")
    found = look(location, fix=True)
    names = optuna.get_all_study_names(store.optuna)
    store.close()

    assert "removed" in found["rows"].message
    assert names == ["small", f"tuner-import {this_owner()} {'b' * 32}"]
    assert [path.name for path in location.artifacts.glob(".import-*")] == [f".import-{'b' * 32}"]
    assert found["leftovers"].message == "a study is being imported"


def test_a_network_folder_is_a_problem(location: Location, monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL is the way out (fault 10)."""
    monkeypatch.setattr(studies, "network_type", lambda path: "nfs4")
    check = look(location)["folder"]

    assert check.status == "problem"
    assert "network folder (nfs4)" in check.message
    assert "postgresql://" in str(check.hint)


def test_data_that_a_study_needs_are_missed(
    location: Location, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And how to get them; nothing is downloaded."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    assert look(location)["data"].status == "ok"
    assert "fashion_mnist: not here" in look(location)["data"].cases
    run_scripted(location.artifacts.parent, small_recipe(data="mnist"), name="images")
    check = look(location)["data"]

    assert check.status == "warning"
    assert check.message == "studies need mnist, which is not on this machine"
    assert check.hint == "tuner data fetch mnist"


@pytest.mark.parametrize(
    ("code", "status", "said"),
    [
        ("print('device: cpu')", "ok", "no GPU was found"),
        ("print('noise'); print('device: H200')", "ok", "GPU: H200"),
        ("raise SystemExit('no driver')", "problem", "no trainer can start: no driver"),
        ("import time; time.sleep(60)", "problem", "did not start within 1 s"),
    ],
)
def test_the_device_is_looked_for_in_a_process_of_its_own(
    monkeypatch: pytest.MonkeyPatch, code: str, status: str, said: str
) -> None:
    """It may print, fail or hang without harm."""
    monkeypatch.setattr(machine, "_LOOK", code)
    monkeypatch.setattr(machine, "DEVICE_LIMIT", 1.0 if "sleep" in code else 60.0)
    found = Examination()
    machine.examine_device(found)

    assert (found.checks[0].status, said in found.checks[0].message) == (status, True)


@pytest.mark.slow
def test_a_real_trainer_tells_its_device(location: Location) -> None:
    """The doctor itself never imports TensorFlow."""
    script = (
        "import sys; from pathlib import Path; from storage import locate; from tuner.doctor import examine\n"
        f"found = examine(locate(home=Path({str(location.artifacts.parent)!r})))\n"
        "print([check.status for check in found.checks if check.name == 'device'], 'tensorflow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-1] == "['ok'] False"
