"""The split is a partition, stratified, and the same for the same seed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tuner.data.split import split_rows
from tuner.data.stratified import split_randomly
from tuner.errors import DataError


@given(
    sizes=st.lists(st.integers(10, 60), min_size=2, max_size=6),
    share=st.floats(0.2, 0.7),
    as_rows=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_a_split_is_a_stratified_partition(sizes: list[int], share: float, as_rows: bool, seed: int) -> None:
    """The parts are disjoint, complete and of the given size. Each class has its share to within one row."""
    y = np.random.default_rng(0).permutation(np.repeat(np.arange(len(sizes)), sizes))
    count = round(share * len(y))

    train, validation = split_rows(y, count if as_rows else share, seed)

    assert np.array_equal(np.sort(np.concatenate([train, validation])), np.arange(len(y)))
    assert len(validation) == count
    assert train.dtype == validation.dtype == np.int32
    assert (np.diff(train) > 0).all()
    assert (np.diff(validation) > 0).all()
    expected = np.array(sizes) * count / len(y)
    assert (np.abs(np.bincount(y[validation], minlength=len(sizes)) - expected) <= 1).all()


def test_the_same_seed_gives_the_same_rows() -> None:
    """Another seed gives other rows."""
    y = np.arange(100) % 5
    first, again, other = (split_rows(y, 0.2, seed)[1] for seed in (3, 3, 4))

    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize(("validation", "train", "validate"), [(0.2, 48000, 12000), (5000, 55000, 5000)])
def test_mnist_is_split_as_documented(validation: float, train: int, validate: int) -> None:
    """A value below 1 is a share, any other value a number of rows."""
    parts = split_rows(np.arange(60000, dtype=np.uint8) % 10, validation, 0)

    assert [len(part) for part in parts] == [train, validate]


def test_the_seed_last_takes_the_last_rows_for_validation() -> None:
    """This is for rows in order of time. It is not stratified."""
    train, validation = split_rows(np.arange(60000) % 10, 5000, "last")

    assert np.array_equal(train, np.arange(55000))
    assert np.array_equal(validation, np.arange(55000, 60000))
    assert train.dtype == validation.dtype == np.int32
    with pytest.raises(DataError, match="class 1 is too rare to split"):
        split_rows(np.array([0] * 90 + [1] * 10), 20, "last")


def test_a_class_with_one_row_is_refused_by_name() -> None:
    """It cannot be in both parts."""
    with pytest.raises(DataError, match="class 7 is too rare to split: it has 1 row to train"):
        split_rows(np.array([0] * 20 + [7]), 0.2, 0)
    with pytest.raises(DataError, match="class 'owl' is too rare to split"):
        split_rows(np.array([0] * 20 + [1]), 0.2, 0, names=("cat", "owl"))


def test_no_class_is_lost_to_validation() -> None:
    """A rare class is refused if all its rows would be validation rows, because no model could learn it."""
    with pytest.raises(DataError, match="class 1 is too rare to split: it has 2 rows"):
        split_rows(np.array([0] * 98 + [1] * 2), 0.95, 0)


@pytest.mark.parametrize(
    ("validation", "message"),
    [
        (100, "leaves 0 of 100 rows to train on"),
        (200, "leaves -100 of 100 rows to train on"),
        (99, "leaves 1 of 100 rows to train on, with 5 classes"),
        (0.001, "leaves 0 of 100 rows to validate on"),
        (0.0, "must be a share below 1 or a whole number of rows, got 0"),
        (-0.2, "got -0.2"),
        (1.5, "got 1.5"),
        (float("nan"), "got nan"),
    ],
)
def test_an_impossible_share_is_refused(validation: float, message: str) -> None:
    """Both parts need at least one row of each class."""
    with pytest.raises(DataError, match=message):
        split_rows(np.arange(100) % 5, validation, 0)


@given(
    sizes=st.lists(st.integers(2, 40), min_size=1, max_size=8),
    share=st.floats(0.05, 0.95),
    seed=st.integers(0, 2**32 - 1),
    divided=st.booleans(),
)
def test_the_rows_are_those_that_scikit_learn_would_choose(
    sizes: list[int], share: float, seed: int, divided: bool
) -> None:
    """Studies that began with its split keep their rows, whatever version is installed now."""
    from sklearn.model_selection import train_test_split

    y = np.random.default_rng(0).permutation(np.repeat(np.arange(len(sizes)), sizes))
    count = round(share * len(y))
    assume(len(sizes) <= count <= len(y) - len(sizes))
    expected = train_test_split(np.arange(len(y)), test_size=count, stratify=y if divided else None, random_state=seed)

    parts = split_randomly(y if divided else None, len(y), count, seed)

    assert [part.tolist() for part in parts] == [sorted(part) for part in expected]
