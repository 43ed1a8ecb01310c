"""Measures the mean and the deviation of each feature, from which models standardise their inputs.

Without this, features of very different sizes train badly or not at all. Source: LeCun et al. 1998, Efficient BackProp,
section 4.3.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tuner.data.split import Rows
from tuner.errors import DataError

_CHUNK = 4096  # rows that are converted to float64 at a time
_LARGEST = 1e37  # with larger values, differences and factors would leave the range of float32
_SMALLEST = 1e-37  # a smaller deviation counts as 0, because its factor would overflow


class Statistics(NamedTuple):
    """Statistics of each feature, shape ``(features,)``, in the units of the data.

    ``smallest`` and ``largest`` are those of all values.
    """

    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]
    smallest: float
    largest: float


def statistics(x: NDArray[Any], rows: Rows, source: str) -> Statistics:
    """Measure some rows in double precision.

    The mean is rounded to ``float32``, in which models subtract it. The deviation is measured from that value, so that
    standardised features stay small even if their mean is much larger than their deviation.

    Args:
        x: All inputs, shape ``(rows, ...)``.
        rows: Indices of the rows to measure.
        source: Name of the array, for messages.

    Returns:
        A deviation of 0 marks a feature that has the same value in all rows.

    Raises:
        DataError: If a value is larger than 1e37.
    """
    flat = x.reshape(len(x), -1)
    low, high = np.full((2, flat.shape[1]), [[np.inf], [-np.inf]])
    total = np.zeros(flat.shape[1])
    for part in _parts(flat, rows):
        low, high = np.minimum(low, part.min(axis=0)), np.maximum(high, part.max(axis=0))
        total += part.sum(axis=0)
    largest = np.maximum(-low, high)
    if largest.max() > _LARGEST:
        feature = int(largest.argmax())
        raise DataError(
            f"{source} holds {largest[feature]:.3g} in feature {feature}, models standardise values up to {_LARGEST:g}",
            hint="divide this feature by its size first, or use its logarithm",
        )
    mean = (total / len(rows)).astype(np.float32).astype(np.float64)
    mean[low == high] = low[low == high]
    squares = sum(np.square(part - mean).sum(axis=0) for part in _parts(flat, rows))
    deviation = np.sqrt(squares / len(rows))
    deviation[(low == high) | (deviation < _SMALLEST)] = 0
    return Statistics(mean, deviation, float(low.min()), float(high.max()))


def _parts(flat: NDArray[Any], rows: Rows) -> Any:
    for start in range(0, len(rows), _CHUNK):
        yield flat[rows[start : start + _CHUNK]].astype(np.float64)
