"""``study reproduce``, and the versions and devices in ``study show``."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tuner.cli.main import main

Tuner = Callable[..., Result]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a finished study of one trial."""
    home = tmp_path_factory.mktemp("reproduce") / ".tuner"
    words = ["study", "start", "digits", "--trials", "1", "--epochs", "2", "--pruner", "none", "--device", "cpu"]
    result = CliRunner().invoke(main, [*words, "--executor", "inline", "--home", str(home)])
    assert result.exit_code == 0, result.stderr
    return home


@pytest.fixture
def tuner(home: Path) -> Tuner:
    return lambda *args: CliRunner().invoke(main, ["study", *args, "--home", str(home)])


@pytest.fixture
def write(home: Path) -> Callable[[str], None]:
    """Change the database; every test undoes its change."""

    def run(statement: str) -> None:
        with sqlite3.connect(home / "studies.db") as connection:
            connection.execute(statement)

    return run


def test_a_reproduced_trial_ends_with_0(tuner: Tuner) -> None:
    """The comparison is on stdout, the epochs and the next command are on stderr."""
    result = tuner("reproduce", "digits", "--executor", "inline")

    assert result.exit_code == 0, result.stderr
    assert "Trial 0 trained again: its best epoch, " in result.stdout
    assert [line.split()[0] for line in result.stdout.splitlines() if " 0." in line or " 2." in line] == [
        "loss", "accuracy", "val_loss", "val_accuracy",
    ]  # fmt: skip
    assert result.stdout.endswith("Reproduced: all 2 epochs are equal to the last bit.\n")
    assert "epoch   1   val_accuracy 0." in result.stderr
    assert "tuner study trials digits --attempts" in result.stderr


def test_the_comparison_is_one_json_object(tuner: Tuner) -> None:
    """It has the documented keys; epochs count from 0."""
    result = tuner("reproduce", "digits", "--trial", "0", "--executor", "inline", "--json")
    comparison = json.loads(result.stdout)

    assert result.exit_code == 0
    assert set(comparison) == {
        "study", "trial", "state", "label", "objective", "reproduced", "verdict", "value", "metrics", "best_epoch",
        "epochs", "trained", "first_difference", "reason", "changes", "restored",
    }  # fmt: skip
    assert (comparison["reproduced"], comparison["verdict"], comparison["changes"]) == (True, "equal", {})
    assert set(comparison["metrics"]["val_loss"]) == {"then", "now", "difference"}


def test_a_trial_that_is_not_reproduced_ends_with_1(tuner: Tuner, write: Callable[[str], None]) -> None:
    """The output names the first epoch that differs, and possible causes."""
    by = "UPDATE tuner_epoch SET metrics = json_set(metrics, '$.loss', json_extract(metrics, '$.loss') {} 0.5) "
    write(by.format("+") + "WHERE epoch = 1")
    result = tuner("reproduce", "digits", "--executor", "inline")
    write(by.format("-") + "WHERE epoch = 1")

    assert result.exit_code == 1
    assert result.stdout.endswith("Not reproduced: epoch 2 of 2 is the first that differs by more than 0.0001.\n")
    assert "Error: trial 0 of 'digits' was not reproduced\nHint:  the versions are the same;" in result.stderr


def test_a_version_that_differs_is_shown(tuner: Tuner, write: Callable[[str], None]) -> None:
    """By `reproduce` in a line and by `show` among the settings, but only if it differs."""
    assert " then, " not in tuner("show", "digits").stdout
    assert json.loads(tuner("show", "digits", "--json").stdout)["changes"] == {}
    write("UPDATE tuner_study SET environment = json_set(environment, '$.keras', '3.0.0')")
    shown, reproduced = tuner("show", "digits"), tuner("reproduce", "digits", "--executor", "inline")

    assert "3.0.0 then, 3." in shown.stdout
    assert "\nkeras: 3.0.0 then, 3." in reproduced.stdout
    assert list(json.loads(tuner("show", "digits", "--json").stdout)["changes"]) == ["keras"]


def test_devices_are_shown_if_there_are_several(tuner: Tuner, write: Callable[[str], None]) -> None:
    """As after a study has moved to another machine."""
    assert "devices" not in tuner("show", "digits").stdout
    write(
        "INSERT INTO tuner_attempt (study_id, trial_number, attempt, owner, device, started, first_epoch) "
        "SELECT study_id, 1, 0, owner, 'H200', started, 0 FROM tuner_attempt"
    )
    assert "cpu, H200" in tuner("show", "digits").stdout


def test_an_unknown_trial_ends_with_2(tuner: Tuner) -> None:
    """Nothing is trained."""
    result = tuner("reproduce", "digits", "--trial", "9")
    assert result.exit_code == 2
    assert result.stderr == "Error: study 'digits' has no trial 9\nHint:  number of trials: 1, counted from 0\n"
