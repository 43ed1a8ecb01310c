"""Several objectives, from the command line to an exported model."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import keras
import pytest
from click.testing import CliRunner, Result

from tuner.cli.main import main

Tuner = Callable[..., Result]
QUICK = ("--executor", "inline", "--device", "cpu", "--epochs", "2", "--trials", "2", "--pruner", "none")
NAMES = ["val_accuracy", "parameters", "latency_ms"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a finished study of two trials."""
    home = tmp_path_factory.mktemp("cli") / ".tuner"
    words = ("study", "start", "digits", "--objectives", ",".join(NAMES), *QUICK, "--home", str(home))
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 0, result.stderr
    assert "The Pareto front of 'digits': export any of these with --trial N" in result.stdout
    return home


@pytest.fixture
def tuner(home: Path) -> Tuner:
    def run(*args: str) -> Result:
        return CliRunner().invoke(main, [*args, "--home", str(home)])

    return run


def test_best_lists_the_front(tuner: Tuner) -> None:
    """As a table and as JSON. The trial that is best in the first objective comes first."""
    printed, best = tuner("study", "best", "digits"), json.loads(tuner("study", "best", "digits", "--json").stdout)
    trials = json.loads(tuner("study", "trials", "digits", "--json").stdout)

    assert "The Pareto front of 'digits'" in printed.stdout
    assert "Trial " in printed.stdout
    assert best["objectives"] == NAMES
    assert best["front"][0]["trial"] == best["trial"]
    assert (best["objective"], best["value"]) == ("val_accuracy", best["front"][0]["values"]["val_accuracy"])
    for row in best["front"]:
        assert list(row["values"]) == NAMES
        assert row["values"] == trials[row["trial"]]["values"]
        assert row["values"]["parameters"] == trials[row["trial"]]["parameters"]
        assert 0 < row["values"]["latency_ms"] < 1000
        assert trials[row["trial"]]["kept"]


def test_report_and_list_name_the_objectives(tuner: Tuner) -> None:
    """The report shows the front as a table and as a sentence."""
    report = tuner("report", "digits")
    listed = tuner("study", "list")

    assert "on the Pareto front" in " ".join(report.stdout.split())
    assert "The Pareto front of 'digits'" in report.stdout
    assert "val_accuracy" in listed.stdout
    assert "latency_ms" in listed.stdout
    assert json.loads(tuner("report", "digits", "--json").stdout)["front"]
    assert json.loads(tuner("study", "list", "--json").stdout)[0]["objectives"] == NAMES


def test_every_trial_of_the_front_can_be_exported(tuner: Tuner, tmp_path: Path) -> None:
    """The exported model has as many weights as the front says."""
    for row in json.loads(tuner("study", "best", "digits", "--json").stdout)["front"]:
        folder = tmp_path / str(row["trial"])
        words = ("export", "digits", "-o", str(folder), "--trial", str(row["trial"]), "--format", "keras")
        exported = tuner(*words)
        assert exported.exit_code == 0, exported.stderr
        assert keras.models.load_model(folder / "model.keras").count_params() == row["values"]["parameters"]


def test_a_study_continues_without_naming_its_objectives_again(tuner: Tuner) -> None:
    """Other objectives are refused."""
    again = tuner("study", "start", "digits", *QUICK)
    other = tuner("study", "start", "digits", *QUICK, "--objectives", "val_accuracy")

    assert again.exit_code == 0, again.stderr
    assert other.exit_code == 2
    assert "the objective of 'digits' changed since the study began" in other.stderr


def test_reproduce_compares_the_first_objective(tuner: Tuner) -> None:
    """The size follows from the parameters, and times are never reproducible."""
    best = json.loads(tuner("study", "reproduce", "digits", "--executor", "inline", "--json").stdout)

    assert best["objective"] == "val_accuracy"
    assert best["reproduced"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--objectives", "val_accuracy,latency"), "there is no objective 'latency'"),
        (("--objectives", "seconds"), "the first objective must be a metric on the validation rows"),
        (("--objectives", "val_loss,seconds", "--sampler", "cmaes"), "sampler 'cmaes' does not work"),
    ],
)
def test_impossible_objectives_are_refused(tmp_path: Path, words: tuple[str, ...], message: str) -> None:
    """Exit code 2, a hint, and no file is created."""
    home = tmp_path / ".tuner"
    result = CliRunner().invoke(main, ["study", "start", "digits", *words, *QUICK[:4], "--home", str(home)])

    assert result.exit_code == 2
    assert message in result.stderr
    assert "Hint:" in result.stderr
    assert not home.exists()
