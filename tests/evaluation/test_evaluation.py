"""What is stored of predictions is small, agrees with scikit-learn, and is checked when it is read."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from sklearn.metrics import auc, confusion_matrix

from tests.evaluation.draws import draw
from tests.evaluations import evaluation_of_task
from tuner.evaluation.evaluation import MOST_CLASSES, MOST_POINTS, MOST_STEPS, Evaluation, evaluation_of
from tuner.tasks import TaskName

TASKS: tuple[TaskName, ...] = ("regression", "binary", "multiclass")
MOST_BYTES = 60_000


@pytest.mark.parametrize("task", TASKS)
def test_an_evaluation_is_small_and_read_as_it_was_written(task: TaskName) -> None:
    """With many rows and classes too."""
    evaluation = evaluation_of_task(task, 3000, 50)
    text = json.dumps(evaluation.model_dump(mode="json"), allow_nan=False)

    assert len(text) < MOST_BYTES
    assert Evaluation.model_validate(json.loads(text)) == evaluation
    assert evaluation.intervals.keys() == evaluation.metrics.keys()


def test_counts_are_those_of_the_confusion_matrix() -> None:
    """All rows are in it."""
    y, (predictions,) = draw("multiclass", np.random.default_rng(1), 200, 1)
    confusion = evaluation_of("multiclass", y, predictions, {}).confusion

    assert confusion is not None
    assert confusion.counts == tuple(map(tuple, confusion_matrix(y, predictions.argmax(axis=1)).tolist()))
    assert confusion.rows == tuple(np.bincount(y).tolist())
    assert (confusion.classes, confusion.left_out) == ((0, 1, 2), 0)


def test_of_many_classes_those_that_are_confused_most_often_are_kept() -> None:
    """Two of 40 classes are confused, and both are among the 30; the number of the others is known."""
    y = np.arange(400) % 40
    predicted = np.where(y == 33, 38, y)
    confusion = evaluation_of("multiclass", y, np.eye(40)[predicted], {}).confusion

    assert confusion is not None
    assert len(confusion.classes) == MOST_CLASSES
    assert {33, 38} < set(confusion.classes)
    assert confusion.left_out == 40 - MOST_CLASSES
    from_33, to_38 = confusion.classes.index(33), confusion.classes.index(38)
    assert (confusion.counts[from_33][from_33], confusion.counts[from_33][to_38]) == (0, 10)


def test_of_thousands_of_classes_no_confusion_matrix_is_counted() -> None:
    """It would have millions of cells."""
    predictions = np.eye(1001, dtype=np.float32)[:5]

    assert evaluation_of("multiclass", np.arange(5), predictions, {}).confusion is None


def test_the_curves_of_two_classes_enclose_the_areas_of_their_metrics() -> None:
    """Although few of their points are kept."""
    evaluation = evaluation_of_task("binary", 5000)

    assert evaluation.roc is not None
    assert evaluation.precision_recall is not None
    assert len(evaluation.roc.x) == MOST_STEPS
    assert auc(evaluation.roc.x, evaluation.roc.y) == pytest.approx(evaluation.metrics["auc"].value, abs=2e-3)
    assert auc(evaluation.precision_recall.x, evaluation.precision_recall.y) == pytest.approx(
        evaluation.metrics["average_precision"].value, abs=2e-3
    )


def test_without_rows_of_both_classes_there_is_no_curve() -> None:
    """The confusion matrix is there."""
    evaluation = evaluation_of("binary", np.zeros(4, int), np.full((4, 2), 0.5), {})

    assert (evaluation.roc, evaluation.precision_recall) == (None, None)
    assert evaluation.confusion is not None


def test_of_many_numbers_some_are_kept_the_same_each_time() -> None:
    """Pairs stay together."""
    y = np.arange(2000.0)
    points = evaluation_of("regression", y, y[:, None] + 0.5, {}).points

    assert points is not None
    assert len(points.true) == MOST_POINTS
    assert all(predicted == true + 0.5 for true, predicted in zip(points.true, points.predicted, strict=True))
    assert evaluation_of("regression", y, y[:, None] + 0.5, {}).points == points


def test_predictions_that_are_not_finite_are_left_out() -> None:
    """A model that is infinite in one row still has a figure; of none, there is nothing to draw."""
    points = evaluation_of("regression", np.arange(3.0), np.array([0, np.inf, 2]), {}).points
    none = evaluation_of("binary", np.array([0, 1]), np.full((2, 2), np.nan), {})

    assert points is not None
    assert points.true == (0, 2)
    assert (none.rows, none.confusion, none.roc) == (2, None, None)


HOSTILE: dict[str, dict[str, Any]] = {
    "no rows": {"rows": 0},
    "rows as text": {"rows": "7"},
    "an unknown part": {"html": "<b>"},
    "too many metrics": {"metrics": {str(i): {"value": 1.0} for i in range(99)}},
    "a metric with a long name": {"metrics": {"x" * 99: {"value": 1.0}}},
    "a number that is not finite": {"points": {"true": [1.0, float("nan")], "predicted": [1.0, 2.0]}},
    "a number as text": {"points": {"true": ["1"], "predicted": [1.0]}},
    "pairs that do not match": {"points": {"true": [1.0, 2.0], "predicted": [1.0]}},
    "too many points": {"points": {"true": [1.0] * 501, "predicted": [1.0] * 501}},
    "a curve beyond 1": {"roc": {"x": [0.0, 2.0], "y": [0.0, 1.0]}},
    "a curve of two lengths": {"roc": {"x": [0.0, 1.0], "y": [0.0, 0.5, 1.0]}},
    "a matrix that is not square": {"confusion": {"classes": [0, 1], "rows": [1, 1], "counts": [[1, 0], [0, 1, 0]]}},
    "too many classes": {
        "confusion": {"classes": list(range(31)), "rows": [0] * 31, "counts": [[0] * 31 for _ in range(31)]}
    },
    "a class twice": {"confusion": {"classes": [1, 1], "rows": [1, 1], "counts": [[1, 0], [0, 1]]}},
    "negative counts": {"confusion": {"classes": [0, 1], "rows": [1, 1], "counts": [[1, -1], [0, 1]]}},
    "more counts than rows": {"confusion": {"classes": [0, 1], "rows": [1, 1], "counts": [[1, 1], [0, 1]]}},
    "a huge number": {"rows": 10**400},
}


@pytest.mark.parametrize("case", HOSTILE)
def test_what_no_tuner_wrote_is_refused(case: str) -> None:
    """Archives and databases of others are read too."""
    with pytest.raises(ValidationError):
        Evaluation.model_validate({"rows": 2, "metrics": {}, **HOSTILE[case]})
