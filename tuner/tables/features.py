"""Computes the features of encoded rows once, so that a training step does not have to.

The model for prediction computes the same from Keras operations: see :mod:`tuner.training.table_model`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from tuner.tables.inputs import LIMIT, UNSEEN, TableInput

LARGEST_NUMBER = 1e37  # larger numbers count as this one: the difference of two such numbers is finite in float32
LARGEST_SCALED = 1e6  # of a scaled feature, before it is squashed: its square is finite in float32
_NARROWEST = 1e-6  # of a bin in squashed units: float32 cannot tell the ends of a narrower one apart
_VALUES_PER_CHUNK = 2**21  # features that are computed at a time, which bounds the memory

Floats = NDArray[np.float32]


def prepare(encoded: Floats, table: TableInput) -> Floats:
    """Return what a model for training reads: the features, squashed, and the embedded codes.

    Args:
        encoded: Encoded rows, shape ``(rows, table.width)``: see :class:`~tuner.tables.inputs.TableInput`. A number may
            be NaN or infinite. A code may be anything: one that is not in the vocabulary counts as unseen.
        table: The input.

    Returns:
        Shape ``(rows, table.features + len(table.embedded))``: unitless features in (-3, 3), then the codes of the
        embedded categories as whole numbers. Each code counts from 0 (unseen); ``table.offsets`` are not added.
    """
    prepared = np.empty((len(encoded), table.features + len(table.embedded)), np.float32)
    rows = max(1, _VALUES_PER_CHUNK // max(1, prepared.shape[1]))
    for start in range(0, len(encoded), rows):
        _prepare_chunk(encoded[start : start + rows], table, prepared[start : start + rows])
    return prepared


def _prepare_chunk(encoded: Floats, table: TableInput, out: Floats) -> None:
    count = len(table.numbers)
    numbers = encoded[:, :count]
    missing = np.isnan(numbers)
    fill = np.array([number.fill for number in table.numbers], np.float32)
    bounded = np.clip(np.where(missing, fill, numbers), -LARGEST_NUMBER, LARGEST_NUMBER)
    codes = _known(encoded[:, count:], table)
    features = out[:, : table.features]
    features[:, :count] = bounded
    features[:, count : count + len(table.indicators)] = missing[:, list(table.indicators)]
    for column, (position, one, other) in enumerate(table.one_hot, start=count + len(table.indicators)):
        features[:, column] = (codes[:, position] == one).astype(np.float32) - (codes[:, position] == other)
    features[:] = scaled(features, table)
    out[:, table.features :] = codes[:, list(table.embedded)]


def _known(codes: Floats, table: TableInput) -> NDArray[np.int32]:
    """Return codes as whole numbers; those that are not in the vocabulary become ``UNSEEN``."""
    counts = np.array([code.codes for code in table.codes], np.float32)
    with np.errstate(invalid="ignore"):  # NaN is smaller than nothing, so it becomes unseen
        return np.where((codes < counts) & (codes > 0), codes, UNSEEN).astype(np.int32)


def scaled(features: NDArray[Any], table: TableInput, columns: slice = slice(None)) -> Floats:
    """Return features centered, scaled and squashed: ``z = (x - center) * scale``, then ``z / sqrt(1 + (z / 3)^2)``.

    Args:
        features: Features in their units, shape ``(rows, features)``, at most ``LARGEST_NUMBER``.
        table: Centers and scales.
        columns: The features that are given, of all features of the table.
    """
    center, scale = (np.array(values[columns], np.float32) for values in (table.center, table.scale))
    with np.errstate(over="ignore"):
        z = (features.astype(np.float32, copy=False) - center) * scale
    z = np.clip(z, -LARGEST_SCALED, LARGEST_SCALED)
    squashed: Floats = z / np.sqrt(1 + np.square(z / np.float32(LIMIT)))
    return squashed


@dataclass(frozen=True)
class Bins:
    """The bins of a piecewise-linear encoding of numbers, in squashed units. Each array has shape ``(numbers, bins)``.

    Bin ``t`` of a number ``z`` becomes ``clip((z - left) * factor, lowest, highest)``: 0 below the bin, 1 above it, and
    linear in it. The first bin goes on below, down to -1, and the last one above, up to 2, so that numbers just outside
    of the training range differ, and numbers far outside have a limit. A number with fewer bins than another has
    encodings that are always 0. Without numbers or knots, the arrays are empty.

    Source: Gorishniy et al. 2022, On Embeddings for Numerical Features in Tabular Deep Learning, section 3.1.
    """

    left: Floats = field(repr=False)
    factor: Floats = field(repr=False)
    lowest: Floats = field(repr=False)
    highest: Floats = field(repr=False)

    @property
    def count(self) -> int:
        """Largest number of bins of a number."""
        return int(self.left.shape[1])

    @classmethod
    def of(cls, table: TableInput) -> Self:
        """Return the bins between the knots of each number. Bins that squashing makes empty have a factor of 0."""
        shape = (len(table.numbers), max((len(number.knots) - 1 for number in table.numbers), default=0))
        left, factor, lowest, highest = (np.zeros((shape[0], max(0, shape[1])), np.float32) for _ in range(4))
        for i, number in enumerate(table.numbers):
            count = len(number.knots) - 1
            if count < 1:
                continue
            knots = scaled(np.array(number.knots, np.float32)[:, None], table, slice(i, i + 1))[:, 0]
            width = np.diff(knots)
            left[i, :count] = knots[:-1]
            factor[i, :count] = np.divide(1, width, out=np.zeros_like(width), where=width > _NARROWEST)
            highest[i, :count] = 1
            lowest[i, 0], highest[i, count - 1] = -1, 2
        return cls(left, factor, lowest, highest)
