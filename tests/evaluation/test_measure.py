"""What is reported of predictions of labelled rows."""

from __future__ import annotations

import numpy as np
import pytest

from tests.evaluation.draws import draw
from tuner.evaluation.facts import ValidationFacts, validation_facts
from tuner.evaluation.measure import Measured, measure
from tuner.tasks import TASKS, TaskName

Y = np.array([0, 0, 0, 1, 1])
P = np.array([[0.9, 0.1], [0.6, 0.4], [0.3, 0.7], [0.65, 0.35], [0.2, 0.8]])


def test_two_classes_are_shown_at_both_thresholds() -> None:
    """At 0.5, and at the one of the validation rows: the confusion, precision, recall and F1 of class 1."""
    found = measure("binary", Y, P, ["no", "yes"], facts=ValidationFacts(rows=9, threshold=0.3, temperature=2.0))

    even, chosen = found.thresholds
    assert (even.threshold, even.validated, even.confusion) == (0.5, False, ((2, 1), (1, 1)))
    assert (even.precision, even.recall, even.f1, even.accuracy) == (0.5, 0.5, 0.5, 0.6)
    assert (chosen.threshold, chosen.validated, chosen.confusion) == (0.3, True, ((1, 2), (0, 2)))
    assert (chosen.precision, chosen.recall) == (0.5, 1.0)
    assert [each.temperature for each in found.calibration] == [1.0, 2.0]


def test_without_facts_nothing_is_made_up() -> None:
    """No threshold but 0.5, and no temperature."""
    found = measure("binary", Y, P, ["no", "yes"])

    assert len(found.thresholds) == len(found.calibration) == 1


def test_each_class_has_a_row() -> None:
    """A class that neither occurs nor is predicted has no rates, instead of zeros."""
    found = measure("multiclass", Y, np.pad(P, ((0, 0), (0, 1))), ["a", "b", "c"])

    a, _, c = found.classes
    assert (a.name, a.rows, a.precision, a.recall) == ("a", 3, 2 / 3, 2 / 3)
    assert (c.rows, c.precision, c.recall, c.f1) == (0, None, None, None)
    assert found.confusion == ((2, 1, 0), (1, 1, 0), (0, 0, 0))


def test_numbers_have_metrics_alone() -> None:
    """Each with an interval around it."""
    y, (predicted,) = draw("regression", np.random.default_rng(0), 200, 1)

    found = measure("regression", y, predicted)

    assert list(found.metrics) == ["rmse", "mae", "median_absolute_error", "r2"]
    assert all(each.low < each.value < each.high for each in found.metrics.values())  # type: ignore[operator]
    assert (found.classes, found.confusion, found.thresholds, found.calibration) == ((), (), (), ())


@pytest.mark.parametrize("task", TASKS)
def test_all_of_it_survives_json(task: TaskName) -> None:
    """Also of one row, which defines little."""
    for rows in (1, 30):
        y, (predictions,) = draw(task, np.random.default_rng(0), rows, 1)
        names = [] if task == "regression" else [str(i) for i in range(predictions.shape[1])]
        facts = validation_facts(task, y, predictions)

        found = measure(task, y, predictions, names, facts=facts)

        assert Measured.model_validate_json(found.model_dump_json()) == found
