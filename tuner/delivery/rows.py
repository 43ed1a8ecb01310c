"""Checks that raw rows fit a model, and converts them to its input type without changing a value."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuner.delivery.manifest import InputSpec
from tuner.errors import DataError


def fit_rows(rows: NDArray[Any], spec: InputSpec, source: str) -> NDArray[Any]:
    """Return rows in the model's input type.

    Args:
        rows: Raw values, shape ``(rows, *spec.shape)``, any numeric type.
        spec: The model's input.
        source: Where the rows come from, for error messages.

    Raises:
        DataError: If the shape differs, there are no rows, or the type cannot represent a value.
    """
    if rows.dtype.kind not in "buif":
        raise DataError(f"{source} has values of type {rows.dtype}", hint=f"expected numbers ({spec.dtype})")
    if rows.shape[1:] != spec.shape or rows.ndim == 0:
        raise DataError(
            f"{source} has shape {rows.shape}, expected {_shape_text(spec)}",
            hint="the first axis counts the rows: use x[None] for one row, x.reshape(-1, …) for flattened ones",
        )
    if not len(rows):
        raise DataError(f"{source} has no rows", hint=f"expected at least one of shape {spec.shape}")
    dtype = np.dtype(spec.dtype)
    if rows.dtype == dtype and dtype.kind != "f":
        return rows
    _check_values(rows, dtype, source)
    return rows.astype(dtype)


def _check_values(rows: NDArray[Any], dtype: np.dtype[Any], source: str) -> None:
    """Check that a cast only rounds: it meets no NaN, no overflow, and no fraction if the type is an integer."""
    low, high = rows.min(), rows.max()  # NaN if any value is
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
