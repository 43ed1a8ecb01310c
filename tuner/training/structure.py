"""Splits a configuration into what is fixed in a traced program and what is an argument of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from tuner.config.hyperparameters import Hyperparameters


@dataclass(frozen=True)
class Structure:
    """The part of a configuration that decides which operations a training step has.

    Trials of the same structure share a program. Their widths, rates, batch sizes and seeds can differ. If a dropout
    rate or the weight decay is 0, the program has no operations for it.
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
            optimizer="adam" if hp.optimizer == "adamw" else hp.optimizer,  # they differ only in the decay
            momentum=hp.optimizer == "sgd" and hp.momentum > 0,
            decay=hp.weight_decay > 0,
        )


@dataclass(frozen=True)
class Settings:
    """The arguments of a program for one trial.

    ``scale`` is the factor for raw values and ``seed`` the seed of the dropout masks. The other fields are those of
    :class:`~tuner.config.hyperparameters.Hyperparameters`.
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
