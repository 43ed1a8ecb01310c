"""Creates Keras optimizers from a configuration.

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


def make_optimizer(hp: Hyperparameters, schedule: Any) -> keras.optimizers.Optimizer:
    """Return the optimizer of a configuration; ``schedule`` is from :func:`~tuner.training.schedules.make_schedule`."""
    settings: dict[str, Any] = {"learning_rate": schedule or hp.learning_rate}
    if hp.weight_decay or hp.optimizer == "adamw":
        settings["weight_decay"] = hp.weight_decay
    if hp.optimizer == "sgd":
        settings["momentum"] = hp.momentum
    if hp.optimizer in {"adam", "adamw"}:
        settings["beta_2"] = hp.beta_2
    return _OPTIMIZERS[hp.optimizer](**settings)
