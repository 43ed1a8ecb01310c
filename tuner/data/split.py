"""Splits the training rows into those that train and those that validate."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tuner.errors import DataError

Rows = NDArray[np.int32]


def split_rows(y: NDArray[Any], validation: float, seed: int | Literal["last"]) -> tuple[Rows, Rows]:
    """Choose the validation rows: at random, the same share of every class to within one row, or the last ones.

    Args:
        y: Class of each row, shape ``(rows,)``.
        validation: Share of the rows when below 1, else a number of rows.
        seed: The same seed gives the same rows; ``last`` takes the end of the data, as Keras' ``validation_split``.

    Returns:
        Indices of the training rows and of the validation rows, each ascending.

    Raises:
        DataError: If the split leaves no rows to train on or none to validate on, or a class is too rare for it.
    """
    count = _count_validation(len(y), validation)
    classes, sizes = np.unique(y, return_counts=True)
    for part, rows in (("train on", len(y) - count), ("validate on", count)):
        if rows < len(classes):
            raise DataError(
                f"validation {validation:g} leaves {rows} of {len(y)} rows to {part}, with {len(classes)} classes",
                hint="use 0.2 for a share of 20 %, or a number of rows",
            )
    rarest = sizes.argmin()
    if sizes[rarest] < 2:  # noqa: PLR2004 - one row to train on, one to validate on
        raise _too_rare(classes[rarest], sizes[rarest], validation)
    every = np.arange(len(y), dtype=np.int32)
    if seed == "last":
        train, chosen = np.split(every, [len(y) - count])
    else:
        from sklearn.model_selection import train_test_split

        train, chosen = train_test_split(every, test_size=count, stratify=y, random_state=seed)
    lost = ~np.isin(classes, y[train])
    if lost.any():
        raise _too_rare(classes[lost][0], sizes[lost][0], validation)
    return np.sort(train), np.sort(chosen)


def _count_validation(rows: int, validation: float) -> int:
    if not (math.isfinite(validation) and validation > 0) or (validation >= 1 and validation % 1):
        raise DataError(
            f"validation must be a share below 1 or a whole number of rows, got {validation:g}",
            hint="use 0.2 for 20 % of the rows, or 5000 for as many",
        )
    return round(validation * rows) if validation < 1 else int(validation)


def _too_rare(label: Any, rows: int, validation: float) -> DataError:
    return DataError(
        f"class {label} is too rare to split: it has {rows} rows to train and validate on (validation {validation:g})",
        hint="add rows of this class, leave it out, or validate on fewer rows",
    )
