"""Numbers of every type become inputs if nothing is lost, or are refused with the value."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tuner.data.features import read_inputs
from tuner.errors import DataError

RANDOM = np.random.default_rng(0).integers(0, 100, (50, 3))


@pytest.mark.parametrize(
    "dtype", ["int8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float16", "float64", "longdouble"]
)
def test_numbers_become_float32(dtype: str) -> None:
    """All values are kept."""
    x, _ = read_inputs(RANDOM.astype(dtype), RANDOM[:5].astype(dtype), "my.npz")

    assert x.dtype == np.float32
    assert np.array_equal(x, RANDOM)


def test_truth_values_become_numbers() -> None:
    """They are 0 and 1."""
    x, _ = read_inputs(RANDOM > 50, RANDOM[:5] > 50, "my.npz")

    assert np.array_equal(np.unique(x), [0, 1])


def test_pixels_stay_pixels_if_both_parts_are() -> None:
    """If one part has another type, both become numbers."""
    pixels = RANDOM.astype(np.uint8)

    assert [x.dtype.name for x in read_inputs(pixels, pixels, "my.npz")] == ["uint8", "uint8"]
    assert [x.dtype.name for x in read_inputs(pixels, RANDOM, "my.npz")] == ["float32", "float32"]


def test_large_values_are_kept_if_the_feature_varies_enough() -> None:
    """A rounding error that is small beside the deviation loses nothing; a constant feature has nothing to lose."""
    days = 1_700_000_000 + 86_400 * RANDOM
    days[:, 0] = 1_700_000_001

    x, _ = read_inputs(days, days, "my.npz")

    assert np.allclose(x, days, rtol=1e-7)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (1_700_000_000 + RANDOM, r"x_train holds 1\d+ in feature 0, row \d+, which float32 rounds to 17"),
        (1.7e9 + RANDOM / 10, r"x_train holds 1\d+\.\d+ in feature 0"),
        (2**62 + RANDOM, r"x_train holds 46\d+ in feature 0"),
        (RANDOM * 1e300, r"x_train holds 9\.9e\+301 in row \d+, float32 holds at most 3\.4e\+38"),
        (RANDOM.astype(str), r"x_train must hold numbers, got text \(<U21\)"),
        (RANDOM.astype(object), r"x_train must hold numbers, got Python objects \(object\)"),
        (RANDOM * 1j, r"x_train must hold numbers, got complex numbers \(complex128\)"),
        (np.zeros(50, [("a", "f4")]), r"x_train must hold numbers, got named columns"),
        (RANDOM.astype("datetime64[D]"), r"x_train must hold numbers, got times \(datetime64\[D\]\)"),
    ],
)
def test_what_would_be_lost_is_refused(x: Any, message: str) -> None:
    """The message names the array and the value, the hint says what to do."""
    with pytest.raises(DataError, match=rf"^my\.npz: {message}") as refused:
        read_inputs(x, x, "my.npz")

    assert refused.value.hint
