"""Measures predictions of labelled rows, as a practitioner expects it for the task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuner.config.tables import Table
from tuner.evaluation.bootstrap import RESAMPLES, Estimate, estimates
from tuner.evaluation.calibration import Calibration, calibration
from tuner.evaluation.facts import ValidationFacts
from tuner.evaluation.scores import scores
from tuner.tasks import TaskName

EVEN = 0.5  # the threshold unless another one was chosen


class ClassScores(Table):
    """How well one class is recognised.

    Attributes:
        name: Name of the class.
        rows: How many rows are of this class.
        precision: Share of the rows predicted as this class that are of it; ``None`` if there are none.
        recall: Share of its rows that are predicted as it; ``None`` if it has none.
        f1: Harmonic mean of both; ``None`` if the class occurs neither among labels nor predictions.
    """

    name: str
    rows: int
    precision: float | None
    recall: float | None
    f1: float | None


class ThresholdScores(Table):
    """Predictions of two classes where class 1 is predicted from a probability on.

    Attributes:
        threshold: The probability.
        validated: Whether it was chosen on validation rows.
        precision: Share of the rows predicted as class 1 that are of it; ``None`` if there are none.
        recall: Share of the rows of class 1 that are predicted as it; ``None`` if there are none.
        f1: Harmonic mean of both; ``None`` if there is neither.
        accuracy: Share of the rows that are predicted right.
        confusion: Rows by true class (down) and predicted class (across).
    """

    threshold: float
    validated: bool
    precision: float | None
    recall: float | None
    f1: float | None
    accuracy: float
    confusion: tuple[tuple[int, ...], ...]


class Measured(Table):
    """How good predictions of labelled rows are.

    Attributes:
        task: Name of the task.
        rows: Number of rows.
        metrics: Metrics by name, the most important ones first, with 95 % intervals.
        classes: One entry per class.
        confusion: Rows by true class (down) and most probable class (across).
        thresholds: At 0.5, and at the threshold that was chosen on validation rows; for two classes.
        calibration: As the probabilities are, and with the temperature that was fitted on validation rows.
    """

    task: TaskName
    rows: int
    metrics: dict[str, Estimate]
    classes: tuple[ClassScores, ...] = ()
    confusion: tuple[tuple[int, ...], ...] = ()
    thresholds: tuple[ThresholdScores, ...] = ()
    calibration: tuple[Calibration, ...] = ()


def measure(
    task: TaskName,
    y: NDArray[Any],
    predictions: NDArray[Any],
    class_names: Sequence[str] = (),
    *,
    facts: ValidationFacts | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Measured:
    """Measure predictions.

    Args:
        task: Name of the task.
        y: Classes as numbers from 0, or numbers, shape ``(rows,)``; at least one row.
        predictions: Probabilities, shape ``(rows, classes)``, or numbers, shape ``(rows,)`` or ``(rows, 1)``.
        class_names: Names of the classes.
        facts: What was chosen on the validation rows, if it is known.
        resamples: Number of bootstrap resamples for the intervals; 0 computes none.
        seed: Seed of the resamples.
    """
    metrics = estimates(scores(task, y, predictions), len(y), resamples=resamples, seed=seed)
    if task == "regression":
        return Measured(task=task, rows=len(y), metrics=metrics)
    confusion = confusion_counts(y, predictions.argmax(axis=1), len(class_names))
    return Measured(
        task=task,
        rows=len(y),
        metrics=metrics,
        classes=tuple(_class_scores(confusion, i, name) for i, name in enumerate(class_names)),
        confusion=_tuples(confusion),
        thresholds=_thresholds(y, predictions[:, 1], facts) if task == "binary" else (),
        calibration=_calibrations(y, predictions, facts),
    )


def confusion_counts(y: NDArray[Any], predicted: NDArray[Any], classes: int) -> NDArray[np.int64]:
    """Return the rows by true class (down) and predicted class (across), shape ``(classes, classes)``."""
    cells = (
        y.astype(np.int64) * classes + predicted
    )  # without scikit-learn, which a trainer would import for this alone
    return np.bincount(cells, minlength=classes**2).reshape(classes, classes)


def _tuples(confusion: NDArray[np.int64]) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(row) for row in confusion.tolist())


def _class_scores(confusion: NDArray[np.int64], i: int, name: str) -> ClassScores:
    precision, recall, f1 = _rates(confusion, i)
    return ClassScores(name=name, rows=int(confusion[i].sum()), precision=precision, recall=recall, f1=f1)


def _rates(confusion: NDArray[np.int64], i: int) -> tuple[float | None, float | None, float | None]:
    """Return precision, recall and F1 of a class."""
    right, actual, chosen = int(confusion[i, i]), int(confusion[i].sum()), int(confusion[:, i].sum())
    return (
        right / chosen if chosen else None,
        right / actual if actual else None,
        2 * right / (actual + chosen) if actual + chosen else None,
    )


def _thresholds(
    y: NDArray[Any], probability: NDArray[Any], facts: ValidationFacts | None
) -> tuple[ThresholdScores, ...]:
    thresholds = [(EVEN, False)]
    if facts is not None and facts.threshold is not None:
        thresholds.append((facts.threshold, True))
    return tuple(_at(threshold, y, probability, validated=validated) for threshold, validated in thresholds)


def _at(threshold: float, y: NDArray[Any], probability: NDArray[Any], *, validated: bool) -> ThresholdScores:
    confusion = confusion_counts(y, (probability >= threshold).astype(int), 2)
    precision, recall, f1 = _rates(confusion, 1)
    return ThresholdScores(
        threshold=threshold,
        validated=validated,
        precision=precision,
        recall=recall,
        f1=f1,
        accuracy=float(np.trace(confusion) / len(y)),
        confusion=_tuples(confusion),
    )


def _calibrations(
    y: NDArray[Any], probabilities: NDArray[Any], facts: ValidationFacts | None
) -> tuple[Calibration, ...]:
    before = calibration(y, probabilities)
    if facts is None or facts.temperature is None:
        return (before,)
    return before, calibration(y, probabilities, facts.temperature)
