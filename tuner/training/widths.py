"""Pads hidden layers of some widths while they are trained on a CPU.

The rows of a matrix with 512 or 1024 columns lie a multiple of 2 KiB apart, so that a column of it falls into a few
sets of the level-1 cache, and a product reads it from memory again and again. With some more units, whose weights are
all 0, an epoch of 512-512 takes 0.7 and one of 1024-1024 takes 0.6 of the time (AVX2; benchmarks/README.md). Such a
unit has no effect: its output is 0 if the activation of 0 is, so no gradient ever changes its weights.

Dropout masks have the padded width. So they differ from those of the same trial on a GPU, or in bfloat16.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

_CRITICAL = 256  # units whose weights lie 1 KiB apart; every multiple costs time, 512 and 1024 the most
_EXTRA = 16  # units: the floats of a cache line


def fast_width(units: int) -> int:
    """Return the width to train a hidden layer with, at least ``units``."""
    return units + _EXTRA if units and units % _CRITICAL == 0 else units


@lru_cache
def keeps_zero(activation: str) -> bool:
    """Return whether an activation function of Keras maps 0 to 0."""
    return float(keras.ops.convert_to_numpy(keras.activations.get(activation)(keras.ops.zeros(1)))[0]) == 0.0


def fitted(values: npt.NDArray[Any], shape: Sequence[int]) -> npt.NDArray[Any]:
    """Return an array of a shape: zeros are added at the end of the axes that are too short, and long ones are cut."""
    if values.shape == tuple(shape):
        return values
    whole = np.zeros(shape, values.dtype)
    common = tuple(slice(min(sizes)) for sizes in zip(values.shape, shape, strict=True))
    whole[common] = values[common]
    return whole
