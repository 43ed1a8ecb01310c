"""Each task measures what scikit-learn measures."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from tuner.tasks import BINARY, MULTICLASS, REGRESSION, TASKS


@given(seed=st.integers(0, 2**32 - 1), rows=st.integers(2, 60), digits=st.integers(0, 3))
def test_binary_metrics_equal_those_of_scikit_learn(seed: int, rows: int, digits: int) -> None:
    """Rows of equal score count as one step."""
    random = np.random.default_rng(seed)
    y = random.permutation(np.arange(rows) % 2)
    logits = random.normal(size=(rows, 2)).round(digits)
    score, predicted = logits[:, 1] - logits[:, 0], logits.argmax(axis=1)

    found = BINARY.measure(y, logits, variance=1)

    assert found == pytest.approx(
        {
            "loss": metrics.log_loss(y, 1 / (1 + np.exp(-score)), labels=[0, 1]),
            "accuracy": metrics.accuracy_score(y, predicted),
            "auc": metrics.roc_auc_score(y, score),
            "average_precision": metrics.average_precision_score(y, score),
            "f1": metrics.f1_score(y, predicted, average="macro"),
        }
    )


@given(seed=st.integers(0, 2**32 - 1), classes=st.integers(2, 6))
def test_multiclass_metrics_equal_those_of_scikit_learn(seed: int, classes: int) -> None:
    """Classes that do not occur are left out of the mean F1."""
    random = np.random.default_rng(seed)
    y, logits = random.integers(0, classes, 30), random.normal(size=(30, classes)) * 5
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)

    found = MULTICLASS.measure(y, logits, variance=1)

    assert found == pytest.approx(
        {
            "loss": metrics.log_loss(y, probabilities, labels=range(classes)),
            "accuracy": metrics.accuracy_score(y, logits.argmax(axis=1)),
            "f1": metrics.f1_score(y, logits.argmax(axis=1), average="macro"),
        }
    )


@given(seed=st.integers(0, 2**32 - 1), size=st.floats(1e-3, 1e6))
def test_regression_metrics_equal_those_of_scikit_learn(seed: int, size: float) -> None:
    """The loss is relative to the variance of the training rows."""
    random = np.random.default_rng(seed)
    y = random.normal(size=20) * size
    raw = (y + random.normal(size=20) * size)[:, None]

    found = REGRESSION.measure(y, raw, variance=size**2)

    assert found == pytest.approx(
        {
            "loss": metrics.mean_squared_error(y, raw) / size**2,
            "rmse": metrics.root_mean_squared_error(y, raw),
            "mae": metrics.mean_absolute_error(y, raw),
            "r2": metrics.r2_score(y, raw),
        }
    )


def test_one_class_among_the_rows_has_no_ranking() -> None:
    """The metrics stay finite, as trials are compared by them."""
    found = BINARY.measure(np.ones(3, int), np.zeros((3, 2)), variance=1)

    assert [found["auc"], found["average_precision"], found["loss"]] == pytest.approx([0.5, 1.0, math.log(2)])


def test_huge_logits_have_a_finite_loss() -> None:
    """Whatever a diverging trial returns."""
    assert MULTICLASS.measure(np.array([0]), np.array([[-1e30, 1e30, 0.0]]), variance=1)["loss"] == 2e30


@pytest.mark.parametrize("name", TASKS)
def test_a_task_measures_all_metrics_that_it_names(name: str) -> None:
    """And its objective is one of them."""
    task = TASKS[name]  # type: ignore[index]
    y = np.array([0, 1, 1, 0])

    found = task.measure(y, np.zeros((4, task.outputs(2))), variance=1)

    assert set(found) == {"loss", *task.metrics}
    assert task.objective.removeprefix("val_") in found


def test_strata_of_numbers_are_quantiles() -> None:
    """Few rows are not divided; equal targets may be divided anyhow."""
    strata = REGRESSION.strata(np.arange(100.0)[::-1])

    assert strata is not None
    assert np.bincount(strata).tolist() == [20] * 5
    assert strata[0] == 4
    assert REGRESSION.strata(np.arange(39.0)) is None
