"""Intervals by the bootstrap."""

from __future__ import annotations

import numpy as np
import pytest

from tests.evaluation.draws import draw
from tuner.evaluation.bootstrap import Estimate, difference, estimates, verdict
from tuner.evaluation.scores import accuracy, auc, mae, rmse, scores


def test_the_interval_of_a_share_is_the_one_of_theory() -> None:
    """400 rows of which 300 are right: 0.75 with a standard error of 0.0217."""
    y = np.repeat([0, 1], [300, 100])
    p = np.tile([0.9, 0.1], (400, 1))

    found = estimates({"accuracy": accuracy(y, p)}, 400, resamples=4000)["accuracy"]

    assert found.value == 0.75
    assert found.low == pytest.approx(0.75 - 1.96 * 0.0217, abs=0.005)
    assert found.high == pytest.approx(0.75 + 1.96 * 0.0217, abs=0.005)


def test_nineteen_of_twenty_intervals_hold_the_true_value() -> None:
    """Over 200 samples of 100 rows whose expected absolute error is 0.8."""
    held = 0
    for seed in range(200):
        errors = np.random.default_rng(seed).normal(size=100)
        found = estimates({"mae": mae(np.zeros(100), errors)}, 100, seed=seed)["mae"]
        assert found.low is not None
        assert found.high is not None
        held += found.low <= (2 / np.pi) ** 0.5 <= found.high

    assert 180 <= held <= 198


def test_the_same_seed_draws_the_same_rows() -> None:
    """Whatever the other scores are, and with another seed other rows."""
    y, (p,) = draw("binary", np.random.default_rng(0), 50, 1)
    every = scores("binary", y, p)

    assert estimates(every, 50)["auc"] == estimates({"auc": every["auc"]}, 50)["auc"]
    assert estimates(every, 50)["auc"] != estimates(every, 50, seed=1)["auc"]


def test_without_resamples_there_is_no_interval() -> None:
    """The value stays."""
    y, (predicted,) = draw("regression", np.random.default_rng(0), 50, 1)

    assert estimates({"rmse": rmse(y, predicted)}, 50, resamples=0)["rmse"].low is None


def test_what_one_class_does_not_define_has_no_value() -> None:
    """It is neither 0.5 nor an error."""
    p = np.array([[0.4, 0.6], [0.2, 0.8]])

    assert estimates({"auc": auc(np.array([1, 1]), p)}, 2)["auc"] == Estimate(value=None)


def test_resamples_of_one_class_are_left_out() -> None:
    """With one positive row of ten, a third of the resamples have none."""
    y = np.array([1] + 9 * [0])
    p = np.linspace(0.9, 0.1, 10)

    found = estimates({"auc": auc(y, np.stack([1 - p, p], axis=1))}, 10)["auc"]

    assert (found.low, found.high) == (1, 1)


def test_paired_resamples_see_a_difference_that_single_intervals_hide() -> None:
    """Two models that err on the same rows, one a little more everywhere."""
    random = np.random.default_rng(0)
    y = random.normal(size=300)
    error = random.normal(size=300)
    better, worse = mae(y, y + error), mae(y, y + 1.05 * error)
    single = estimates({"better": better, "worse": worse}, 300)

    paired = difference(better, worse, 300)

    assert single["better"].high is not None
    assert single["better"].high > (single["worse"].low or 0)
    assert verdict(paired, larger_is_better=False) == "better"


@pytest.mark.parametrize(
    ("low", "high", "larger", "expected"),
    [
        (0.1, 0.2, True, "better"),
        (0.1, 0.2, False, "worse"),
        (-0.2, -0.1, False, "better"),
        (-0.1, 0.2, True, "level"),
        (0.0, 0.0, True, "level"),
        (None, None, True, "level"),
    ],
)
def test_a_verdict_needs_an_interval_without_zero(
    low: float | None, high: float | None, larger: bool, expected: str
) -> None:
    """The direction of the metric decides which side is better."""
    assert verdict(Estimate(value=0.1, low=low, high=high), larger_is_better=larger) == expected
