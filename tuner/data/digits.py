"""The handwritten digits of scikit-learn: a real data set that needs no download."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tuner.data.catalog import CatalogEntry
from tuner.data.dataset import Dataset
from tuner.data.readers import Arrays
from tuner.data.stratified import split_randomly
from tuner.distribution import REINSTALL
from tuner.errors import DataError

SOURCE = "scikit-learn"
SPLIT_SEED = 0  # fixed: the test rows must be the same in every study


def load_digits(entry: CatalogEntry) -> Dataset:
    """Return the 1797 digits. A fifth of each class is the test split.

    Pixels are ``uint8`` from 0 to 16, as in the original.

    Raises:
        DataError: If the installed scikit-learn has no digits, or digits of other shapes.
    """
    table = _table()
    x, y = table[:, :-1].reshape(-1, 8, 8), table[:, -1]
    train, test = split_randomly(y, len(y), entry.test_rows, SPLIT_SEED)
    return entry.dataset(Arrays(x[train], y[train], x[test], y[test]), SOURCE)


def _table() -> NDArray[np.uint8]:
    """Return the 64 pixels and the class of each digit. scikit-learn is not imported, which would take a second."""
    package = find_spec("sklearn")
    file = Path(package.origin if package and package.origin else "").parent / "datasets/data/digits.csv.gz"
    try:
        return np.loadtxt(file, np.uint8, delimiter=",")
    except (OSError, ValueError) as error:
        raise DataError(f"the digits of scikit-learn cannot be read: {error}", hint=REINSTALL) from None
