"""Random targets and predictions."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuner.tasks import TaskName


def softmax(logits: NDArray[Any]) -> NDArray[np.float64]:
    """Return probabilities, along the last axis."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    probabilities: NDArray[np.float64] = powers / powers.sum(axis=-1, keepdims=True)
    return probabilities


def draw(
    task: TaskName, random: np.random.Generator, rows: int, models: int, *, noise: float = 2.0, classes: int = 3
) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """Return a target with all classes, and the predictions of some models: better than chance, far from perfect."""
    if task == "regression":
        y = random.normal(size=rows)
        return y, y + noise * random.normal(size=(models, rows))
    classes = 2 if task == "binary" else classes
    y = random.permutation(np.arange(rows) % classes)
    return y, softmax(np.eye(classes)[y] + noise * random.normal(size=(models, rows, classes)))
