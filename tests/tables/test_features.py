"""The features of encoded rows are computed once for training, and are those that the model computes."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.schemas import table
from tuner.tables.features import Bins, prepare
from tuner.tables.inputs import CodeInput, NumberInput, TableInput


def one_number(*, scale: float = 1.0, center: float = 0.0, knots: tuple[float, ...] = ()) -> TableInput:
    """Return a table of one number."""
    return TableInput(numbers=(NumberInput(column="x", fill=2.0, knots=knots),), center=(center,), scale=(scale,))


@pytest.mark.parametrize(
    ("value", "feature"),
    [(2.0, 0.0), (5.0, 3 / np.sqrt(1 + 1)), (np.nan, 0.0), (np.inf, 3.0), (-np.inf, -3.0), (-3e38, -3.0)],
)
def test_a_number_is_centered_scaled_and_squashed(value: float, feature: float) -> None:
    """A missing number is filled. No number leaves (-3, 3), not even an infinite one."""
    features = prepare(np.array([[value]], np.float32), one_number(center=2.0))
    assert features[0, 0] == pytest.approx(feature, abs=1e-5)


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan, 3e38])
def test_a_constant_feature_is_0_whatever_its_value(value: float) -> None:
    """Its scale is 0, and infinity times 0 would not be a number."""
    assert prepare(np.array([[value]], np.float32), one_number(scale=0.0)).tolist() == [[0.0]]


@pytest.mark.parametrize("code", [-1.0, 4.0, 1e9, -1e9, np.nan, np.inf, -np.inf, 0.0])
def test_a_code_that_is_not_in_the_vocabulary_is_unseen(code: float) -> None:
    """It is 0 in all one-hot features; as an embedded code, it is 0."""
    vocabulary = ("a", "b", "c")
    one_hot = TableInput(codes=(CodeInput(column="x", vocabulary=vocabulary),), center=(0,) * 3, scale=(1,) * 3)
    embedded = TableInput(codes=(CodeInput(column="x", vocabulary=vocabulary, embedded=True),))

    assert prepare(np.array([[code]], np.float32), one_hot).tolist() == [[0.0, 0.0, 0.0]]
    assert prepare(np.array([[code]], np.float32), embedded).tolist() == [[0.0]]


def test_two_categories_are_one_feature() -> None:
    """It is -1 for the first, 1 for the second and 0 for an unseen one, before it is squashed."""
    two = TableInput(codes=(CodeInput(column="x", vocabulary=("a", "b")),), center=(0.0,), scale=(1.0,))
    features = prepare(np.array([[0], [1], [2]], np.float32), two)[:, 0]
    np.testing.assert_allclose(features, [0, -1 / np.sqrt(10 / 9), 1 / np.sqrt(10 / 9)], rtol=1e-6)


@given(rows=st.integers(0, 7), values=st.integers(1, 40))
def test_rows_are_prepared_in_parts(rows: int, values: int) -> None:
    """The size of a part changes nothing."""
    import tuner.tables.features as module

    schema = table(classes=2).table
    assert schema is not None
    encoded = np.random.default_rng(rows).normal(2, 3, (rows, schema.width)).astype(np.float32)
    whole, module._VALUES_PER_CHUNK = prepare(encoded, schema), values
    try:
        np.testing.assert_array_equal(prepare(encoded, schema), whole)
    finally:
        module._VALUES_PER_CHUNK = 2**21


def test_fifty_thousand_rows_are_prepared_within_a_second() -> None:
    """A table of 20 columns, half of them categories of ten values."""
    code = CodeInput(column="c", vocabulary=tuple("abcdefghij"))
    numbers = (NumberInput(column="n", fill=0.0, indicator=True),) * 10
    wide = TableInput(numbers=numbers, codes=(code,) * 10, center=(0.0,) * 120, scale=(1.0,) * 120)
    encoded = np.random.default_rng(0).integers(0, 11, (50_000, 20)).astype(np.float32)
    began = time.perf_counter()
    prepare(encoded, wide)
    assert time.perf_counter() - began < 1


def test_bins_are_linear_between_the_knots() -> None:
    """Each bin runs from 0 at its left knot to 1 at its right one. The outer ones go on, with a limit."""
    knots = (-1.0, 0.0, 2.0)
    bins = Bins.of(one_number(knots=knots))
    x = prepare(np.array([*knots, -100.0, 100.0], np.float32)[:, None], one_number())
    pieces = np.clip((x - bins.left[0]) * bins.factor[0], bins.lowest[0], bins.highest[0])

    np.testing.assert_allclose(pieces[:3], [[0, 0], [1, 0], [1, 1]], atol=1e-6)
    assert -1 <= pieces[3, 0] < 0
    assert pieces[3, 1] == 0
    assert pieces[4, 0] == 1
    assert 1 < pieces[4, 1] <= 2


def test_bins_that_squashing_makes_empty_are_0() -> None:
    """Far outliers are all at the limit, where float32 cannot tell them apart."""
    bins = Bins.of(one_number(knots=(0.0, 1.0, 1e8, 1e9)))
    assert np.isfinite(bins.factor).all()
    assert bins.factor[0, 2] == 0
