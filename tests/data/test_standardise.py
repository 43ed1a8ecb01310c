"""Features of any size are standardised without leaving the range of float32."""

from __future__ import annotations

import numpy as np
import pytest

from tuner.data.standardise import statistics
from tuner.errors import DataError

ROWS = np.arange(0, 9000, dtype=np.int32)


def test_only_the_given_rows_are_measured() -> None:
    """Validation rows have no part in the statistics."""
    x = np.array([[1.0], [3.0], [1000.0]], np.float32)

    mean, deviation, *_ = statistics(x, np.array([0, 1], np.int32), "x")

    assert (mean.tolist(), deviation.tolist()) == ([2.0], [1.0])


def test_statistics_are_those_of_double_precision() -> None:
    """Neither many rows nor a large mean costs digits."""
    x = (np.random.default_rng(0).normal(size=(9000, 4)) * [1, 1e30, 1e-30, 1e3] + [0, 0, 0, 1e7]).astype(np.float32)

    mean, deviation, *_ = statistics(x, ROWS, "x")

    exact = x.astype(np.float64)
    assert mean == pytest.approx(exact.mean(axis=0), rel=1e-6)
    assert deviation == pytest.approx(exact.std(axis=0), rel=1e-3)


@pytest.mark.parametrize("value", [0.0, 0.1, -3e36, 1e-45])
def test_a_constant_feature_has_no_deviation(value: float) -> None:
    """A rounding error in the mean is not mistaken for a deviation."""
    x = np.full((9000, 1), value, np.float32)

    mean, deviation, *_ = statistics(x, ROWS, "x")

    assert (mean.tolist(), deviation.tolist()) == ([float(np.float32(value))], [0.0])


def test_values_that_cannot_be_standardised_are_refused() -> None:
    """The message names the feature and the value."""
    x = np.zeros((9000, 2), np.float32)
    x[7, 1] = 2e38

    with pytest.raises(DataError, match=r"^x holds 2e\+38 in feature 1, models standardise values up to 1e\+37"):
        statistics(x, ROWS, "x")
