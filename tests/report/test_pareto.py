"""The Pareto front as a sentence, a table and JSON."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from tests.recipes import small_recipe
from tests.report.test_paragraph import TRIAL
from tuner.config.objectives import Objective
from tuner.output_file import OutputFile
from tuner.report.csv import write_csv
from tuner.report.paragraph import describe_study
from tuner.report.pareto import describe_front, front_table
from tuner.report.tables import trials_table
from tuner.report.text import objective_value
from tuner.results.importance import Importances
from tuner.results.summary import front_json
from tuner.results.trials import TrialResult

SIZE = Objective(also=("parameters",))
ALL = Objective(also=("latency_ms", "seconds"))


def trial(number: int, *values: float, objective: Objective = SIZE) -> TrialResult:
    """Return a complete trial with these objectives."""
    by_name: dict[str, float] = dict(zip(objective.names, values, strict=True))
    return replace(TRIAL, number=number, value=values[0], values=by_name)


def test_the_sentence_names_both_ends_of_the_front() -> None:
    """The number of trials, the smallest one and the best one."""
    front = [trial(9, 0.986, 1_234_567.0), trial(4, 0.984, 99_000.0), trial(3, 0.981, 25_450.0)]

    assert describe_front(front, SIZE) == (
        "3 trials are on the Pareto front of val_accuracy and parameters: "
        "from 0.9810 with 25,450 weights (trial 3) to 0.9860 with 1.2 million weights (trial 9)."
    )


def test_the_sentence_names_three_objectives() -> None:
    """Every value has its unit."""
    front = [trial(9, 0.986, 0.51, 75.0, objective=ALL), trial(3, 0.981, 0.2, 3.0, objective=ALL)]

    assert "from 0.9810 with 0.200 ms and 3.0 s of training (trial 3)" in describe_front(front, ALL)
    assert "to 0.9860 with 0.510 ms and 1:15 min of training (trial 9)." in describe_front(front, ALL)


def test_a_loss_may_be_the_second_objective() -> None:
    """The sentence names it."""
    objective = Objective(also=("val_loss",))
    front = [trial(1, 0.9, 0.5, objective=objective), trial(2, 0.8, 0.4, objective=objective)]

    assert "from 0.8000 with a val_loss of 0.4000 (trial 2)" in describe_front(front, objective)


def test_a_front_of_one_trial_or_of_equal_trials() -> None:
    """The sentence says that there is nothing to choose from."""
    assert describe_front([trial(3, 0.9, 100.0)], SIZE) == (
        "Trial 3 is alone on the Pareto front: no other trial is better in val_accuracy or parameters."
    )
    assert describe_front([trial(3, 0.9, 100.0), trial(5, 0.9, 100.0)], SIZE) == (
        "2 trials with the same val_accuracy and parameters are on the Pareto front."
    )


def test_without_a_front_there_is_no_sentence() -> None:
    """With one objective, or if no trial is complete."""
    assert describe_front([], SIZE) == ""
    assert describe_front([trial(3, 0.9, objective=Objective())], Objective()) == ""


def test_the_paragraph_names_the_front() -> None:
    """After the best trial."""
    recipe = small_recipe(objectives=["val_accuracy", "parameters"])
    trials = [trial(0, 0.9, 5000.0), trial(1, 0.8, 300.0), trial(2, 0.7, 400.0)]
    text = describe_study("small", recipe, trials, Importances({}, {}), ())

    assert "The best is trial 0" in text
    assert "2 trials are on the Pareto front of val_accuracy and parameters" in text


def test_the_table_has_a_column_per_objective() -> None:
    """Every value has the digits that suit it."""
    console = Console(width=150, file=io.StringIO(), record=True)
    console.print(front_table([trial(9, 0.986, 0.2, 3.0, objective=ALL)], ALL))
    text = console.export_text()

    assert all(name in text for name in ("trial", "val_accuracy", "latency_ms", "seconds", "configuration"))
    assert all(value in text for value in ("9", "0.9860", "0.200", "3.0 s"))


def test_the_table_of_trials_has_the_latency_too() -> None:
    """Weights and time have columns anyway. A pruned trial has no latency."""
    recipe = small_recipe(objectives=["val_accuracy", "latency_ms", "seconds"])
    console = Console(width=150, file=io.StringIO(), record=True)
    pruned = replace(TRIAL, number=1, state="pruned")
    console.print(trials_table([trial(0, 0.9, 0.123, 3.0, objective=ALL), pruned], recipe))
    text = console.export_text()

    assert text.count("latency_ms") == text.count("0.123") == 1
    assert "seconds" not in text


def test_the_json_is_plain_data() -> None:
    """Numbers are not rounded."""
    rows = json.loads(json.dumps(front_json([trial(9, 0.98612345, 25450.0)])))

    assert rows == [
        {"trial": 9, "values": {"val_accuracy": 0.98612345, "parameters": 25450.0}, "params": dict(TRIAL.all_params)}
    ]


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [("parameters", 25450.0, "25,450"), ("seconds", 75.0, "1:15 min"), ("latency_ms", 0.12345, "0.123"),
     ("val_loss", 0.5, "0.5000")],
)  # fmt: skip
def test_every_objective_has_its_format(name: str, value: float, text: str) -> None:
    """Thousands are grouped, times have units, metrics have four decimals."""
    assert objective_value(name, value) == text


def test_the_csv_has_a_column_for_each_of_several_objectives(tmp_path: Path) -> None:
    """Beside the columns of the metrics and of the seconds of a trial."""
    file = tmp_path / "trials.csv"
    trials = [replace(trial(0, 0.9, 0.25, 3.0, objective=ALL), metrics={"val_accuracy": 0.9})]
    write_csv(OutputFile(file), trials)
    with file.open(encoding="utf-8", newline="") as lines:
        (row,) = csv.DictReader(lines)

    assert {name: row[name] for name in row if name.startswith("values_")} == {
        f"values_{name}": str(value) for name, value in trials[0].values.items()
    }
    assert (row["metrics_val_accuracy"], list(row).count("seconds")) == ("0.9", 1)
