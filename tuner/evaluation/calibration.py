"""Whether probabilities are as high as the shares of right predictions, and one number that makes them so.

Source: Guo et al. 2017, On Calibration of Modern Neural Networks: the expected calibration error with 15 bins in
section 2, temperature scaling in section 4.2.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuner.config.tables import Table
from tuner.evaluation.scores import Floats, brier, log_loss, once

BINS = 15
_LOG_RANGE = (-3.0, 3.0)  # of the temperature: 0.05 to 20
_TINY = float(np.finfo(np.float32).tiny)  # replaces a probability of 0, which has no logarithm


class Calibration(Table):
    """Probabilities against what happened.

    Attributes:
        temperature: What the logits were divided by; 1 leaves the probabilities as they are.
        log_loss: Mean cross-entropy in nats.
        brier: Mean squared error of the probabilities.
        ece: Expected calibration error.
    """

    temperature: float
    log_loss: float
    brier: float
    ece: float


class Bin(Table):
    """Rows whose highest probability lies in the same fifteenth of 0 to 1.

    Attributes:
        rows: Number of rows.
        confidence: Mean of their highest probability.
        accuracy: Share of them whose most probable class is right.
    """

    rows: int
    confidence: float
    accuracy: float


def fit_temperature(y: NDArray[Any], probabilities: NDArray[Any]) -> float:
    """Return the temperature with the lowest log loss, between 0.05 and 20.

    Args:
        y: Classes of validation rows, as numbers from 0, shape ``(rows,)``.
        probabilities: Shape ``(rows, classes)``.
    """
    from scipy.optimize import minimize_scalar

    rows = len(y)
    found = minimize_scalar(
        lambda log: once(log_loss(y, with_temperature(probabilities, float(np.exp(log)))), rows),
        bounds=_LOG_RANGE,
        method="bounded",
    )
    return float(np.exp(found.x))


def with_temperature(probabilities: NDArray[Any], temperature: float) -> Floats:
    """Return the softmax of the logarithms divided by the temperature, shape ``(rows, classes)``."""
    logits = np.log(np.maximum(probabilities.astype(np.float64), _TINY)) / temperature
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    scaled: Floats = powers / powers.sum(axis=1, keepdims=True)
    return scaled


def calibration(y: NDArray[Any], probabilities: NDArray[Any], temperature: float = 1.0) -> Calibration:
    """Measure the calibration of probabilities, after temperature scaling if ``temperature`` is not 1.

    Args:
        y: Classes as numbers from 0, shape ``(rows,)``.
        probabilities: Shape ``(rows, classes)``.
        temperature: The temperature that was fitted on other rows.
    """
    if temperature != 1:
        probabilities = with_temperature(probabilities, temperature)
    error = sum(bin_.rows * abs(bin_.accuracy - bin_.confidence) for bin_ in bins(y, probabilities)) / len(y)
    return Calibration(
        temperature=temperature,
        log_loss=once(log_loss(y, probabilities), len(y)),
        brier=once(brier(y, probabilities), len(y)),
        ece=error,
    )


def bins(y: NDArray[Any], probabilities: NDArray[Any]) -> tuple[Bin, ...]:
    """Return the bins that hold rows, from low to high. Each spans 1/15 and includes its upper end."""
    highest = probabilities.max(axis=1).astype(np.float64)
    right = probabilities.argmax(axis=1) == y
    place = np.clip(np.ceil(highest * BINS).astype(int) - 1, 0, BINS - 1)
    return tuple(
        Bin(rows=int(inside.sum()), confidence=float(highest[inside].mean()), accuracy=float(right[inside].mean()))
        for inside in (place == i for i in np.unique(place))
    )
