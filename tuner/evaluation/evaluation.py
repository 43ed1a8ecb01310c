"""What a study stores of a model's predictions of the test rows: small enough for a database, enough for its figures.

Evaluations are also read from archives and databases of others, so their sizes are bounded.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from tuner.config.tables import Table
from tuner.evaluation.bootstrap import Estimate
from tuner.evaluation.measure import confusion_counts
from tuner.tasks import TaskName

MOST_CLASSES = 30  # in a confusion matrix
MOST_STEPS = 200  # points of a curve
MOST_POINTS = 500  # rows of a scatter plot
_MOST_COUNTED = 1000  # classes; the whole confusion matrix is counted before classes are chosen
_MOST_METRICS = 20
_SEED = 0
_DIGITS = 9  # residuals of large numbers are small

Count = Annotated[int, Field(strict=True, ge=0, lt=2**53)]
Counts = Annotated[tuple[Count, ...], Field(min_length=2, max_length=MOST_CLASSES, fail_fast=True)]
Share = Annotated[float, Field(strict=True, ge=0, le=1)]
Shares = Annotated[tuple[Share, ...], Field(min_length=2, max_length=MOST_STEPS, fail_fast=True)]
Numbers = Annotated[
    tuple[Annotated[float, Field(strict=True)], ...], Field(min_length=1, max_length=MOST_POINTS, fail_fast=True)
]


class Confusion(Table):
    """Which classes are taken for which.

    Attributes:
        classes: Positions of its classes among those of the study, ascending.
        counts: Rows by true class (down) and most probable class (across).
        rows: Number of rows of each class. It is more than the sum of its counts if classes are left out.
        left_out: Number of other classes, whose rows are confused less often.
    """

    classes: Counts
    counts: Annotated[tuple[Counts, ...], Field(min_length=2, max_length=MOST_CLASSES, fail_fast=True)]
    rows: Counts
    left_out: Count = 0

    @model_validator(mode="after")
    def _check(self) -> Self:
        size = len(self.classes)
        if {len(self.rows), len(self.counts), *map(len, self.counts)} != {size}:
            raise ValueError(f"the counts of {size} classes are not {size} x {size}")
        if list(self.classes) != sorted(set(self.classes)):
            raise ValueError("the classes are not in ascending order")
        if any(sum(counts) > rows for counts, rows in zip(self.counts, self.rows, strict=True)):
            raise ValueError("a class has fewer rows than predictions")
        return self


class Curve(Table):
    """Some points of a curve.

    Attributes:
        x: False positive rate or recall, ascending.
        y: True positive rate or precision.
    """

    x: Shares
    y: Shares

    @model_validator(mode="after")
    def _check(self) -> Self:
        if len(self.x) != len(self.y):
            raise ValueError(f"a curve has {len(self.x)} x and {len(self.y)} y")
        return self


class Points(Table):
    """Numbers of some rows, in units of the target.

    Attributes:
        true: What the data say.
        predicted: What the model predicts.
    """

    true: Numbers
    predicted: Numbers

    @model_validator(mode="after")
    def _check(self) -> Self:
        if len(self.true) != len(self.predicted):
            raise ValueError(f"there are {len(self.true)} true and {len(self.predicted)} predicted numbers")
        return self


class Evaluation(Table):
    """How a model predicts the test rows.

    Attributes:
        rows: Number of rows.
        metrics: Metrics by name, the most important ones first, with 95 % intervals.
        confusion: For classes; ``None`` if there are more than a thousand.
        roc: For two classes of which the rows hold both.
        precision_recall: Likewise.
        points: For numbers.
    """

    rows: Annotated[int, Field(strict=True, gt=0, lt=2**53)]
    metrics: dict[Annotated[str, Field(max_length=40)], Estimate] = Field(max_length=_MOST_METRICS)
    confusion: Confusion | None = None
    roc: Curve | None = None
    precision_recall: Curve | None = None
    points: Points | None = None

    @property
    def intervals(self) -> dict[str, tuple[float, float]]:
        """The 95 % intervals of the metrics that have one."""
        return {name: each.interval for name, each in self.metrics.items() if each.interval is not None}


def evaluation_of(
    task: TaskName, y: NDArray[Any], predictions: NDArray[Any], metrics: Mapping[str, Estimate]
) -> Evaluation:
    """Return what is stored of predictions. The same predictions give the same result.

    Args:
        task: Name of the task.
        y: Classes as numbers from 0, or numbers, shape ``(rows,)``; at least one row.
        predictions: Probabilities, shape ``(rows, classes)``, or numbers, shape ``(rows,)`` or ``(rows, 1)``. What is
            not finite is left out of the figures.
        metrics: The metrics of these predictions.
    """
    rows, known = len(y), dict(metrics)
    finite = np.isfinite(predictions.reshape(rows, -1)).all(axis=1)
    y, predictions = y[finite], predictions[finite]
    if not len(y):
        return Evaluation(rows=rows, metrics=known)
    if task == "regression":
        return Evaluation(rows=rows, metrics=known, points=_points(y, predictions.reshape(-1)))
    roc, precision_recall = _curves(y, predictions[:, 1]) if task == "binary" else (None, None)
    confusion = _confusion(y, predictions) if predictions.shape[1] <= _MOST_COUNTED else None
    return Evaluation(rows=rows, metrics=known, confusion=confusion, roc=roc, precision_recall=precision_recall)


def thin(values: NDArray[Any], most: int) -> NDArray[Any]:
    """Return at most ``most`` of the values, evenly spaced, the first and the last included."""
    if len(values) <= most:
        return values
    some: NDArray[Any] = values[np.linspace(0, len(values) - 1, most).round().astype(int)]
    return some


def _confusion(y: NDArray[Any], probabilities: NDArray[Any]) -> Confusion:
    counts = confusion_counts(y, probabilities.argmax(axis=1), probabilities.shape[1])
    wrong = counts.sum(axis=0) + counts.sum(axis=1) - 2 * counts.diagonal()
    chosen = np.sort(np.argsort(-wrong, kind="stable")[:MOST_CLASSES])
    return Confusion(
        classes=tuple(chosen.tolist()),
        counts=tuple(tuple(row) for row in counts[np.ix_(chosen, chosen)].tolist()),
        rows=tuple(counts.sum(axis=1)[chosen].tolist()),
        left_out=len(counts) - len(chosen),
    )


def _curves(y: NDArray[Any], probability: NDArray[Any]) -> tuple[Curve | None, Curve | None]:
    from sklearn.metrics import precision_recall_curve, roc_curve

    if not 0 < int(np.sum(y)) < len(y):
        return None, None
    fall_out, sensitivity, _ = roc_curve(y, probability)
    precision, recall, _ = precision_recall_curve(y, probability, drop_intermediate=True)
    return _curve(fall_out, sensitivity), _curve(recall[::-1], precision[::-1])


def _curve(x: NDArray[Any], y: NDArray[Any]) -> Curve:
    return Curve(x=_rounded(thin(x, MOST_STEPS)), y=_rounded(thin(y, MOST_STEPS)))


def _points(y: NDArray[Any], predicted: NDArray[Any]) -> Points:
    chosen = np.arange(len(y))
    if len(y) > MOST_POINTS:
        chosen = np.sort(np.random.default_rng(_SEED).choice(len(y), MOST_POINTS, replace=False))
    return Points(true=_rounded(y[chosen]), predicted=_rounded(predicted[chosen]))


def _rounded(values: NDArray[Any]) -> tuple[float, ...]:
    return tuple(float(f"{value:.{_DIGITS}g}") for value in values.tolist())
