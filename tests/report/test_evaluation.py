"""The tables of an evaluation."""

from __future__ import annotations

import io

import numpy as np
import pytest
from rich.console import Console

from tests.evaluation.draws import draw
from tests.hostile import HOSTILE, assert_harmless
from tuner.cli import output
from tuner.evaluation.facts import BaselineFacts, ValidationFacts, validation_facts
from tuner.evaluation.measure import Measured, measure
from tuner.report.evaluation import evaluation_tables, heading
from tuner.report.text import figure
from tuner.tasks import TASKS, TaskName

NAMES: dict[TaskName, tuple[str, ...]] = {"regression": (), "binary": ("No", "Yes"), "multiclass": ("a", "b", "c")}
BASELINES = tuple(
    BaselineFacts(name=name, seconds=1.0, test={"rmse": 114862.2, "mae": 91823.3, "r2": -0.0001})
    for name in ("constant", "linear", "gradient_boosting")
)


def measured(task: TaskName, names: tuple[str, ...] = (), scale: float = 1.0) -> Measured:
    """Return the evaluation of a model of 1,409 rows."""
    y, (predictions, validated) = draw(task, np.random.default_rng(0), 1409, 2)
    facts = validation_facts(task, y, validated)
    return measure(task, scale * y if scale != 1 else y, scale * predictions, names or NAMES[task], facts=facts)


def shown(found: Measured, baselines: tuple[BaselineFacts, ...] = (), width: int = 80) -> list[str]:
    """Return the lines that a terminal of this width shows."""
    console: Console = output.console(width=width)
    console.file = io.StringIO()
    for table in evaluation_tables(found, baselines):
        console.print(table)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def test_each_number_of_a_regression_has_one_line_in_80_columns() -> None:
    """Also beside three baselines and in units as large as prices of houses."""
    lines = shown(measured("regression", scale=1e5), BASELINES)

    rows = [line.split() for line in lines if line.startswith((" RMSE", " MAE", " median", " R2"))]
    assert [row[-1] for row in rows] == ["114,862", "91,823", "-", "-0.0001"]
    assert "constant, linear, boosting: on the test rows of the study" in lines
    assert max(map(len, lines)) <= 80


def test_two_classes_are_shown_at_both_thresholds() -> None:
    """The confusion at 0.5 stands beside that at the threshold of the validation rows."""
    found = measured("binary")
    lines = shown(found)

    even, chosen = found.thresholds
    cells = [f"{cell:,}" for at in (even, chosen) for cell in at.confusion[1]]
    assert ["Yes", *cells] in [line.split() for line in lines]
    assert any("best F1 in validation" in line for line in lines)
    assert heading(found) == "1,409 rows, 50.0 % of them Yes, the positive class"


def test_the_most_frequent_mistake_of_each_class_is_named() -> None:
    """With its number of rows."""
    y = np.array([0, 0, 0, 0, 1, 2])
    predictions = np.eye(3)[[0, 1, 2, 2, 1, 2]]

    lines = [line.split() for line in shown(measure("multiclass", y, predictions, ("a", "b", "c"), resamples=0))]

    assert ["a", "4", "1.0000", "0.2500", "0.4000", "c", "(2)"] in lines
    assert ["b", "1", "0.5000", "1.0000", "0.6667"] in lines


def test_the_temperature_stands_beside_the_probabilities_as_they_are() -> None:
    """Only if one was fitted."""
    both, alone = shown(measured("multiclass")), shown(measure("binary", *_one_row(), ("No", "Yes")))

    assert sum("with temperature" in line for line in both) == 1
    assert sum("as they are" in line for line in alone) == 1
    assert not any("with temperature" in line for line in alone)


def _one_row() -> tuple[np.ndarray, np.ndarray]:
    return np.array([1]), np.array([[0.2, 0.8]])


def test_what_one_row_does_not_define_is_a_dash() -> None:
    """There is no area under the curve of one class."""
    rows = [
        line.split() for line in shown(measure("binary", *_one_row(), ("No", "Yes"), facts=ValidationFacts(rows=1)))
    ]

    assert ["AUC", "-"] in rows


@pytest.mark.parametrize("width", [40, 80])
@pytest.mark.parametrize("task", TASKS)
def test_names_of_classes_are_shown_as_they_are(task: TaskName, width: int) -> None:
    """A terminal obeys nothing in them, and none begins a line of its own, however narrow it is."""
    found = measured(task, tuple(f"{name}{HOSTILE}" for name in NAMES[task]))

    text = "\n".join([heading(found), *shown(found, width=width)])

    assert_harmless(text)
    assert task == "regression" or "[red]" in text.replace("\n", "").replace(" ", "")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "-"),
        (0.0, "0.0000"),
        (0.83524, "0.8352"),
        (-3.21462, "-3.2146"),
        (180.92, "180.92"),
        (8873.53, "8873.5"),
        (114862.2, "114,862"),
        (0.000321456, "0.0003215"),
        (1.5e300, "1.5e+300"),
    ],
)
def test_a_figure_has_about_five_digits(value: float | None, expected: str) -> None:
    """Whatever the units of the target are."""
    assert figure(value) == expected
