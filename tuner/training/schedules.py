"""How the learning rate, the dropout rates and the weight decay change from step to step."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from tuner.config.hyperparameters import Hyperparameters

_CYCLES = 4


class CosLog(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
    """A learning rate that rises from 0 and falls to 0 four times, each time over twice as many steps.

    ``rate * (1 - cos(2 pi log2(1 + 15 t))) / 2``, where ``t`` grows from 0 to 1 over ``steps``.

    Source: Holzmüller et al. 2024, Better by Default, section 3: coslog with four cycles.
    """

    def __init__(self, rate: float, steps: int) -> None:
        super().__init__()
        self._rate = rate
        self._steps = steps

    def __call__(self, step: Any) -> Any:
        """Return the rate of a step, counted from 0; a scalar or an array."""
        share = keras.ops.minimum(keras.ops.cast(step, "float32") / self._steps, 1.0)
        cycle = keras.ops.log2(1 + (2**_CYCLES - 1) * share)
        return self._rate * (1 - keras.ops.cos(2 * math.pi * cycle)) / 2

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor."""
        return {"rate": self._rate, "steps": self._steps}


def make_schedule(hp: Hyperparameters, steps: int) -> keras.optimizers.schedules.LearningRateSchedule | None:
    """Return the schedule for a trial of ``steps`` optimizer steps; ``None`` for a constant rate."""
    if hp.schedule == "coslog":
        return CosLog(hp.learning_rate, steps)
    return keras.optimizers.schedules.CosineDecay(hp.learning_rate, steps) if hp.schedule == "cosine" else None


def flat_cos(first: int, count: int, steps: int) -> npt.NDArray[np.float32]:
    """Return the factors of ``count`` steps: 1 for half of all ``steps``, then along a cosine down to 0.

    Args:
        first: Number of steps before these.
        count: Number of factors.
        steps: Number of steps of the whole trial.

    Source: Holzmüller et al. 2024, Better by Default, section 3.
    """
    share = np.minimum(np.arange(first, first + count) / steps, 1.0)
    factors: npt.NDArray[np.float32] = (0.5 * (1 + np.cos(np.pi * (np.maximum(1, 2 * share) - 1)))).astype(np.float32)
    return factors
