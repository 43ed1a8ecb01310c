"""How a model learns its target: a number standardised, as it is or its logarithm; classes with weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from tuner.config.hyperparameters import Hyperparameters
from tuner.errors import DataError
from tuner.tables.inputs import NumericTarget


@dataclass(frozen=True)
class TargetScale:
    """Converts a target to what a model learns, and back.

    Attributes:
        mean: Mean of the target or its logarithm in the training rows.
        deviation: Its standard deviation.
        log: Whether the model learns the logarithm.
        smallest: Smallest target of the training rows, in its units. No prediction is smaller.
        largest: Largest target. No prediction is larger.
    """

    mean: float
    deviation: float
    log: bool
    smallest: float
    largest: float

    @classmethod
    def of(cls, hp: Hyperparameters, target: NumericTarget) -> Self:
        """Return the scale that a configuration asks for.

        Raises:
            DataError: If the logarithm of a target is asked for that is not always positive.
        """
        if hp.target_transform == "none":
            return cls(target.mean, target.deviation, log=False, smallest=target.smallest, largest=target.largest)
        if target.log_mean is None or target.log_deviation is None:
            raise DataError(
                f"target_transform = 'log' needs a positive target, the smallest is {target.smallest:g}",
                hint="leave out target_transform",
            )
        return cls(target.log_mean, target.log_deviation, log=True, smallest=target.smallest, largest=target.largest)

    def standardise(self, y: NDArray[Any]) -> NDArray[np.float32]:
        """Return targets in their units as what a model learns, shape ``(rows,)``."""
        values = y.astype(np.float64)
        standard = ((np.log(values) if self.log else values) - self.mean) / self.deviation
        return standard.astype(np.float32)

    def restore(self, outputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return what a model learned in the units of the target, within the range of the training rows."""
        with np.errstate(over="ignore", invalid="ignore"):
            values = outputs * np.float32(self.deviation) + np.float32(self.mean)
            values = np.exp(values) if self.log else values
            restored: NDArray[np.float32] = np.clip(values, np.float32(self.smallest), np.float32(self.largest))
        return restored


def class_weights(hp: Hyperparameters, y: NDArray[Any], classes: int) -> NDArray[np.float32]:
    """Return the weight of each class in the training loss, shape ``(classes,)``; empty if all have the same.

    The rarer a class, the larger its weight: ``rows / (classes * rows of the class)``. Their mean over the rows is 1.

    Args:
        hp: The configuration.
        y: Class of each training row, shape ``(rows,)``.
        classes: Number of classes; 0 for a numeric target.

    Source: King & Zeng 2001, Logistic Regression in Rare Events Data, section 4.
    """
    if hp.class_weight == "none" or not classes:
        return np.zeros(0, np.float32)
    counts = np.bincount(y, minlength=classes)
    return (len(y) / (classes * np.maximum(counts, 1))).astype(np.float32)
