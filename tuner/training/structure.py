"""Splits a configuration into what is fixed in a traced program and what is an argument of it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from tuner.config.hyperparameters import Hyperparameters
from tuner.config.tables import Precision
from tuner.data.schema import DataSchema
from tuner.images.augmentation import Augmentation
from tuner.tables.inputs import TableInput
from tuner.tasks.base import Loss
from tuner.training.rows import row_type

# Of the products that are worth their conversions to bfloat16, by benchmarks/README.md.
SMALLEST_SIDE, SMALLEST_PRODUCT = 64, 2**21


@dataclass(frozen=True)
class TableStructure:
    """How a program reads prepared rows of a table: see :func:`tuner.tables.features.prepare`.

    Attributes:
        numbers: How many of the features are numbers; they come first.
        features: Number of features. The embedded codes follow.
        offsets: Where the vectors of each embedded code begin in the table of all vectors; at the end, its length.
        embedding: How numbers are embedded: ``none``, ``periodic`` or ``piecewise_linear``.
    """

    numbers: int
    features: int
    offsets: tuple[int, ...]
    embedding: str

    @classmethod
    def of(cls, hp: Hyperparameters, table: TableInput) -> Self:
        """Return the structure of a table. Without numbers, there is nothing to embed."""
        embedding = hp.numeric_embedding if table.numbers else "none"
        return cls(len(table.numbers), table.features, table.offsets, embedding)


@dataclass(frozen=True)
class Structure:
    """The part of a configuration that decides which operations a training step has.

    Trials of the same structure share a program. Their widths, rates, amounts, batch sizes and seeds can differ. If a
    dropout rate, the weight decay or an augmentation is 0, the program has no operations for it. ``bfloat16`` says of
    each hidden layer whether training multiplies in bfloat16; the outputs, whose products are small, never do.
    """

    dtype: str
    standardised: bool
    table: TableStructure | None
    loss: Loss
    layers: int
    activation: str
    parametric: bool
    input_scale: bool
    batch_norm: bool
    input_dropout: bool
    dropout: bool
    dropout_schedule: bool
    optimizer: str
    momentum: bool
    decay: bool
    decay_schedule: bool
    ntk: bool
    ema: bool
    l1: bool
    l2: bool
    max_norm: bool
    clip_norm: bool
    class_weight: bool
    bfloat16: tuple[bool, ...]
    augmentation: Augmentation | None

    @classmethod
    def of(cls, hp: Hyperparameters, schema: DataSchema, precision: Precision = "float32") -> Self:
        """Return the structure of a configuration for a data set, trained in a precision."""
        hidden = hp.layers > 0
        dropout = hp.dropout > 0 and hidden
        return cls(
            dtype=row_type(schema.dtype, precision),
            standardised=schema.standard is not None,
            table=TableStructure.of(hp, schema.table) if schema.table else None,
            loss=schema.task.loss,
            layers=hp.layers,
            activation=hp.activation if hidden else "linear",
            parametric=hp.parametric_activation and hidden,
            input_scale=hp.input_scale,
            batch_norm=hp.batch_norm and hidden,
            input_dropout=hp.input_dropout > 0,
            dropout=dropout,
            dropout_schedule=hp.dropout_schedule != "constant" and (dropout or hp.input_dropout > 0),
            optimizer="adam" if hp.optimizer == "adamw" else hp.optimizer,  # they differ only in the decay
            momentum=hp.optimizer == "sgd" and hp.momentum > 0,
            decay=hp.weight_decay > 0,
            decay_schedule=hp.weight_decay_schedule != "constant" and hp.weight_decay > 0,
            ntk=hp.parametrization == "ntk",
            ema=hp.use_ema,
            l1=hp.l1 > 0,
            l2=hp.l2 > 0,
            max_norm=hp.max_norm > 0 and hidden,
            clip_norm=hp.clip_norm > 0,
            class_weight=hp.class_weight != "none" and schema.numeric is None,
            bfloat16=in_bfloat16(hp, schema, precision),
            augmentation=Augmentation.of(hp, schema),
        )

    @property
    def forward(self) -> Self:
        """This structure without what only training steps do."""
        return replace(
            self,
            input_dropout=False,
            dropout=False,
            dropout_schedule=False,
            optimizer="",
            momentum=False,
            decay=False,
            decay_schedule=False,
            ntk=False,
            ema=False,
            l1=False,
            l2=False,
            max_norm=False,
            clip_norm=False,
            class_weight=False,
            augmentation=None,
        )

    @property
    def draws_masks(self) -> bool:
        """Whether a training step draws masks: of dropout, or of codes of a table that count as unseen."""
        return self.input_dropout or self.dropout or (self.table is not None and len(self.table.offsets) > 1)

    @property
    def reads_raw(self) -> bool:
        """Whether the first layer multiplies raw inputs in training, and scales the products instead."""
        changes_inputs = self.standardised or self.input_dropout or self.input_scale
        return self.dtype == "bfloat16" and self.bfloat16[:1] == (True,) and not changes_inputs


def in_bfloat16(hp: Hyperparameters, schema: DataSchema, precision: Precision) -> tuple[bool, ...]:
    """Return for each hidden layer whether faster products are worth the conversions of their factors."""
    if precision == "float32":
        return (False,) * hp.layers
    inputs = schema.table.features if schema.table else math.prod(schema.shape)
    sides = [(hp.batch_size, size, units) for size, units in zip((inputs, *hp.hidden), hp.hidden, strict=False)]
    return tuple(min(three) >= SMALLEST_SIDE and math.prod(three) >= SMALLEST_PRODUCT for three in sides)


@dataclass(frozen=True)
class Settings:
    """The arguments of a program for one trial.

    ``seed`` is the seed of the dropout masks. ``class_weights`` are the weights of the classes in the loss. The other
    fields are those of :class:`~tuner.config.hyperparameters.Hyperparameters`.
    """

    dropout: float
    input_dropout: float
    momentum: float
    beta_2: float
    weight_decay: float
    label_smoothing: float
    ema_momentum: float
    l1: float
    l2: float
    max_norm: float
    clip_norm: float
    batch_size: np.int32
    seed: np.int64
    class_weights: NDArray[np.float32]

    @classmethod
    def of(cls, hp: Hyperparameters, *, seed: int, class_weights: NDArray[np.float32]) -> Self:
        """Return the settings of a configuration."""
        return cls(
            dropout=hp.dropout,
            input_dropout=hp.input_dropout,
            momentum=hp.momentum,
            beta_2=hp.beta_2,
            weight_decay=hp.weight_decay,
            label_smoothing=hp.label_smoothing,
            ema_momentum=hp.ema_momentum,
            l1=hp.l1,
            l2=hp.l2,
            max_norm=hp.max_norm,
            clip_norm=hp.clip_norm,
            batch_size=np.int32(hp.batch_size),
            seed=np.int64(seed),
            class_weights=class_weights,
        )
