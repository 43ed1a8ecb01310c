"""Splits rows into training rows and validation rows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tuner.data.stratified import split_randomly
from tuner.errors import DataError
from tuner.tasks import MULTICLASS, Task

Rows = NDArray[np.int32]


def split_rows(
    y: NDArray[Any],
    validation: float,
    seed: int | Literal["last"],
    *,
    names: Sequence[str] = (),
    task: Task = MULTICLASS,
) -> tuple[Rows, Rows]:
    """Choose the validation rows at random or take the last rows.

    The random choice is stratified: each class has the same share of validation rows, to within one row. Numbers are
    divided by their quantiles instead.

    Args:
        y: Class of each row, or numbers, shape ``(rows,)``.
        validation: Share of the rows if below 1, else the number of rows.
        seed: Seed of the random choice; ``last`` takes the last rows, as ``validation_split`` of Keras does.
        names: Names of the classes, for messages; by default their numbers.
        task: The task that the target sets.

    Returns:
        Indices of the training rows and of the validation rows, each ascending.

    Raises:
        DataError: If there are too few rows for training or validation, or if a class has too few rows.
    """
    count = count_validation(len(y), validation)
    # Numbers count as rows of one class.
    labels = y if task.loss == "cross_entropy" else np.zeros(len(y), np.int32)
    classes, sizes = np.unique(labels, return_counts=True)
    check_sizes(len(y), count, len(classes), validation)
    rarest = sizes.argmin()
    if sizes[rarest] < 2:  # noqa: PLR2004 - one row to train on, one to validate on
        raise _too_rare(_name(classes[rarest], names), sizes[rarest], validation)
    if seed == "last":
        train, chosen = np.split(np.arange(len(y)), [len(y) - count])
    else:
        train, chosen = split_randomly(task.strata(y), len(y), count, seed)
    missing = ~np.isin(classes, labels[train])
    if missing.any():
        raise _too_rare(_name(classes[missing][0], names), sizes[missing][0], validation)
    return train.astype(np.int32), chosen.astype(np.int32)


def split_groups(groups: NDArray[np.int64], validation: float, seed: int | Literal["last"]) -> tuple[Rows, Rows]:
    """Choose whole groups at random until they have about as many rows as asked for.

    Args:
        groups: Number of the group of each row, shape ``(rows,)``.
        validation: Share of the rows if below 1, else the number of rows.
        seed: Seed of the random choice; ``last`` counts as 0.

    Returns:
        As :func:`split_rows`.

    Raises:
        DataError: If there are too few rows, or only one group.
    """
    from sklearn.model_selection import GroupShuffleSplit

    count = count_validation(len(groups), validation)
    check_sizes(len(groups), count, 1, validation)
    found = np.unique(groups).size
    if found < 2:  # noqa: PLR2004 - one to train on, one to validate on
        raise DataError("all rows are of one group: they cannot be split", hint="group the rows by another column")
    share = min(max(count / len(groups), 1 / found), 1 - 1 / found)
    splitter = GroupShuffleSplit(n_splits=1, test_size=share, random_state=0 if seed == "last" else seed)
    train, chosen = next(splitter.split(groups, groups=groups))
    return train.astype(np.int32), chosen.astype(np.int32)


def split_times(times: NDArray[np.int64], validation: float) -> tuple[Rows, Rows]:
    """Take the last rows in time. Rows of the same time stay together.

    Args:
        times: Rank of each row in time, shape ``(rows,)``.
        validation: Share of the rows if below 1, else the number of rows.

    Returns:
        As :func:`split_rows`.

    Raises:
        DataError: If there are too few rows, or all are of the same time.
    """
    count = count_validation(len(times), validation)
    check_sizes(len(times), count, 1, validation)
    late = times >= np.sort(times)[-count]
    if late.all():
        late = times > times.min()
    if not late.any():
        raise DataError("all rows are of the same time: they cannot be split", hint="split the rows by another column")
    return np.flatnonzero(~late).astype(np.int32), np.flatnonzero(late).astype(np.int32)


def check_sizes(rows: int, chosen: int, classes: int, validation: float) -> None:
    """Check that there are enough rows on both sides of a split.

    Args:
        rows: Number of rows.
        chosen: How many of them are chosen.
        classes: Number of classes; 1 if the target is a number.
        validation: What was asked for, for the message.

    Raises:
        DataError: If one side has fewer rows than there are classes.
    """
    counted = f", with {classes} classes" if classes > 1 else ""
    for part, size in (("train on", rows - chosen), ("validate on", chosen)):
        if size < classes:
            raise DataError(
                f"validation {validation:g} leaves {size} of {rows} rows to {part}{counted}",
                hint="use 0.2 for a share of 20 %, or a number of rows",
            )


def count_validation(rows: int, validation: float) -> int:
    """Return the number of validation rows among ``rows`` rows: see :func:`split_rows`.

    Raises:
        DataError: If ``validation`` is no share and no number of rows.
    """
    if not (math.isfinite(validation) and validation > 0) or (validation >= 1 and validation % 1):
        raise DataError(
            f"validation must be a share below 1 or a whole number of rows, got {validation:g}",
            hint="use 0.2 for 20 % of the rows, or 5000 for as many",
        )
    return round(validation * rows) if validation < 1 else int(validation)


def _name(label: Any, names: Sequence[str]) -> str:
    return f"'{names[label]}'" if names else str(label)


def _too_rare(name: str, rows: int, validation: float) -> DataError:
    counted = "1 row" if rows == 1 else f"{rows} rows"
    return DataError(
        f"class {name} is too rare to split: it has {counted} to train and validate on (validation {validation:g})",
        hint="add rows of this class, leave it out, or validate on fewer rows",
    )
