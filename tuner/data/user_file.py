"""Loads a user's data set from an ``.npz`` file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tuner.data.dataset import Dataset
from tuner.data.features import read_inputs
from tuner.data.labels import read_labels
from tuner.data.readers import read_npz
from tuner.errors import DataError


def load_user_file(path: Path) -> Dataset:
    """Read a data set with the arrays ``x_train y_train x_test y_test`` and, if there is one, ``class_names``.

    Inputs of type ``uint8`` are treated as pixels and divided by the largest value of the training rows. All other
    numbers become ``float32``: see :func:`tuner.data.features.read_inputs`. The classes are ``class_names``, or the
    distinct labels of the training rows: see :func:`tuner.data.labels.read_labels`.

    Raises:
        DataError: If the file is missing or damaged, or if its contents are no inputs with classes.
    """
    if not path.exists():
        raise DataError(f"there is no file {path}", hint="`tuner data list` shows the data sets that have a name")
    arrays = read_npz(path)
    x_train, x_test = read_inputs(arrays.x_train, arrays.x_test, str(path))
    labels = read_labels(arrays.y_train, arrays.y_test, arrays.class_names, str(path))
    pixels = x_train.dtype == np.uint8 and x_train.size > 0
    return Dataset(
        name=path.stem,
        x_train=x_train,
        y_train=labels.y_train,
        x_test=x_test,
        y_test=labels.y_test,
        class_names=labels.names,
        source=str(path),
        scale=1 / max(1, int(x_train.max())) if pixels else 1.0,
        numbered=labels.numbered,
    )
