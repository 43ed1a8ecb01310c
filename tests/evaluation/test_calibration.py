"""Calibration, temperature and threshold."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from tests.evaluation.draws import draw, softmax
from tuner.evaluation.calibration import bins, calibration, fit_temperature, with_temperature
from tuner.evaluation.facts import best_threshold, validation_facts
from tuner.tasks import TASKS


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_temperature_of_overconfident_logits_is_found(temperature: float) -> None:
    """Labels are drawn from probabilities; then their logits are multiplied."""
    random = np.random.default_rng(0)
    logits = random.normal(size=(20_000, 4)) * 2
    y = (softmax(logits).cumsum(axis=1) < random.random((20_000, 1))).sum(axis=1)

    found = fit_temperature(y, softmax(logits * temperature))

    assert found == pytest.approx(temperature, rel=0.05)
    np.testing.assert_allclose(with_temperature(softmax(logits * temperature), temperature), softmax(logits), atol=1e-4)


def test_calibrated_probabilities_have_almost_no_calibration_error() -> None:
    """Ten times as much if they are far too certain, and the temperature repairs it."""
    random = np.random.default_rng(0)
    logits = random.normal(size=(20_000, 2))
    y = (softmax(logits)[:, 1] > random.random(20_000)).astype(int)
    certain = softmax(4 * logits)

    good, bad, repaired = calibration(y, softmax(logits)), calibration(y, certain), calibration(y, certain, 4.0)

    assert good.ece < 0.01
    assert bad.ece > 0.1
    assert repaired.ece == pytest.approx(good.ece, abs=0.002)
    assert repaired.brier < bad.brier
    assert repaired.log_loss < bad.log_loss
    assert (good.temperature, repaired.temperature) == (1.0, 4.0)


def test_the_calibration_error_weighs_each_bin_by_its_rows() -> None:
    """Three rows at 0.9 with two right, one row at 0.6 that is wrong."""
    p = np.array([[0.1, 0.9], [0.9, 0.1], [0.9, 0.1], [0.6, 0.4]])

    found = calibration(np.array([1, 0, 1, 1]), p)

    assert found.ece == pytest.approx((3 * abs(2 / 3 - 0.9) + 0.6) / 4)
    assert [bin_.rows for bin_ in bins(np.array([1, 0, 1, 1]), p)] == [1, 3]


@given(seed=st.integers(0, 2**32 - 1), rows=st.integers(2, 40), digits=st.integers(1, 4))
def test_no_threshold_has_a_better_f1(seed: int, rows: int, digits: int) -> None:
    """Compared with every threshold that splits the rows differently."""
    y, (p,) = draw("binary", np.random.default_rng(seed), rows, 1)
    probability = p[:, 1].round(digits)

    found = best_threshold(y, probability)

    best = max(f1_score(y, probability >= threshold) for threshold in probability)
    assert f1_score(y, probability >= found) == pytest.approx(best)


def test_of_equally_good_thresholds_the_one_nearest_to_a_half_is_taken() -> None:
    """It lies between two probabilities. Without both classes it is 0.5."""
    assert best_threshold(np.array([0, 1, 1]), np.array([0.2, 0.6, 0.7])) == pytest.approx(0.4)
    assert best_threshold(np.array([1, 1]), np.array([0.2, 0.6])) == 0.5


def test_each_task_has_its_facts() -> None:
    """A threshold for two classes, a temperature for classes, neither for numbers; and all survive JSON."""
    random = np.random.default_rng(0)
    facts = {}
    for task in TASKS:
        y, (predictions,) = draw(task, random, 60, 1)
        facts[task] = validation_facts(task, y, predictions)

    known = {task: (fact.threshold is not None, fact.temperature is not None) for task, fact in facts.items()}
    assert known == {"regression": (False, False), "binary": (True, True), "multiclass": (False, True)}
    for fact in facts.values():
        assert type(fact).model_validate_json(fact.model_dump_json()) == fact
