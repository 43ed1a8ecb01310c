"""The CSV file has every trial, is safe to open in a spreadsheet, and is never partial."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pytest

from tuner.errors import UsageError
from tuner.report.csv import write_csv
from tuner.results.trials import TrialResult

TRIAL = TrialResult(
    number=0,
    state="complete",
    value=0.9625,
    params={"learning_rate": 0.01},
    all_params={"learning_rate": 0.01, "optimizer": "adam", "batch_norm": False},
    metrics={"val_accuracy": 0.9625, "val_loss": 0.125},
    best_epoch=3,
    epochs=6,
    seconds=1.5,
    parameters=2410,
    label="known, good",
    reason=None,
    kept=True,
    test=None,
)
FAILED = replace(
    TRIAL, number=1, state="failed", value=None, metrics={}, all_params={"momentum": 0.9}, best_epoch=None, label=None
)


def read(path: Path) -> list[dict[str, str]]:
    """Read the file as any program would."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_every_trial_is_a_line(tmp_path: Path) -> None:
    """With metrics and all parameters. Missing values are empty; commas and quotes are preserved."""
    write_csv(tmp_path / "trials.csv", [TRIAL, FAILED])
    first, second = read(tmp_path / "trials.csv")

    assert first == {
        "number": "0",
        "state": "complete",
        "value": "0.9625",
        "best_epoch": "3",
        "epochs": "6",
        "seconds": "1.5",
        "parameters": "2410",
        "label": "known, good",
        "reason": "",
        "val_accuracy": "0.9625",
        "val_loss": "0.125",
        "batch_norm": "False",
        "learning_rate": "0.01",
        "momentum": "",
        "optimizer": "adam",
    }
    assert (second["state"], second["value"], second["momentum"], second["val_loss"]) == ("failed", "", "0.9", "")


def test_a_study_without_trials_has_a_header(tmp_path: Path) -> None:
    """A script that reads the file can rely on the columns."""
    write_csv(tmp_path / "trials.csv", [])

    assert (tmp_path / "trials.csv").read_text().startswith("number,state,value,")
    assert read(tmp_path / "trials.csv") == []


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_text_that_a_spreadsheet_would_run_is_escaped(tmp_path: Path, start: str) -> None:
    """Labels and reasons may come from other people. Negative numbers stay numbers."""
    formula = f"{start}HYPERLINK(0)"
    write_csv(tmp_path / "trials.csv", [replace(TRIAL, label=formula, reason=formula, value=-0.5)])
    (row,) = read(tmp_path / "trials.csv")

    assert row["label"] == row["reason"] == f"'{formula}"
    assert row["value"] == "-0.5"


def test_an_error_leaves_the_older_file(tmp_path: Path) -> None:
    """If writing fails half-way, the older file stays, and no other file appears."""
    path = tmp_path / "trials.csv"
    path.write_text("older")

    with pytest.raises(UnicodeEncodeError):
        write_csv(path, [TRIAL, replace(TRIAL, reason="\udc80")])

    assert path.read_text() == "older"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("where", [".", "file/trials.csv"])
def test_a_path_that_cannot_be_written_is_an_input_error(tmp_path: Path, where: str) -> None:
    """A folder, or a path below a file: exit code 2, and the message names the path."""
    (tmp_path / "file").touch()

    with pytest.raises(UsageError, match=f"cannot write {tmp_path}") as caught:
        write_csv(tmp_path / where, [TRIAL])

    assert caught.value.exit_code == 2
    assert "--csv" in str(caught.value.hint)
