"""Paths in rows that another program wrote lead nowhere: they are neither read nor removed."""

from __future__ import annotations

import shutil
import sqlite3
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tuner_storage import locate
from tuner_storage.local_artifacts import LocalArtifacts

from tests.doctor.conftest import examined
from tests.recipes import small_recipe
from tests.runs import rows, run_scripted, trials_of
from tuner.cli.main import main
from tuner.errors import StorageError
from tuner.files import sha256_of

ROW = "study_id, trial_number, path, sha256, size"
TABLES = {
    "tuner_checkpoint": (f"{ROW}, epochs", "1"),
    "tuner_model": (ROW, ""),
    "tuner_refit": (f"{ROW}, epochs, rows, metrics, seconds, created", "1, 10, '{}', 0.1, '2026-01-01 00:00:00'"),
}


def tuner(home: Path, *command: str) -> Result:
    """Run a command."""
    return CliRunner().invoke(main, [*command, "--home", str(home)])


def plant(home: Path, table: str, path: str, file: Path, number: int = 0) -> None:
    """Write a row that names a file, as another program could."""
    columns, more = TABLES[table]
    values = f"1, {number}, ?, ?, ?{', ' if more else ''}{more}"
    with closing(sqlite3.connect(home / "studies.db")) as connection:
        connection.execute(f"DELETE FROM {table}")
        row = (path, sha256_of(file), file.stat().st_size)
        connection.execute(f"INSERT INTO {table} ({columns}) VALUES ({values})", row)
        connection.commit()


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home folder of a finished study. No test changes it."""
    home = tmp_path_factory.mktemp("finished") / ".tuner"
    run_scripted(home, small_recipe())
    return home


@pytest.fixture
def victim(home: Path, finished: Path) -> Path:
    """A file of the user outside the artifact folder of a finished study."""
    shutil.copytree(finished, home)
    file = home.parent / "victim.txt"
    file.write_text("years of work")
    return file


def _above(home: Path, victim: Path) -> str:
    return "../../victim.txt"


def _above_through_a_folder_of_ours(home: Path, victim: Path) -> str:
    return "study-00001/../../../victim.txt"


def _absolute(home: Path, victim: Path) -> str:
    return str(victim)


def _through_a_link(home: Path, victim: Path) -> str:
    (home / "artifacts" / "study-00077").symlink_to(victim.parent)
    shutil.copyfile(victim, victim.with_name("trial-00000.keras"))
    return "study-00077/trial-00000.keras"


def _a_link(home: Path, victim: Path) -> str:
    (home / "artifacts" / "study-00001" / "trial-00099.keras").symlink_to(victim)
    return "study-00001/trial-00099.keras"


def _another_name(home: Path, victim: Path) -> str:
    shutil.copyfile(victim, home / "artifacts" / "study-00001" / "notes.txt")
    return "study-00001/notes.txt"


FOREIGN: list[Callable[[Path, Path], str]] = [
    _above, _above_through_a_folder_of_ours, _absolute, _through_a_link, _a_link, _another_name
]  # fmt: skip


def files_of(folder: Path) -> dict[str, bytes]:
    """Return every file outside the database."""
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file() and ".db" not in path.name}


def copies(victim: Path) -> list[Path]:
    """Return every file with the content of the victim."""
    return [path for path in victim.parent.rglob("*") if path.is_file() and path.read_bytes() == b"years of work"]


@pytest.mark.parametrize("foreign", FOREIGN)
def test_the_doctor_names_rows_that_lead_elsewhere_and_removes_nothing(
    home: Path, victim: Path, foreign: Callable[[Path, Path], str]
) -> None:
    """Size and checksum of the file are right, so only its place tells that it is none of ours."""
    path = foreign(home, victim)
    for table in TABLES:
        plant(home, table, path, victim)
    before = copies(victim)
    examination = examined(locate(home=home), fix=True)

    (files,) = [check for check in examination.checks if check.name == "files"]
    assert files.status == "problem"
    assert [f"{path} is no file that tuner wrote in" in case for case in files.cases] == [True] * len(TABLES)
    assert copies(victim) == before


@pytest.mark.parametrize("foreign", [_above, _absolute, _through_a_link])
@pytest.mark.parametrize("table", TABLES)
def test_a_run_removes_no_file_that_it_did_not_write(
    home: Path, victim: Path, table: str, foreign: Callable[[Path, Path], str]
) -> None:
    """The run goes on as if the file were missing: it replaces the refit, and drops the model and the checkpoint."""
    path = foreign(home, victim)
    worst = min(trials_of(home, small_recipe()), key=lambda trial: trial.value or 0)
    plant(home, table, path, victim, worst.number)
    before = copies(victim)
    recipe = small_recipe(budget={"trials": 8, "epochs": 4, "keep": 1}, winner={"refit": True})
    run_scripted(home, recipe)

    assert copies(victim) == before
    assert not rows(home, f"SELECT path FROM {table} WHERE path = '{path}'")
    assert [trial.state for trial in trials_of(home, recipe)] == ["complete"] * 8


@pytest.mark.parametrize("foreign", [_above, _absolute, _through_a_link])
def test_a_trial_does_not_continue_from_a_checkpoint_that_leads_elsewhere(
    home: Path, victim: Path, foreign: Callable[[Path, Path], str]
) -> None:
    """It begins with its first epoch, as without a checkpoint."""
    plant(home, "tuner_checkpoint", foreign(home, victim), victim, 6)
    run_scripted(home, small_recipe(budget={"trials": 7, "epochs": 4}))

    assert rows(home, "SELECT first_epoch FROM tuner_attempt WHERE trial_number = 6") == [(0,)]
    assert victim.read_text() == "years of work"


@pytest.mark.parametrize("foreign", [_above, _absolute, _through_a_link])
def test_models_that_lead_elsewhere_are_neither_exported_nor_archived(
    home: Path, victim: Path, foreign: Callable[[Path, Path], str]
) -> None:
    """A foreign file would leave this machine in an archive; its SHA-256 in the row is right."""
    best = max(trials_of(home, small_recipe()), key=lambda trial: trial.value or 0)
    plant(home, "tuner_model", foreign(home, victim), victim, best.number)
    archive = home.parent / "small.zip"
    exported = tuner(home, "export", "small", "-o", str(home.parent / "model"))
    archived = tuner(home, "study", "export-archive", "small", str(archive))

    assert exported.exit_code == 1
    assert f"the model of trial {best.number} of 'small' is missing" in exported.stderr
    assert archived.exit_code == 0, archived.stderr
    with zipfile.ZipFile(archive) as written:
        assert written.namelist() == ["manifest.json"]
    assert victim.read_text() == "years of work"


def test_a_model_that_leads_elsewhere_is_not_tested(home: Path, victim: Path) -> None:
    """The trainer would open it. The run ends with one line, as if the model were missing."""
    best = max(trials_of(home, small_recipe()), key=lambda trial: trial.value or 0)
    plant(home, "tuner_model", "../../victim.txt", victim, best.number)

    with pytest.raises(StorageError, match=r"names a file that is not a model of tuner in .*: '../../victim.txt'"):
        run_scripted(home, small_recipe())


def test_no_model_is_written_through_a_link(home: Path, victim: Path) -> None:
    """A study's folder that is a link was planted: tuner makes none."""
    shutil.rmtree(home / "artifacts" / "study-00001")
    (home / "artifacts" / "study-00001").symlink_to(victim.parent)

    with pytest.raises(StorageError, match="study-00001 is a link"):
        run_scripted(home, small_recipe(budget={"trials": 7, "epochs": 4}))
    assert not list(victim.parent.glob("trial-*"))


def test_deleting_a_study_follows_no_link(home: Path, victim: Path) -> None:
    """Its rows are removed; what the link leads to stays."""
    shutil.rmtree(home / "artifacts" / "study-00001")
    (home / "artifacts" / "study-00001").symlink_to(victim.parent)
    deleted = tuner(home, "study", "delete", "small", "--yes")

    assert deleted.exit_code == 0, deleted.stderr
    assert victim.read_text() == "years of work"


def test_every_file_that_tuner_writes_has_a_name_of_its_own(tmp_path: Path) -> None:
    """Models, refits, restored models and checkpoints of any attempt are found again by their rows."""
    artifacts = LocalArtifacts(tmp_path)
    models = [artifacts.model_path(123456, 123456), artifacts.model_path(1, 0, 12)]
    others = [artifacts.refit_path(1, 0), artifacts.restored_path(1, 0)]
    checkpoints = [model.with_name(f"{model.stem}.after-00003.npz") for model in models]

    for path in (*models, *others, *checkpoints):
        relative = artifacts.relative(path)
        assert artifacts.find(relative) == path
        assert LocalArtifacts.is_own(relative)


def test_a_linked_folder_of_artifacts_is_used(home: Path, tmp_path: Path) -> None:
    """Only links below it are refused: the user may have put the whole folder on another disk."""
    (tmp_path / "disk").mkdir()
    home.mkdir()
    (home / "artifacts").symlink_to(tmp_path / "disk")
    run_scripted(home, small_recipe())

    assert examined(locate(home=home)).problems == 0
    assert list((tmp_path / "disk" / "study-00001").iterdir())


@pytest.mark.parametrize("value", [None, 7, b"study-00001/trial-00000.keras", "study-00001/trial-00000.keras\n"])
def test_a_value_of_another_type_is_no_path(tmp_path: Path, value: object) -> None:
    """SQLite stores values of any type in any column."""
    assert LocalArtifacts(tmp_path).find(value) is None
