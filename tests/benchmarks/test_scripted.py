"""The benchmarks that need no training, or none with Keras, run to their ends and print their tables."""

from __future__ import annotations

import importlib
import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks.conftest import BENCHMARKS, RunScript
from tests.recipes import small_recipe
from tests.runs import run_scripted
from tuner.study import load_study


def test_coordinator_prints_a_row_for_each_size(run_script: RunScript) -> None:
    """The parts of a run are still put together as the script expects."""
    output = run_script("coordinator.py", "--sizes", 3, 5, "--trials", 2, "--pruners", "asha")

    assert "asha" in output
    assert [line.split()[0] for line in output.splitlines() if line.strip()[:1].isdigit()] == ["3", "5"]


def test_rungs_compares_both_rules_on_the_recorded_curves(run_script: RunScript) -> None:
    """The curves of the repository can be read, and both rules come to an end."""
    output = run_script("rungs.py", "--epochs", 30, "--orders", 2)

    assert "pause and promote" in output
    assert "300 configurations" in output


@pytest.mark.usefixtures("scripted_studies")
def test_rungs_records_curves(run_script: RunScript, tmp_path: Path) -> None:
    """Recorded curves go to the named file and are used at once."""
    output = run_script(
        "rungs.py", "--record", "--trials", 3, "--curves", tmp_path / "curves.csv", "--epochs", 30, "--orders", 2
    )

    assert "3 configurations" in output


@pytest.mark.usefixtures("scripted_studies")
def test_study_prints_where_the_time_goes(run_script: RunScript, tmp_path: Path) -> None:
    """The table is printed, and written as JSON together with the versions."""
    output = run_script("study.py", "--search", "digits", "--trials", 2, "--output", tmp_path / "study.json")

    assert "trials per hour" in output
    assert json.loads((tmp_path / "study.json").read_text())["versions"]["optuna"]


@pytest.mark.usefixtures("scripted_studies", "children_in_process")
@pytest.mark.parametrize("script", ["throughput.py", "small.py"])
def test_throughput_runs_the_grid(run_script: RunScript, script: str) -> None:
    """The table has our row and that of the matrix products, and the report is written as JSON."""
    output = run_script(script, "--small", "--only", "tuner", "--workers", 1)

    assert "1 configurations x 1 epochs, digits 1137/300" in output
    report = Path(script).with_suffix(".json").read_text()
    assert set(json.loads(report)["medians"]) == {"tuner", "products"}


def write_search(folder: Path, contestant: str, seed: int, accuracies: list[float]) -> None:
    """Write the file of one search as `time_to_accuracy.py` does: an epoch per accuracy, 10 seconds apart."""
    points = [
        {"seconds": 10.0 * (i + 1), "trial": i, "epoch": 0, "val_accuracy": accuracy, "val_loss": 1 - accuracy}
        for i, accuracy in enumerate(accuracies)
    ]
    about = {"budget": 60.0, "search": "mnist", "rows": [55_000, 5_000], "cores": 2}
    run = {"contestant": contestant, "seed": seed, "about": about, "points": points}
    (folder / f"{contestant}-{seed}.json").write_text(json.dumps(run))


def test_time_to_accuracy_shows_the_searches_of_a_folder(run_script: RunScript, tmp_path: Path) -> None:
    """Three searches with two seeds give a table, the ratio of the times, and a plot; one search saw no epoch."""
    for seed in (0, 1):
        write_search(tmp_path, "tuner", seed, [0.5, 0.8, 0.9])
        write_search(tmp_path, "keras_tuner", seed, [0.4, 0.7, 0.8])
    write_search(tmp_path, "optuna", 0, [])

    table = run_script("time_to_accuracy.py", "--plot-only", tmp_path)
    rows = json.loads(run_script("time_to_accuracy.py", "--plot-only", tmp_path, "--json"))["rows"]

    assert "tuner, seed 0: reaches the better peer after 0.333 of the time" in table
    assert [row["to_peer"] for row in rows if row["contestant"] == "tuner"] == [20.0, 20.0]
    assert (tmp_path / "time_to_accuracy.svg").read_text().startswith("<svg")


def test_time_to_accuracy_runs_the_search(
    run_script: RunScript, tmp_path: Path, shared_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command starts, is ended after its budget, and leaves its file, even if it had no time for an epoch."""
    monkeypatch.setenv("TUNER_DATA", str(shared_data))
    monkeypatch.delattr(os, "sched_setaffinity", raising=False)  # it would bind the tests to fewer cores

    output = run_script("time_to_accuracy.py", "--minutes", 0.03, "--contestants", "tuner", "--out", tmp_path / "out")

    assert "reaches the peer" in output
    assert json.loads((tmp_path / "out" / "tuner-0.json").read_text())["about"]["rows"] == [55_000, 5_000]


def test_the_watch_reads_the_epochs_of_a_database(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An epoch of a study is seen once; before there is a database, none is."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    watch: Any = importlib.import_module("searches").Watch(home, time.monotonic())
    watch.look()
    run_scripted(home, small_recipe(budget={"trials": 2, "epochs": 3}))
    for _ in range(2):
        watch.look()

    assert [(point.trial, point.epoch) for point in watch.points] == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]


def test_prepare_prints_the_seconds_of_each_step(run_script: RunScript) -> None:
    """From a file to the arrays."""
    output = run_script("prepare.py", "--rows", 400, "--columns", 8)

    assert [line.rsplit(maxsplit=2)[0] for line in output.splitlines()] == [
        "read and inspect", "split and fit", "encode and write", "fingerprint", "total",
    ]  # fmt: skip


@pytest.mark.slow
def test_big_study_builds_a_study_that_every_command_can_show(run_script: RunScript, tmp_path: Path) -> None:
    """What is written in bulk is read as a study that runs have left, with complete, pruned and failed trials."""
    output = run_script("big_study.py", "--trials", 60, "--epochs", 4, "--home", tmp_path / "home", "--only", "study")
    study = load_study("big", home=tmp_path / "home")

    assert "study best" in output
    assert {trial.state for trial in study.trials()} >= {"complete", "pruned"}
    assert study.summary().counts.total == 60
    assert len(study.curves()) == 60
