"""The CSV file has every trial, is safe to open in a spreadsheet, and is never partial."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pytest

from tuner.errors import UsageError
from tuner.output_file import OutputFile
from tuner.report.csv import is_csv_of_trials, write_csv
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
    write_csv(OutputFile(tmp_path / "trials.csv"), [TRIAL, FAILED])
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
        "metrics_val_accuracy": "0.9625",
        "metrics_val_loss": "0.125",
        "params_batch_norm": "False",
        "params_learning_rate": "0.01",
        "params_momentum": "",
        "params_optimizer": "adam",
    }
    columns = ("state", "value", "params_momentum", "metrics_val_loss")
    assert [second[column] for column in columns] == ["failed", "", "0.9", ""]


def test_every_column_has_a_name_of_its_own(tmp_path: Path) -> None:
    """The metric `learning_rate` is the rate of the best epoch, the parameter is where it began."""
    trial = replace(
        TRIAL,
        metrics={"val_accuracy": 0.9625, "learning_rate": 0.001},
        values={"val_accuracy": 0.9625, "seconds": 1.5, "parameters": 2410.0},
    )
    write_csv(OutputFile(tmp_path / "trials.csv"), [trial])
    with (tmp_path / "trials.csv").open(encoding="utf-8", newline="") as file:
        header, row = csv.reader(file)

    assert len(set(header)) == len(header)
    cells = dict(zip(header, row, strict=True))
    assert (cells["metrics_learning_rate"], cells["params_learning_rate"]) == ("0.001", "0.01")
    objectives = [cells[f"values_{name}"] for name in ("val_accuracy", "seconds", "parameters")]
    assert objectives == ["0.9625", "1.5", "2410.0"]


def test_a_study_without_trials_has_a_header(tmp_path: Path) -> None:
    """A script that reads the file can rely on the columns."""
    write_csv(OutputFile(tmp_path / "trials.csv"), [])

    assert (tmp_path / "trials.csv").read_text().startswith("number,state,value,")
    assert read(tmp_path / "trials.csv") == []


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_text_that_a_spreadsheet_would_run_is_escaped(tmp_path: Path, start: str) -> None:
    """Labels and reasons may come from other people. Negative numbers stay numbers."""
    formula = f"{start}HYPERLINK(0)"
    write_csv(OutputFile(tmp_path / "trials.csv"), [replace(TRIAL, label=formula, reason=formula, value=-0.5)])
    (row,) = read(tmp_path / "trials.csv")

    assert row["label"] == row["reason"] == f"'{formula}"
    assert row["value"] == "-0.5"


def test_an_earlier_file_is_replaced_and_another_one_is_not(tmp_path: Path) -> None:
    """The header tells whether a file holds trials; those of earlier versions are recognised too."""
    path = tmp_path / "trials.csv"
    for text in ("number,state,value,best_epoch,epochs,seconds,parameters,label,reason,learning_rate\n", ""):
        path.write_text(text)
        write_csv(OutputFile(path, earlier=is_csv_of_trials), [TRIAL])
        write_csv(OutputFile(path, earlier=is_csv_of_trials), [TRIAL, FAILED])
        assert len(read(path)) == 2
    path.write_text("number,name\n1,Ann\n")
    with pytest.raises(UsageError, match="exists"):
        OutputFile(path, earlier=is_csv_of_trials)
