"""Loads a user's data set from an ``.npz`` file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuner.data.dataset import Dataset
from tuner.data.readers import read_npz
from tuner.errors import DataError


def load_user_file(path: Path) -> Dataset:
    """Read a data set with the arrays ``x_train y_train x_test y_test`` and, if there is one, ``class_names``.

    Inputs of type ``uint8`` are treated as pixels and divided by the largest value of the training rows. Floating-point
    inputs become ``float32`` and keep their scale. Without ``class_names``, the labels must be 0, 1, 2, ... without
    gaps, and the numbers are the names of the classes.

    Raises:
        DataError: If the file is missing or damaged, or if :func:`tuner.data.dataset.validate` refuses its contents.
    """
    if not path.exists():
        raise DataError(f"there is no file {path}", hint="`tuner data list` shows the data sets that have a name")
    arrays = read_npz(path)
    x_train, x_test = _as_float32(arrays.x_train), _as_float32(arrays.x_test)
    pixels = x_train.dtype == np.uint8 and x_train.size > 0
    return Dataset(
        name=path.stem,
        x_train=x_train,
        y_train=arrays.y_train,
        x_test=x_test,
        y_test=arrays.y_test,
        class_names=arrays.class_names or _numbered(arrays.y_train, f"{path}: y_train"),
        source=str(path),
        scale=1 / max(1, int(x_train.max())) if pixels else 1.0,
    )


def _as_float32(x: NDArray[Any]) -> NDArray[Any]:
    """Convert floats of any size to ``float32``. Values that overflow become infinite; ``validate`` refuses them."""
    if not np.issubdtype(x.dtype, np.floating):
        return x
    with np.errstate(over="ignore"):
        return x.astype(np.float32, copy=False)


def _numbered(y: NDArray[Any], where: str) -> tuple[str, ...]:
    """Return the numbers of the classes as names. Labels that are no integers are left to ``validate``."""
    if y.size == 0 or not np.issubdtype(y.dtype, np.integer):
        return ()
    labels = np.unique(y)
    expected = np.arange(len(labels))
    wrong = labels != expected
    if wrong.any():
        raise DataError(
            f"{where} holds the label {labels[wrong.argmax()]} where {expected[wrong.argmax()]} is expected: "
            f"{len(labels)} classes are numbered 0..{len(labels) - 1}",
            hint="number the classes without gaps, or add an array class_names",
        )
    return tuple(str(label) for label in labels)
