"""The commands that check, repair, copy and move studies: stdout, stderr and exit codes."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tuner_storage import locate
from tuner_storage.opening import HEAD

from tests.recipes import small_recipe
from tests.runs import run_scripted
from tests.storage.test_maintenance import make_older
from tuner.cli.main import main

Tuner = Callable[..., Result]


@pytest.fixture
def tuner(home: Path) -> Tuner:
    """The command, on a home with a finished study."""
    run_scripted(home, small_recipe())

    def run(*words: str, home: Path = home) -> Result:
        return CliRunner().invoke(main, [*words, "--home", str(home)])

    return run


def test_check_reports_and_names_the_next_command(tuner: Tuner) -> None:
    """Exit code 0 and one line on stdout."""
    result = tuner("storage", "check")
    assert result.exit_code == 0
    assert result.stdout.endswith(f"studies.db is sound: sqlite, schema {HEAD}\n")
    assert "tuner doctor" in result.stderr

    report = json.loads(tuner("storage", "check", "--json").stdout)
    assert (report["ok"], report["schema"], report["damage"], report["dangling"]) == (True, HEAD, [], [])


def test_check_of_a_broken_database_ends_with_3(tuner: Tuner, home: Path) -> None:
    """The JSON is printed as well."""
    with closing(sqlite3.connect(home / "studies.db")) as connection:
        connection.execute("DELETE FROM tuner_study")
        connection.commit()
    result = tuner("storage", "check", "--json")

    assert result.exit_code == 3
    assert json.loads(result.stdout)["ok"] is False
    assert "has rows that refer to missing rows" in result.stderr
    assert tuner("storage", "check").stdout.startswith("row ")


def test_backup_prints_the_copy(tuner: Tuner, tmp_path: Path) -> None:
    """It also prints where the models are. An existing file is replaced only with `--force`."""
    copy = tmp_path / "copy.db"
    result = tuner("storage", "backup", str(copy))
    assert result.exit_code == 0
    assert result.stdout == f"{copy}\n"
    assert "artifacts" in result.stderr
    assert tuner("storage", "backup", str(copy)).exit_code == 2

    report = json.loads(tuner("storage", "backup", str(copy), "--force", "--json").stdout)
    assert report["bytes"] == copy.stat().st_size
    listed = CliRunner().invoke(main, ["study", "list", "--json", "--storage", f"sqlite:///{copy}"])
    assert [study["study"] for study in json.loads(listed.stdout)] == ["small"]


def test_an_older_database_is_upgraded_on_demand(tuner: Tuner, home: Path) -> None:
    """Before, every other command says how to upgrade; afterwards they all work (fault 8)."""
    make_older(locate(home=home))
    refused = tuner("study", "show", "small")
    assert refused.exit_code == 3
    assert "tuner storage upgrade" in refused.stderr
    assert tuner("storage", "check").exit_code == 3

    result = tuner("storage", "upgrade")
    assert result.exit_code == 0
    assert result.stdout.endswith(f"has schema {HEAD} now\n")
    assert "studies.db.schema-0001.backup" in result.stderr
    assert tuner("study", "show", "small").exit_code == 0
    assert len(json.loads(tuner("study", "trials", "small", "--json").stdout)) == 6
    again = tuner("storage", "upgrade")
    assert "is up to date" in again.stdout
    report = json.loads(tuner("storage", "upgrade", "--json").stdout)
    assert (report["changed"], report["backup"]) == (False, None)


def test_doctor_ends_with_1_if_there_is_a_problem(tuner: Tuner, home: Path) -> None:
    """The table and the JSON name the check, its result and the file."""
    fine = tuner("doctor", "--quick")
    assert fine.exit_code == 0
    assert "5 files in" in fine.stdout
    model = next((home / "artifacts").rglob("*.keras"))
    model.unlink()
    result = tuner("doctor", "--quick")
    assert result.exit_code == 1
    assert "problem" in result.stdout
    assert model.name in result.stdout.replace("\n", "")

    report = json.loads(tuner("doctor", "--quick", "--json").stdout)
    assert report["problems"] == 1
    assert {check["name"] for check in report["checks"] if check["status"] == "problem"} == {"files"}


def test_doctor_removes_leftovers_on_demand(tuner: Tuner, home: Path) -> None:
    """Without `--fix` it only recommends `--fix`; with it, it lists what it removed."""
    left = home / "artifacts" / "study-00009" / "trial-00000.keras"
    left.parent.mkdir()
    left.write_text("x")
    assert "tuner doctor --fix" in tuner("doctor", "--quick").stderr
    assert left.exists()
    result = tuner("doctor", "--quick", "--fix")

    assert f"removed {left}" in result.stderr
    assert not left.exists()


def test_a_study_is_moved_to_another_home(tuner: Tuner, home: Path, tmp_path: Path) -> None:
    """Both commands print the next one to type."""
    file = tmp_path / "small study.zip"
    written = tuner("study", "export-archive", "small", str(file))
    assert written.exit_code == 0
    assert written.stdout == f"{file}\n"
    assert f"tuner study import '{file}'" in written.stderr
    assert tuner("study", "export-archive", "small", str(file)).exit_code == 2
    report = json.loads(tuner("study", "export-archive", "small", str(file), "--force", "--json").stdout)
    assert (report["trials"], report["models"], report["left_out"]) == (6, 5, [])

    other = tmp_path / "other"
    brought = tuner("study", "import", str(file), home=other)
    assert brought.exit_code == 0
    assert brought.stdout == "small\n"
    assert "tuner study start small" in brought.stderr
    assert (
        tuner("study", "trials", "small", "--json", home=other).stdout
        == tuner("study", "trials", "small", "--json").stdout
    )
    assert tuner("study", "import", str(file), home=other).exit_code == 2
    named = json.loads(tuner("study", "import", str(file), "--name", "b/c", "--json", home=other).stdout)
    assert named == {"study": "b/c", "trials": 6, "waiting": 0, "models": 5, "refit": False}
    assert tuner("doctor", "--quick", home=other).exit_code == 0


def test_an_unknown_study_cannot_be_archived(tuner: Tuner, tmp_path: Path) -> None:
    """The hint names the most similar study, and no file appears (fault 37)."""
    result = tuner("study", "export-archive", "smal", str(tmp_path / "x.zip"))

    assert result.exit_code == 2
    assert "did you mean 'small'?" in result.stderr
    assert not (tmp_path / "x.zip").exists()
