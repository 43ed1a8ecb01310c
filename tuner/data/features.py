"""Converts inputs to the two types that models read: ``uint8`` for pixels, ``float32`` for all other numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuner.errors import DataError

ALLOWED_LOSS = 0.01  # of a feature's deviation: rounding to float32 may cost at most this much
_EPSILON = 2.0**-24  # largest relative error of rounding to float32
_EXACT = 2**24  # float32 holds every integer up to this one


def read_inputs(x_train: NDArray[Any], x_test: NDArray[Any], source: str) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return training and test inputs as ``uint8`` if both are, else as ``float32``.

    Integers, booleans and floats of any size are converted if nothing that matters is lost: no value may overflow, and
    rounding may change no feature by more than 1 % of its deviation in the training rows.

    Args:
        x_train: Training inputs, shape ``(rows, ...)``.
        x_test: Test inputs of the same kind.
        source: Name of the file, for messages.

    Raises:
        DataError: If the values are no numbers, or if they do not fit into ``float32``.
    """
    both = {"x_train": x_train, "x_test": x_test}
    for name, x in both.items():
        if x.dtype.kind not in "biuf":
            raise DataError(f"{source}: {name} must hold numbers, got {_described(x.dtype)}", hint=_hint(name, x.dtype))
    if x_train.dtype == x_test.dtype == np.uint8:
        return x_train, x_test
    for name, x in both.items():
        _check_range(x, f"{source}: {name}")
    _check_rounding(x_train, f"{source}: x_train")
    return x_train.astype(np.float32, copy=False), x_test.astype(np.float32, copy=False)


def _described(dtype: np.dtype[Any]) -> str:
    kinds = {
        "U": "text",
        "S": "text",
        "T": "text",
        "O": "Python objects",
        "V": "named columns",
        "c": "complex numbers",
        "M": "times",
    }
    kind = kinds.get(dtype.kind)
    return f"{kind} ({dtype})" if kind else str(dtype)


def _hint(name: str, dtype: np.dtype[Any]) -> str:
    if dtype.kind in "USTO":
        return f"if the values are numbers, save {name}.astype('float32'); encode categories as numbers first"
    if dtype.kind == "V":
        return f"make one array of its columns: numpy.lib.recfunctions.structured_to_unstructured({name})"
    return "save numbers: uint8 for pixels, float32 for everything else"


def _check_range(x: NDArray[Any], where: str) -> None:
    """Refuse values that are finite and overflow ``float32``. NaN and infinities are left to the data set."""
    if x.size == 0 or x.dtype.kind != "f" or x.dtype.itemsize <= np.dtype(np.float32).itemsize:
        return
    limit = np.finfo(np.float32).max
    for values in (np.fmax.reduce(x, axis=None), np.fmin.reduce(x, axis=None)):
        if np.isfinite(values) and abs(values) > limit:
            row = np.argwhere(x == values)[0][0]
            raise DataError(
                f"{where} holds {values:.4g} in row {row}, float32 holds at most {limit:.2g}",
                hint="divide this feature by its size first, or use its logarithm",
            )


def _check_rounding(x: NDArray[Any], where: str) -> None:
    """Refuse a feature whose values differ by so little that ``float32`` can hardly tell them apart."""
    small = x.dtype.itemsize <= 2 or x.dtype == np.float32  # noqa: PLR2004 - bytes: integers that float32 holds exactly
    if small or x.size == 0 or x.ndim < 2:  # noqa: PLR2004 - rows and features
        return
    columns = x.reshape(len(x), -1)
    low, high = columns.min(axis=0), columns.max(axis=0)
    largest = np.maximum(np.abs(low.astype(np.longdouble)), np.abs(high.astype(np.longdouble)))
    if x.dtype.kind in "iu" and largest.max() <= _EXACT:
        return
    # The deviation is at most half the range, so only these features can lose as much as that.
    suspects = np.flatnonzero((low != high) & (largest * _EPSILON > ALLOWED_LOSS * _spread(columns)))
    for feature in suspects:
        exact = columns[:, feature].astype(np.longdouble)
        lost = np.abs(exact - exact.astype(np.float32))
        if lost.max() > ALLOWED_LOSS * exact.std():
            row = lost.argmax()
            raise DataError(
                f"{where} holds {columns[row, feature]} in feature {feature}, row {row}, which float32 rounds to "
                f"{float(np.float32(exact[row])):.10g}, while the feature varies by {float(exact.std()):.3g}",
                hint="subtract the middle of the feature first, and use the same number for new rows",
            )


def _spread(columns: NDArray[Any]) -> NDArray[np.float64]:
    """Return the deviation of each column, shape ``(features,)``, without a copy of all rows as floats."""
    rows = len(columns)
    mean = columns.mean(axis=0, dtype=np.float64)
    total = np.zeros(columns.shape[1])
    for start in range(0, rows, 4096):
        with np.errstate(over="ignore", invalid="ignore"):
            total += np.square(columns[start : start + 4096] - mean).sum(axis=0)
    return np.sqrt(total / rows)
