"""Random splits of rows in which each class has its share.

They choose the same rows as ``train_test_split`` of scikit-learn, whose import takes longer than that of all other
modules of a search together. A study that began with it keeps its rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Positions = NDArray[np.int64]


def split_randomly(strata: NDArray[Any] | None, rows: int, chosen: int, seed: int) -> tuple[Positions, Positions]:
    """Choose rows at random.

    Args:
        strata: Class of each row, shape ``(rows,)``, each with at least two rows. Each has its share of the chosen
            rows, to within one row. If it is ``None``, the rows are not divided.
        rows: Number of rows.
        chosen: How many to choose.
        seed: Seed of the choice.

    Returns:
        Positions of the other rows and of the chosen ones, each ascending.
    """
    rng = np.random.RandomState(seed)
    if strata is None:
        order = rng.permutation(rows)
        return np.sort(order[chosen:]), np.sort(order[:chosen])
    _, labels, sizes = np.unique(strata, return_inverse=True, return_counts=True)
    kept = _shares(sizes, rows - chosen, rng)
    taken = _shares(sizes - kept, chosen, rng)
    groups = np.split(np.argsort(labels, kind="stable"), np.cumsum(sizes)[:-1])
    orders = [group[rng.permutation(len(group))] for group in groups]
    others = [order[:count] for order, count in zip(orders, kept, strict=True)]
    picked = [order[first : first + count] for order, first, count in zip(orders, kept, taken, strict=True)]
    return np.sort(np.concatenate(others)), np.sort(np.concatenate(picked))


def _shares(sizes: Positions, total: int, rng: np.random.RandomState) -> Positions:
    """Divide ``total`` rows among classes in proportion to their sizes; which ones are rounded up is random for ties.

    Source: ``_approximate_mode`` of scikit-learn: the mode of the multivariate hypergeometric distribution.
    """
    exact = sizes / sizes.sum() * total
    counts = np.floor(exact)
    missing = int(total - counts.sum())
    fractions = exact - counts
    for fraction in np.unique(fractions)[::-1]:
        if missing <= 0:
            break
        tied = np.flatnonzero(fractions == fraction)
        rounded_up = rng.choice(tied, size=min(len(tied), missing), replace=False)
        counts[rounded_up] += 1
        missing -= len(rounded_up)
    rounded: Positions = counts.astype(np.int64)
    return rounded
