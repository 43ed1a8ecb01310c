"""The metrics of each task, computed for many resamples of the rows at once.

A *score* takes how often each row was drawn, shape ``(resamples, rows)``, and returns one value per resample. It has
sorted and compared the rows beforehand, which scikit-learn does in each call: for the area under the ROC curve, 1000
resamples of 10,000 rows take 0.4 s instead of 4 s. The tests compare the results with those of scikit-learn.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuner.tasks import TaskName

Floats = NDArray[np.float64]
Counts = NDArray[np.float64]
Score = Callable[[Counts], Floats]
MakeScore = Callable[[NDArray[Any], NDArray[Any]], Score]

SMALLEST = float(np.finfo(np.float32).eps)  # probabilities are clipped to this, as scikit-learn does for float32


def scores(task: TaskName, y: NDArray[Any], predictions: NDArray[Any]) -> dict[str, Score]:
    """Return the scores of a task by name, the most important ones first.

    Args:
        task: Name of the task.
        y: Classes as numbers from 0, or numbers, shape ``(rows,)``.
        predictions: Probabilities, shape ``(rows, classes)``, or numbers, shape ``(rows,)`` or ``(rows, 1)``.
    """
    return {name: make(y, predictions) for name, make in SCORES[task].items()}


def once(score: Score, rows: int) -> float:
    """Return the value of a score where each row counts once."""
    return float(score(np.ones((1, rows)))[0])


def _mean(values: NDArray[Any]) -> Score:
    return lambda counts: counts @ values / counts.sum(axis=1)


def _errors(y: NDArray[Any], predicted: NDArray[Any]) -> Floats:
    errors: Floats = predicted.reshape(-1).astype(np.float64) - y.astype(np.float64)
    return errors


def squared_error(y: NDArray[Any], predicted: NDArray[Any]) -> Score:
    """Mean squared error, in squared units of the target."""
    return _mean(np.square(_errors(y, predicted)))


def rmse(y: NDArray[Any], predicted: NDArray[Any]) -> Score:
    """Root of the mean squared error, in units of the target."""
    squared = squared_error(y, predicted)
    return lambda counts: np.sqrt(squared(counts))


def mae(y: NDArray[Any], predicted: NDArray[Any]) -> Score:
    """Mean absolute error, in units of the target."""
    return _mean(np.abs(_errors(y, predicted)))


def median_absolute_error(y: NDArray[Any], predicted: NDArray[Any]) -> Score:
    """Median of the absolute errors, in units of the target."""
    errors = np.abs(_errors(y, predicted))
    order = np.argsort(errors)
    errors = errors[order]

    def score(counts: Counts) -> Floats:
        before = np.cumsum(counts[:, order], axis=1)
        total = before[:, -1:]
        lower, upper = ((before < rank).sum(axis=1) for rank in (np.ceil(total / 2), np.floor(total / 2) + 1))
        middle: Floats = (errors[lower] + errors[upper]) / 2
        return middle

    return score


def r2(y: NDArray[Any], predicted: NDArray[Any]) -> Score:
    """Coefficient of determination; 0 if all rows have the same target."""
    squared = squared_error(y, predicted)
    centered = y.astype(np.float64) - float(np.mean(y))
    varies = len(y) > 0 and bool(np.any(y != y[0]))

    def score(counts: Counts) -> Floats:
        total = counts.sum(axis=1)
        size = counts @ np.square(centered) / total
        own = size - np.square(counts @ centered / total)
        usable = varies & (own > 1e-12 * size)  # else nothing but rounding
        return np.where(usable, 1 - squared(counts) / np.where(usable, own, 1), 0)

    return score


def log_loss(y: NDArray[Any], probabilities: NDArray[Any]) -> Score:
    """Mean cross-entropy in nats."""
    chosen = probabilities[np.arange(len(y)), y].astype(np.float64)
    return _mean(-np.log(np.clip(chosen, SMALLEST, 1)))


def brier(y: NDArray[Any], probabilities: NDArray[Any]) -> Score:
    """Mean squared error of the probabilities: of class 1 if there are two classes, else summed over the classes.

    Source: Brier 1950, Verification of Forecasts Expressed in Terms of Probability; half of it for two classes.
    """
    errors = probabilities.astype(np.float64).copy()
    errors[np.arange(len(y)), y] -= 1
    return _mean(np.square(errors[:, 1]) if errors.shape[1] == 2 else np.square(errors).sum(axis=1))  # noqa: PLR2004


def accuracy(y: NDArray[Any], probabilities: NDArray[Any]) -> Score:
    """Share of the rows whose most probable class is right."""
    return _mean((probabilities.argmax(axis=1) == y).astype(np.float64))


def balanced_accuracy(y: NDArray[Any], probabilities: NDArray[Any]) -> Score:
    """Mean recall of the classes that occur."""
    right, actual, _ = _by_class(y, probabilities)

    def score(counts: Counts) -> Floats:
        rows = counts @ actual
        occurs = rows > 0
        recall = np.where(occurs, counts @ right / np.where(occurs, rows, 1), 0)
        mean: Floats = recall.sum(axis=1) / occurs.sum(axis=1)
        return mean

    return score


def macro_f1(y: NDArray[Any], probabilities: NDArray[Any]) -> Score:
    """Mean F1 of the classes that occur among labels or predictions."""
    right, actual, chosen = _by_class(y, probabilities)

    def score(counts: Counts) -> Floats:
        rows = counts @ (actual + chosen)
        occurs = rows > 0
        f1 = np.where(occurs, 2 * (counts @ right) / np.where(occurs, rows, 1), 0)
        mean: Floats = f1.sum(axis=1) / occurs.sum(axis=1)
        return mean

    return score


def auc(y: NDArray[Any], probabilities: NDArray[Any]) -> Score:
    """Area under the ROC curve of class 1; NaN without rows of both classes."""
    steps = _ranked(y, probabilities)

    def score(counts: Counts) -> Floats:
        positive, negative = steps(counts)
        gained = np.diff(positive, axis=1, prepend=0)
        area = np.sum(np.diff(negative, axis=1, prepend=0) * (positive - gained / 2), axis=1)
        pairs = positive[:, -1] * negative[:, -1]
        return np.where(pairs > 0, area / np.where(pairs > 0, pairs, 1), np.nan)

    return score


def average_precision(y: NDArray[Any], probabilities: NDArray[Any]) -> Score:
    """Mean precision over the recall of class 1; NaN without rows of class 1."""
    steps = _ranked(y, probabilities)

    def score(counts: Counts) -> Floats:
        positive, negative = steps(counts)
        drawn = positive + negative
        precision = positive / np.where(drawn > 0, drawn, 1)
        area = np.sum(np.diff(positive, axis=1, prepend=0) * precision, axis=1)
        total = positive[:, -1]
        return np.where(total > 0, area / np.where(total > 0, total, 1), np.nan)

    return score


def _ranked(y: NDArray[Any], probabilities: NDArray[Any]) -> Callable[[Counts], tuple[Floats, Floats]]:
    """Return a function that counts the rows of class 1 and of class 0 down to each distinct probability of class 1."""
    probability = probabilities[:, 1]
    order = np.argsort(-probability, kind="stable")
    last = np.append(np.flatnonzero(np.diff(probability[order])), len(y) - 1)  # of each group of equal ones
    is_one = y[order].astype(np.float64)

    def steps(counts: Counts) -> tuple[Floats, Floats]:
        drawn = counts[:, order]
        positive = np.cumsum(drawn * is_one, axis=1)[:, last]
        return positive, np.cumsum(drawn, axis=1)[:, last] - positive

    return steps


def _by_class(y: NDArray[Any], probabilities: NDArray[Any]) -> tuple[Floats, Floats, Floats]:
    """Return by row and class whether the row is right, is of the class, and is predicted as it."""
    one = np.eye(probabilities.shape[1])
    actual, chosen = one[y], one[probabilities.argmax(axis=1)]
    return actual * chosen, actual, chosen


SCORES: dict[TaskName, dict[str, MakeScore]] = {
    "regression": {"rmse": rmse, "mae": mae, "median_absolute_error": median_absolute_error, "r2": r2},
    "binary": {
        "auc": auc,
        "average_precision": average_precision,
        "log_loss": log_loss,
        "brier": brier,
        "accuracy": accuracy,
        "f1": macro_f1,
    },
    "multiclass": {
        "accuracy": accuracy,
        "balanced_accuracy": balanced_accuracy,
        "f1": macro_f1,
        "log_loss": log_loss,
        "brier": brier,
    },
}
"""What is measured for each task. ``f1`` is the mean over the classes."""
