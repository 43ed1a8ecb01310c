"""Simple models of tables."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tuner.evaluation.baselines import BASELINES, measure_baselines, train_baseline
from tuner.evaluation.facts import BaselineFacts, BaselineName
from tuner.tables.inputs import CodeInput, NumberInput, TableInput
from tuner.tasks import TASKS, TaskName


def table_of(numbers: int, *categories: int) -> TableInput:
    """Return the input of a table with so many numbers, and a code with so many categories for each of the others."""
    codes = tuple(
        CodeInput(column=f"c{i}", vocabulary=tuple(map(str, range(count))), embedded=True)
        for i, count in enumerate(categories)
    )
    inputs = tuple(NumberInput(column=f"n{i}", fill=0.0) for i in range(numbers))
    return TableInput(numbers=inputs, codes=codes, center=(0.0,) * numbers, scale=(1.0,) * numbers)


def rows_of(table: TableInput, rows: int, seed: int = 0) -> NDArray[np.float32]:
    """Return encoded rows; one number of ten is missing."""
    random = np.random.default_rng(seed)
    numbers = random.normal(size=(rows, len(table.numbers)))
    numbers[random.random(numbers.shape) < 0.1] = np.nan
    codes = [random.integers(0, code.codes, rows) for code in table.codes]
    return np.column_stack([numbers, *codes]).astype(np.float32)


TABLE = table_of(2, 4, 400)


def target(task: TaskName, x: NDArray[np.float32]) -> NDArray[Any]:
    """Return a target that the first number and the first code decide."""
    score = np.nan_to_num(x[:, 0]) + 2.0 * (x[:, 2] == 3)
    y: NDArray[Any] = 1000 + 50 * score
    return y if task == "regression" else np.digitize(score, [0.5] if task == "binary" else [0.0, 1.5])


@pytest.mark.parametrize("task", TASKS)
def test_what_is_trained_beats_a_constant(task: TaskName) -> None:
    """On rows that none has seen, with missing numbers and categories; the facts are short and survive JSON."""
    x, other = rows_of(TABLE, 800), rows_of(TABLE, 400, seed=1)

    facts = measure_baselines(task, TABLE, (x, target(task, x)), (other, target(task, other)), classes=3)

    losses = [fact.validation["rmse" if task == "regression" else "log_loss"] for fact in facts]
    assert [fact.name for fact in facts] == list(BASELINES)
    assert max(losses[1:]) < 0.8 * losses[0]
    assert not facts[0].test
    assert all(BaselineFacts.model_validate_json(fact.model_dump_json()) == fact for fact in facts)


def test_test_rows_are_measured_if_they_are_given() -> None:
    """Beside the validation rows."""
    x, y = rows_of(TABLE, 300), np.arange(300.0)

    constant, *_ = measure_baselines("regression", TABLE, (x[:200], y[:200]), (x[200:], y[200:]), (x[:9], y[:9]))

    assert constant.test["mae"] == pytest.approx(np.mean(np.abs(y[:9] - y[:200].mean())))


@pytest.mark.parametrize("name", BASELINES)
def test_a_class_without_a_training_row_has_no_probability(name: BaselineName) -> None:
    """The columns of the others keep their places, and one class alone has the probability 1."""
    x = rows_of(TABLE, 200)
    y = np.where(np.nan_to_num(x[:, 0]) > 0, 2, 0)

    two = train_baseline(name, x, y, "multiclass", TABLE, classes=3).predict(x)
    one = train_baseline(name, x, np.full(200, 1), "multiclass", TABLE, classes=3).predict(x)

    np.testing.assert_allclose(two.sum(axis=1), 1)
    assert not two[:, 1].any()
    assert (one == [0, 1, 0]).all()


@pytest.mark.parametrize("name", BASELINES)
@pytest.mark.parametrize("table", [table_of(0), table_of(0, 3), table_of(1)], ids=["none", "codes", "numbers"])
def test_a_table_may_lack_numbers_or_categories(name: BaselineName, table: TableInput) -> None:
    """Without any feature, all predict a constant."""
    x = np.zeros((40, 0), np.float32) if not table.width else rows_of(table, 40)
    y = np.arange(40.0)

    predicted = train_baseline(name, x, y, "regression", table).predict(x)
    shares = train_baseline(name, x, (y > 9).astype(int), "binary", table, classes=2).predict(x)

    assert (predicted.shape, shares.shape) == ((40,), (40, 2))
    if not table.width:
        assert (predicted == y.mean()).all()


@pytest.mark.parametrize("name", BASELINES)
def test_missing_unseen_and_extreme_values_are_predicted(name: BaselineName) -> None:
    """A row of NaN, the code of unseen categories, and the largest number that is encoded."""
    x = rows_of(TABLE, 300)
    x[:5, 0] = 3e38
    x[:, 1] = np.nan
    predict = train_baseline(name, x, target("regression", x[:, [1, 1, 2]]), "regression", TABLE).predict

    predicted = predict(np.array([[np.nan, np.nan, 0, 0], [-3e38, 1, 2, 400], [0, 0, 1, 1]], np.float32))

    assert np.isfinite(predicted).all()
