"""What both tasks with classes have in common."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from tuner.records import Metrics
from tuner.tasks.base import Loss, Task


class Classification(Task):
    """Predicts the class with the highest probability, from logits ``(rows, classes)``."""

    loss: ClassVar[Loss] = "cross_entropy"

    def outputs(self, classes: int) -> int:
        """Return one output per class."""
        return classes

    def strata(self, y: NDArray[Any]) -> NDArray[Any] | None:
        """Return the classes themselves."""
        return y


def log_probabilities(logits: NDArray[Any]) -> NDArray[np.float64]:
    """Return the logarithm of the softmax, shape ``(rows, classes)``."""
    shifted = logits.astype(np.float64)
    shifted -= shifted.max(axis=1, keepdims=True)
    normal: NDArray[np.float64] = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return normal


def common_metrics(y: NDArray[Any], logits: NDArray[Any]) -> tuple[Metrics, NDArray[np.intp]]:
    """Return ``loss``, the mean cross-entropy in nats, and ``accuracy``; and the predicted class of each row."""
    predicted = logits.argmax(axis=1)
    loss = -float(np.mean(log_probabilities(logits)[np.arange(len(y)), y]))
    return {"loss": loss, "accuracy": float(np.mean(predicted == y))}, predicted


def macro_f1(y: NDArray[Any], predicted: NDArray[Any], classes: int) -> float:
    """Return the mean F1 of the classes that occur among labels or predictions."""
    counts = [np.bincount(rows, minlength=classes) for rows in (y[y == predicted], y, predicted)]
    right, actual, chosen = (count.astype(np.float64) for count in counts)
    occurs = actual + chosen > 0
    return float(np.mean(2 * right[occurs] / (actual + chosen)[occurs]))
