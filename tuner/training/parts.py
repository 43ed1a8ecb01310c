"""What the training of a model needs to know of it, beside its layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras

from tuner.data.schema import DataSchema
from tuner.tables.features import Bins
from tuner.training.scaling import Scaling
from tuner.training.targets import TargetScale


@dataclass(frozen=True)
class Parts:
    """What the training of a model needs to know of it.

    Attributes:
        schema: Input and target.
        preprocessing: Arrays that the first layer of a :class:`~tuner.training.program.Program` reads.
        target: How a numeric target is scaled.
        variables: All variables, in the order in which a program holds them.
        input: What the model for training reads: raw rows, or prepared rows of a table.
        dense: The dense layers, each with what it reads.
    """

    schema: DataSchema
    preprocessing: Scaling | Bins
    target: TargetScale | None
    variables: tuple[Any, ...]
    input: Any
    dense: tuple[tuple[keras.layers.Dense, Any], ...]
