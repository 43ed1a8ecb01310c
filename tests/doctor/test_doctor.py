"""The checks of database and artifacts, and what ``fix`` removes: only files and rows that nothing refers to."""

from __future__ import annotations

import os
import socket
import sqlite3
from contextlib import closing
from pathlib import Path

import optuna
import pytest
from sqlalchemy import insert
from tuner_storage import Location, locate, open_store
from tuner_storage.maintenance import backup
from tuner_storage.owner import this_owner
from tuner_storage.tables import CheckpointRow

from tests.doctor.conftest import checks, examined
from tests.recipes import small_recipe
from tests.runs import run_scripted, trials_of
from tests.scripted import write_model
from tests.storage.test_identity import rename
from tuner.doctor import studies
from tuner.events import RefitEnd
from tuner.output_file import OutputFile


def execute(location: Location, *statements: str) -> None:
    """Change a database without our code."""
    with closing(sqlite3.connect(location.file)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def contents(location: Location) -> dict[str, bytes]:
    """Return every file of the home folder."""
    home = location.artifacts.parent
    return {path.relative_to(home).as_posix(): path.read_bytes() for path in home.rglob("*") if path.is_file()}


def test_every_check_of_a_healthy_home_is_ok(location: Location) -> None:
    """Even with ``fix``, no byte of any file changes."""
    before = contents(location)
    examination = examined(location, fix=True)

    assert {check.status for check in examination.checks if check.name != "data"} == {"ok"}
    assert examination.problems == 0
    assert examination.removed == []
    assert contents(location) == before


def test_a_missing_database_is_no_problem(home: Path) -> None:
    """It is not created either."""
    examination = examined(locate(home=home))

    assert examination.problems == 0
    assert "there is no database in" in examination.checks[1].message
    assert not home.exists()


def test_a_file_that_is_not_a_database_is_a_problem(home: Path) -> None:
    """The machine is checked nevertheless (fault 1)."""
    home.mkdir()
    (home / "studies.db").write_text("my thesis")
    results = checks(locate(home=home))

    assert results["database"].status == "problem"
    assert "is not an SQLite database" in results["database"].message
    assert results["versions"].status == "ok"


def test_an_older_schema_is_a_problem(location: Location) -> None:
    """The hint is the command that upgrades it, and the files are not checked (fault 8)."""
    execute(location, "UPDATE tuner_alembic_version SET version_num = '0001'")
    results = checks(location)

    assert results["database"].status == "problem"
    assert "tuner storage upgrade" in str(results["database"].hint)
    assert "files" not in results


def test_missing_short_and_changed_models_are_named(location: Location) -> None:
    """Every case names the trial and what is wrong; no row is removed (fault 38)."""
    gone, short, changed, *_ = sorted(location.artifacts.rglob("*.keras"))
    gone.unlink()
    short.write_bytes(b"")
    content = bytearray(changed.read_bytes())
    content[0] ^= 1
    changed.write_bytes(content)
    check = checks(location, fix=True)["files"]

    assert check.status == "problem"
    assert check.message.startswith("3 of 5 files in ")
    for path, fault in ((gone, "is missing"), (short, "has 0 bytes"), (changed, "was changed (SHA-256)")):
        assert any(path.name in case and fault in case and "of 'small'" in case for case in check.cases)
    assert len(checks(location, quick=True)["files"].cases) == 2  # the checksums were not read
    assert sum(trial.kept for trial in trials_of(location.artifacts.parent, small_recipe())) == 5


def test_checkpoints_are_checked_too(location: Location) -> None:
    """Missing and changed checkpoints are named, as models are."""
    path = "study-00001/trial-00003.after-00002.npz"
    store = open_store(location)
    with store.database.write() as session:
        session.execute(
            insert(CheckpointRow).values(
                study_id=1,
                trial_number=3,
                epochs=2,
                path="study-00001/trial-00003.after-00002.npz",
                sha256="0" * 64,
                size=5,
            )
        )
    store.close()

    assert checks(location)["files"].cases == (f"checkpoint of trial 3 of 'small': {path} is missing",)
    (location.artifacts / path).write_bytes(b"12345")
    assert "was changed" in checks(location)["files"].cases[0]


def test_the_refit_is_checked_too(location: Location) -> None:
    """Its file is not a leftover, nor is one in a copy of the database; a changed file is named."""
    store = open_store(location)
    model = write_model(store.artifacts.refit_path(1, 4), "12345")
    leftover = write_model(store.artifacts.refit_path(1, 4), "of a run that was killed")
    store.set_refit(1, RefitEnd(4, {}, 2, 1000, model))
    store.close()
    backup(location, OutputFile(location.file.with_name("copy.db")))
    files = checks(location)["files"]
    assert files.status == "ok"
    assert files.message.startswith(f"6 files in {location.artifacts} are intact, ")
    assert examined(location, fix=True).removed == [str(leftover.path)]

    execute(location, "DELETE FROM tuner_refit")
    assert checks(location, fix=True)["leftovers"].status == "ok"
    location.file.with_name("copy.db").replace(location.file)
    model.path.write_text("54321")
    assert checks(location)["files"].cases == (
        f"refit of trial 4 of 'small': study-00001/{model.path.name} was changed (SHA-256)",
    )


def test_fix_removes_files_that_no_row_refers_to(location: Location) -> None:
    """Files that a crash left are removed; a file of the user stays."""
    folder = location.artifacts
    leftovers = [folder / "study-00001" / ".trial-00003.77.tmp.keras", folder / "study-00099" / "trial-00000.keras"]
    for path in leftovers:
        path.parent.mkdir(exist_ok=True)
        path.write_text("half")
    (folder / "notes.txt").write_text("mine")
    check = checks(location)["leftovers"]
    before = contents(location)
    examination = examined(location, fix=True)

    assert check.status == "warning"
    assert check.hint == "tuner doctor --fix"
    assert len(check.cases) == 2
    assert sorted(examination.removed) == sorted(map(str, leftovers))
    assert not (folder / "study-00099").exists()
    removed = {path.relative_to(folder.parent).as_posix() for path in leftovers}
    assert contents(location) == {path: content for path, content in before.items() if path not in removed}


def test_files_of_a_running_study_are_never_removed(location: Location) -> None:
    """A run writes the file of a model before its row."""
    path = location.artifacts / "study-00001" / ".trial-00006.1.tmp.keras"
    path.write_text("half")
    store = open_store(location)
    with store.lease(1, "small"):
        results = checks(location, fix=True)
        assert results["leftovers"].status == "ok"
        assert results["runs"].cases == (f"'small' by process {os.getpid()} on {socket.gethostname()}",)
        assert path.exists()
    store.close()

    assert checks(location, fix=True)["leftovers"].message == "1 file that no row refers to: removed"
    assert not path.exists()


def test_models_of_another_database_in_the_folder_are_not_leftovers(location: Location, tmp_path: Path) -> None:
    """Another database, or an older copy of the same one, may refer to them."""
    backup(location, OutputFile(location.file.with_name("copy.db")))
    execute(location, "DELETE FROM tuner_model WHERE trial_number = 0", "DELETE FROM tuner_model WHERE id = 1")
    assert checks(location, fix=True)["leftovers"].status == "ok"

    elsewhere = Location(locate(f"sqlite:///{tmp_path}/elsewhere.db").url, location.artifacts)
    backup(location, OutputFile(elsewhere.file))
    location.file.with_name("copy.db").unlink()
    location.file.unlink()
    check = checks(elsewhere, fix=True)["leftovers"]
    assert check.status == "warning"
    assert "another database may use the folder too" in str(check.hint)
    assert len(list(location.artifacts.rglob("*.keras"))) == 5


def test_a_run_that_was_killed_is_a_warning(location: Location) -> None:
    """It is no problem, because the next start continues the study."""
    store = open_store(location)
    lease = store.lease(1, "small")
    lease.owner = f"{socket.gethostname()}:1:never"
    lease.acquire()
    study = optuna.load_study(study_name="small", storage=store.optuna)
    study.ask()
    store.close()
    results = checks(location)

    assert results["runs"].status == "warning"
    assert results["runs"].cases == (f"'small' by process 1 on {socket.gethostname()}",)
    assert results["trials"].status == "warning"
    assert results["trials"].cases == ("'small': 6",)


def test_running_trials_of_a_live_run_are_ok(location: Location) -> None:
    """Only those of a crashed run are reported."""
    store = open_store(location)
    with store.lease(1, "small"):
        optuna.load_study(study_name="small", storage=store.optuna).ask()
        assert checks(location)["trials"].status == "ok"
    store.close()


def test_fix_removes_rows_of_a_study_that_optuna_lost(location: Location) -> None:
    """Their files are removed too; other studies do not change."""
    home = location.artifacts.parent
    run_scripted(home, small_recipe(), name="other")
    store = open_store(location)
    optuna.delete_study(study_name="small", storage=store.optuna)
    store.close()
    results = checks(location)
    examination = examined(location, fix=True)

    assert results["rows"].status == "problem"
    assert results["rows"].hint == "tuner doctor --fix"
    assert examination.removed[0] == "row 1 of tuner_study: Optuna has no such study"
    assert len([path for path in examination.removed if "study-00001" in path]) == 5
    assert {check.status for check in checks(location).values() if check.name != "data"} == {"ok"}
    assert len(trials_of(home, small_recipe(), "other")) == 6


def test_fix_removes_nothing_of_a_renamed_study(location: Location) -> None:
    """The Optuna dashboard renames a study by copying it to a new id. It is no study that Optuna lost."""
    store = open_store(location)
    rename(store, "small", "better")
    store.close()
    before = {path.relative_to(location.artifacts) for path in location.artifacts.rglob("*")}
    examination = examined(location, fix=True)

    assert {check.status for check in examination.checks if check.name != "data"} == {"ok"}
    assert examination.removed == []
    assert {path.relative_to(location.artifacts) for path in location.artifacts.rglob("*")} == before
    assert len(trials_of(location.artifacts.parent, small_recipe(), "better")) == 6


def test_fix_removes_an_import_that_crashed(location: Location) -> None:
    """An import that is still running stays."""
    store = open_store(location)
    for owner, token in ((f"{socket.gethostname()}:1:never", "a" * 32), (this_owner(), "b" * 32)):
        optuna.create_study(storage=store.optuna, study_name=f"tuner-import {owner} {token}")
        (location.artifacts / f".import-{token}" / "models").mkdir(parents=True)
        (location.artifacts / f".import-{token}" / "models" / "trial-00000.keras").write_text("half")
    results = checks(location, fix=True)
    names = optuna.get_all_study_names(store.optuna)
    store.close()

    assert "removed" in results["rows"].message
    assert names == ["small", f"tuner-import {this_owner()} {'b' * 32}"]
    assert [path.name for path in location.artifacts.glob(".import-*")] == [f".import-{'b' * 32}"]
    assert results["leftovers"].message == "a study is being imported"


def test_a_network_folder_is_a_problem(location: Location, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hint names PostgreSQL (fault 10)."""
    monkeypatch.setattr(studies, "network_type", lambda path: "nfs4")
    check = checks(location)["folder"]

    assert check.status == "problem"
    assert "network folder (nfs4)" in check.message
    assert "postgresql://" in str(check.hint)
