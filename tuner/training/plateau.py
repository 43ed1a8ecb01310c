"""Lowers the learning rate when the loss no longer falls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras

from tuner.config.hyperparameters import Hyperparameters


class ReduceOnPlateau(keras.callbacks.ReduceLROnPlateau):  # type: ignore[misc]
    """Keras' callback for trials with the schedule ``plateau``, which can continue a trial.

    A checkpoint holds no state of it: the state follows from the metrics of the earlier epochs.

    Args:
        hp: The configuration.
        history: Metrics of the epochs of earlier attempts.
        monitor: The loss that should fall.
    """

    def __init__(
        self, hp: Hyperparameters, history: Sequence[Mapping[str, float]] = (), monitor: str = "val_loss"
    ) -> None:
        super().__init__(monitor=monitor, factor=hp.plateau_factor, patience=hp.plateau_patience, mode="min")
        self._history = history

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        """Lower the rate as the earlier epochs did."""
        super().on_train_begin(logs)
        for epoch, metrics in enumerate(self._history):
            super().on_epoch_end(epoch, dict(metrics))

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Lower the rate if the loss has not fallen for long enough."""
        super().on_epoch_end(epoch, dict(logs or {}))  # Keras adds the rate to the metrics, as our callbacks do


def plateau_callbacks(
    hp: Hyperparameters, history: Sequence[Mapping[str, float]] = (), monitor: str = "val_loss"
) -> list[keras.callbacks.Callback]:
    """Return the callback of a trial whose schedule is ``plateau``, else none. The arguments are as above."""
    return [ReduceOnPlateau(hp, history, monitor)] if hp.schedule == "plateau" else []
