"""What is fixed in a traced program, and what it is told anew for each trial."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from tuner.config.hyperparameters import Hyperparameters


@dataclass(frozen=True)
class Structure:
    """The part of a configuration that decides which operations a training step has.

    Trials of the same structure share a program, whatever their widths, rates, batch size and seed. A dropout rate or a
    weight decay of 0 leaves its operations out, so that nobody pays for what is not used.
    """

    dtype: str
    layers: int
    activation: str
    batch_norm: bool
    input_dropout: bool
    dropout: bool
    optimizer: str
    momentum: bool
    decay: bool

    @classmethod
    def of(cls, hp: Hyperparameters, dtype: str) -> Self:
        """Return the structure of a configuration.

        Args:
            hp: The configuration.
            dtype: Type of the raw values, e.g. ``uint8``.
        """
        return cls(
            dtype=dtype,
            layers=hp.layers,
            activation=hp.activation,
            batch_norm=hp.batch_norm,
            input_dropout=hp.input_dropout > 0,
            dropout=hp.dropout > 0,
            optimizer="adam" if hp.optimizer == "adamw" else hp.optimizer,  # the same but for the decay
            momentum=hp.optimizer == "sgd" and hp.momentum > 0,
            decay=hp.weight_decay > 0,
        )


@dataclass(frozen=True)
class Settings:
    """What a program is told for each trial.

    ``scale`` is what raw values are multiplied with; the shares and rates are those of
    :class:`~tuner.config.hyperparameters.Hyperparameters`; ``seed`` is that of the dropout masks.
    """

    scale: float
    dropout: float
    input_dropout: float
    momentum: float
    weight_decay: float
    label_smoothing: float
    batch_size: int
    seed: int

    @classmethod
    def of(cls, hp: Hyperparameters, *, scale: float, seed: int) -> Self:
        """Return the settings of a configuration."""
        return cls(
            scale=scale,
            dropout=hp.dropout,
            input_dropout=hp.input_dropout,
            momentum=hp.momentum,
            weight_decay=hp.weight_decay,
            label_smoothing=hp.label_smoothing,
            batch_size=hp.batch_size,
            seed=seed,
        )
