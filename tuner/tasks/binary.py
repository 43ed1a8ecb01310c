"""Predicts one of two classes."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from tuner.config.objectives import Metric
from tuner.records import Metrics
from tuner.tasks.base import TaskName
from tuner.tasks.classification import Classification, common_metrics, macro_f1


class _Binary(Classification):
    name: ClassVar[TaskName] = "binary"
    objective: ClassVar[Metric] = "val_auc"
    metrics: ClassVar[tuple[str, ...]] = ("auc", "accuracy", "average_precision", "f1")

    def measure(self, y: NDArray[Any], raw: NDArray[Any], *, variance: float) -> Metrics:  # noqa: ARG002 - see Task
        """``auc`` and ``average_precision`` regard class 1 as positive. ``f1`` is the mean over both classes."""
        metrics, predicted = common_metrics(y, raw)
        score = raw[:, 1].astype(np.float64) - raw[:, 0].astype(np.float64)
        auc, precision = _ranking(y, score)
        return {**metrics, "auc": auc, "average_precision": precision, "f1": macro_f1(y, predicted, 2)}


def _ranking(y: NDArray[Any], score: NDArray[np.float64]) -> tuple[float, float]:
    """Return the area under the ROC curve and the average precision. Rows of equal score count as one step.

    Without rows of both classes, the area is 0.5 and the average precision the share of positive rows.
    """
    order = np.argsort(-score, kind="stable")
    last = np.append(np.flatnonzero(np.diff(score[order])), len(y) - 1)  # of each group of equal scores
    positive = np.cumsum(y[order])[last].astype(np.float64)
    negative = last + 1 - positive
    if not positive[-1] or not negative[-1]:
        return 0.5, float(positive[-1] / len(y))
    recall, fall_out = positive / positive[-1], negative / negative[-1]
    steps = np.diff(recall, prepend=0.0)
    area = float(np.sum(np.diff(fall_out, prepend=0.0) * (recall - steps / 2)))
    return area, float(np.sum(steps * positive / (last + 1)))


BINARY = _Binary()
"""Predicts one of two classes."""
