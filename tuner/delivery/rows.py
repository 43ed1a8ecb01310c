"""Checks that raw rows fit a model, and converts them to its input type without changing a value."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuner.delivery.manifest import InputSpec
from tuner.errors import DataError

BATCH = 4096  # rows
BATCH_BYTES = 16 * 2**20  # of a batch as 64-bit floats

Note = Callable[[str], None]  # receives a line for people about what was read


@dataclass(frozen=True, slots=True)
class Batch:
    """Some rows of an input.

    Attributes:
        rows: Raw values in the model's input type, shape ``(rows, *input shape)``.
        files: The file of each row; ``None`` if the rows are not told apart by their files.
        kept: Cells of other columns that belong to the rows, by column.
    """

    rows: NDArray[Any]
    files: tuple[str, ...] | None = None
    kept: Mapping[str, Sequence[object]] | None = None


def batch_rows(spec: InputSpec) -> int:
    """Return how many rows of a model are read and predicted at a time, so that memory does not depend on the file."""
    return max(1, min(BATCH, BATCH_BYTES // (8 * math.prod(spec.shape))))


def check_rows(shape: tuple[int, ...], dtype: np.dtype[Any], spec: InputSpec, source: str) -> None:
    """Check what a file declares about its rows, before they are read.

    Args:
        shape: The shape of the whole array.
        dtype: The type of its values.
        spec: The model's input.
        source: Where the rows come from, for error messages.

    Raises:
        DataError: If the values are no numbers, the shape differs, or there are no rows.
    """
    if dtype.hasobject:  # loading them runs code
        raise DataError(
            f"{source} holds Python objects, which are not loaded", hint=f"save numbers: x.astype('{spec.dtype}')"
        )
    if dtype.kind not in "buif":
        raise DataError(f"{source} has values of type {dtype}", hint=f"expected numbers ({spec.dtype})")
    if shape[1:] != spec.shape or not shape:
        raise DataError(
            f"{source} has shape {shape}, expected {_shape_text(spec)}",
            hint="the first axis counts the rows: use x[None] for one row, x.reshape(-1, …) for flattened ones",
        )
    if not shape[0]:
        raise DataError(f"{source} has no rows", hint=f"expected at least one of shape {spec.shape}")


def fit_rows(rows: NDArray[Any], spec: InputSpec, source: str) -> NDArray[Any]:
    """Return rows in the model's input type.

    Args:
        rows: Raw values, shape ``(rows, *spec.shape)``, any numeric type.
        spec: The model's input.
        source: Where the rows come from, for error messages.

    Raises:
        DataError: If :func:`check_rows` refuses them, or the type cannot represent a value.
    """
    check_rows(rows.shape, rows.dtype, spec, source)
    dtype = np.dtype(spec.dtype)
    if rows.dtype == dtype and dtype.kind != "f":
        return rows
    _check_values(rows, dtype, source)
    return rows.astype(dtype)


def _check_values(rows: NDArray[Any], dtype: np.dtype[Any], source: str) -> None:
    """Check that a cast only rounds: it meets no NaN, no overflow, and no fraction if the type is an integer."""
    low, high = rows.min(), rows.max()  # NaN if any value is
    if np.isnan(low):
        missing = np.isnan(rows).reshape(len(rows), -1).any(axis=1)
        raise DataError(
            f"{source} has missing values (NaN) in {missing.sum()} of {len(rows)} rows, "
            f"first in row {missing.argmax()}",
            hint="drop these rows or fill the values in, as for the training data",
        )
    limits = np.iinfo(dtype) if dtype.kind in "iu" else np.finfo(dtype)
    if not (low >= limits.min and high <= limits.max):
        raise DataError(
            f"{source} has values from {low} to {high}, expected {limits.min} to {limits.max}",
            hint=f"the model expects raw values of type {dtype}",
        )
    if dtype.kind in "iu" and rows.dtype.kind == "f" and (fractions := rows[rows != np.trunc(rows)]).size:
        raise DataError(
            f"{source} has the value {fractions[0]}, expected whole numbers ({dtype})",
            hint="the model scales raw values itself: do not scale them first",
        )


def _shape_text(spec: InputSpec) -> str:
    return f"(rows, {', '.join(map(str, spec.shape))})"
