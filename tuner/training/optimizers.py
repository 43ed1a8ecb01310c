"""Creates Keras optimizers and schedules from a configuration.

On TensorFlow, :mod:`tuner.training.kernels` updates the weights. The Keras optimizer then only holds the learning rate,
which callbacks can read and change.
"""

from __future__ import annotations

from typing import Any

import keras

from tuner.config.hyperparameters import Hyperparameters

_OPTIMIZERS = {
    "adam": keras.optimizers.Adam,
    "adamw": keras.optimizers.AdamW,
    "rmsprop": keras.optimizers.RMSprop,
    "adadelta": keras.optimizers.Adadelta,
    "sgd": keras.optimizers.SGD,
}


def make_schedule(hp: Hyperparameters, steps: int) -> keras.optimizers.schedules.LearningRateSchedule | None:
    """Return the schedule for a trial of ``steps`` optimizer steps; ``None`` for a constant rate."""
    return keras.optimizers.schedules.CosineDecay(hp.learning_rate, steps) if hp.schedule == "cosine" else None


def make_optimizer(hp: Hyperparameters, schedule: Any) -> keras.optimizers.Optimizer:
    """Return the optimizer of a configuration; ``schedule`` is the result of :func:`make_schedule`."""
    settings: dict[str, Any] = {"learning_rate": schedule or hp.learning_rate}
    if hp.weight_decay or hp.optimizer == "adamw":
        settings["weight_decay"] = hp.weight_decay
    if hp.optimizer == "sgd":
        settings["momentum"] = hp.momentum
    return _OPTIMIZERS[hp.optimizer](**settings)
