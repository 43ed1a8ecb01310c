"""The metrics of many resamples at once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from tests.evaluation.draws import draw
from tuner.evaluation.scores import once, r2, scores
from tuner.tasks import TASKS, TaskName

seeds = st.integers(0, 2**32 - 1)


@given(seed=seeds, rows=st.integers(4, 40), digits=st.integers(1, 4))
def test_scores_of_two_classes_are_those_of_scikit_learn_for_any_counts(seed: int, rows: int, digits: int) -> None:
    """Rows of equal probability count as one step; a row that was drawn twice counts twice."""
    random = np.random.default_rng(seed)
    y, (p,) = draw("binary", random, rows, 1)
    p = p.round(digits)
    counts = random.integers(1, 4, rows)
    chosen, weights = p.argmax(axis=1), {"sample_weight": counts}

    found = {name: score(counts[None].astype(float))[0] for name, score in scores("binary", y, p).items()}

    clipped = np.clip(np.where(y == 1, p[:, 1], p[:, 0]), np.finfo(np.float32).eps, 1)
    assert found == pytest.approx(
        {
            "auc": metrics.roc_auc_score(y, p[:, 1], **weights),
            "average_precision": metrics.average_precision_score(y, p[:, 1], **weights),
            "log_loss": np.average(-np.log(clipped), weights=counts),
            "brier": metrics.brier_score_loss(y, p[:, 1], **weights),
            "accuracy": metrics.accuracy_score(y, chosen, **weights),
            "f1": metrics.f1_score(y, chosen, average="macro", zero_division=0, **weights),
        }
    )


@given(seed=seeds, rows=st.integers(6, 40), classes=st.integers(3, 6))
def test_scores_of_several_classes_are_those_of_scikit_learn_for_any_counts(seed: int, rows: int, classes: int) -> None:
    """Classes without a row are left out of the means."""
    random = np.random.default_rng(seed)
    y, (p,) = draw("multiclass", random, rows, 1, classes=classes)
    drawn = random.integers(0, rows, rows)
    counts = np.bincount(drawn, minlength=rows).astype(float)

    found = {name: score(counts[None])[0] for name, score in scores("multiclass", y, p).items()}

    true, chosen = y[drawn], p[drawn].argmax(axis=1)
    recalls = [np.mean(chosen[true == i] == i) for i in np.unique(true)]
    assert found == pytest.approx(
        {
            "accuracy": metrics.accuracy_score(true, chosen),
            "balanced_accuracy": np.mean(recalls),
            "f1": metrics.f1_score(true, chosen, average="macro", zero_division=0),
            "log_loss": metrics.log_loss(true, p[drawn], labels=range(classes)),
            "brier": np.mean(np.square(p[drawn] - np.eye(classes)[true]).sum(axis=1)),
        }
    )


@given(seed=seeds, rows=st.integers(2, 40))
def test_scores_of_numbers_are_those_of_scikit_learn_for_any_resample(seed: int, rows: int) -> None:
    """The median too, of an even or an odd number of rows."""
    random = np.random.default_rng(seed)
    y, (predicted,) = draw("regression", random, rows, 1)
    drawn = random.integers(0, rows, rows)
    counts = np.bincount(drawn, minlength=rows).astype(float)

    found = {name: score(counts[None])[0] for name, score in scores("regression", y, predicted[:, None]).items()}

    a, b = y[drawn], predicted[drawn]
    assert found == pytest.approx(
        {
            "rmse": metrics.root_mean_squared_error(a, b),
            "mae": metrics.mean_absolute_error(a, b),
            "median_absolute_error": metrics.median_absolute_error(a, b),
            "r2": metrics.r2_score(a, b) if len(set(drawn)) > 1 else 0.0,
        },
        rel=1e-6,
    )


def test_a_constant_target_explains_nothing() -> None:
    """R2 is 0 then, not minus infinity by rounding."""
    assert once(r2(np.full(9, 0.1), np.arange(9.0)), 9) == 0


def test_ranking_needs_rows_of_both_classes() -> None:
    """The area under the ROC curve is undefined for one class."""
    p = np.array([[0.4, 0.6], [0.2, 0.8]])

    assert np.isnan(once(scores("binary", np.array([1, 1]), p)["auc"], 2))
    assert np.isnan(once(scores("binary", np.array([0, 0]), p)["average_precision"], 2))


@pytest.mark.parametrize("name", TASKS)
def test_each_metric_of_a_task_is_a_score(name: TaskName) -> None:
    """What a search can optimise is also evaluated, under the same name."""
    random = np.random.default_rng(0)
    y, (predictions,) = draw(name, random, 12, 1)

    assert {*TASKS[name].metrics} <= {*scores(name, y, predictions)}
