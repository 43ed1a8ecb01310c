"""The handwritten digits of scikit-learn: a real data set that needs no download."""

from __future__ import annotations

import numpy as np

from tuner.data.catalog import CatalogEntry
from tuner.data.dataset import Dataset
from tuner.data.readers import Arrays

SOURCE = "scikit-learn"
SPLIT_SEED = 0  # fixed: the test rows must be the same in every study


def load_digits(entry: CatalogEntry) -> Dataset:
    """Return the 1797 digits. A fifth of each class is the test split.

    Pixels are ``uint8`` from 0 to 16, as in the original.

    Raises:
        DataError: If the digits of the installed scikit-learn have other shapes.
    """
    from sklearn import datasets
    from sklearn.model_selection import train_test_split

    digits = datasets.load_digits()
    x = digits.images.astype(np.uint8)
    y = digits.target.astype(np.uint8)
    train, test = train_test_split(np.arange(len(y)), test_size=entry.test_rows, stratify=y, random_state=SPLIT_SEED)
    train.sort()
    test.sort()
    return entry.dataset(Arrays(x[train], y[train], x[test], y[test]), SOURCE)
