"""Splits rows into training rows and validation rows."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tuner.errors import DataError

Rows = NDArray[np.int32]


def split_rows(y: NDArray[Any], validation: float, seed: int | Literal["last"]) -> tuple[Rows, Rows]:
    """Choose the validation rows at random or take the last rows.

    The random choice is stratified: each class has the same share of validation rows, to within one row.

    Args:
        y: Class of each row, shape ``(rows,)``.
        validation: Share of the rows if below 1, else the number of rows.
        seed: Seed of the random choice; ``last`` takes the last rows, as ``validation_split`` of Keras does.

    Returns:
        Indices of the training rows and of the validation rows, each ascending.

    Raises:
        DataError: If there are too few rows for training or validation, or if a class has too few rows.
    """
    count = _count_validation(len(y), validation)
    classes, sizes = np.unique(y, return_counts=True)
    for part, size in (("train on", len(y) - count), ("validate on", count)):
        if size < len(classes):
            raise DataError(
                f"validation {validation:g} leaves {size} of {len(y)} rows to {part}, with {len(classes)} classes",
                hint="use 0.2 for a share of 20 %, or a number of rows",
            )
    rarest = sizes.argmin()
    if sizes[rarest] < 2:  # noqa: PLR2004 - one row to train on, one to validate on
        raise _too_rare(classes[rarest], sizes[rarest], validation)
    rows = np.arange(len(y), dtype=np.int32)
    if seed == "last":
        train, chosen = np.split(rows, [len(y) - count])
    else:
        from sklearn.model_selection import train_test_split

        train, chosen = train_test_split(rows, test_size=count, stratify=y, random_state=seed)
    missing = ~np.isin(classes, y[train])
    if missing.any():
        raise _too_rare(classes[missing][0], sizes[missing][0], validation)
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
