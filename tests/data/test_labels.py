"""Labels of every usual kind become class numbers with names, or are refused with what they are."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from tuner.data.labels import match_labels, read_labels
from tuner.errors import DataError

WORDS = np.array(["dog", "cat", "dog", "cow"])


@pytest.mark.parametrize(
    ("train", "test", "names", "numbers"),
    [
        (WORDS, WORDS[:2], ("cat", "cow", "dog"), [2, 0, 2, 1]),
        (WORDS.astype("S"), WORDS[:2].astype("S"), ("cat", "cow", "dog"), [2, 0, 2, 1]),
        (WORDS.astype(object), WORDS[:2], ("cat", "cow", "dog"), [2, 0, 2, 1]),
        (WORDS.astype(np.dtypes.StringDType()), WORDS[:2], ("cat", "cow", "dog"), [2, 0, 2, 1]),
        (np.array([3, 1, 2, 1]), np.array([1]), ("1", "2", "3"), [2, 0, 1, 0]),
        (np.array([-1, 1, 1, -1], np.int8), np.array([1]), ("-1", "1"), [0, 1, 1, 0]),
        (np.array([9.0, 2.0, 9.0, 2.0]), np.array([2]), ("2", "9"), [1, 0, 1, 0]),
        (np.array([True, False]), np.array([True]), ("False", "True"), [1, 0]),
        (np.array([[0], [2], [1]]), np.array([[2]]), ("0", "1", "2"), [0, 2, 1]),
        (np.eye(3)[[2, 0, 2]], np.eye(3)[[1]], ("0", "1", "2"), [2, 0, 2]),
        (np.eye(3, dtype=bool)[[2, 0]], np.eye(3, dtype=bool)[[1]], ("0", "1", "2"), [2, 0]),
        (np.array([0, 1, 1], object), np.array([0]), ("0", "1"), [0, 1, 1]),
    ],
    ids=[
        "text",
        "bytes",
        "objects",
        "strings",
        "from 1",
        "signs",
        "floats",
        "bool",
        "column",
        "one-hot",
        "masks",
        "ints",
    ],
)
def test_classes_are_the_sorted_distinct_labels(train: Any, test: Any, names: tuple[str, ...], numbers: Any) -> None:
    """The labels are the names of the classes. One-hot columns are numbered, also those without a row."""
    labels = read_labels(train, test, None, "my.npz")

    assert labels.names == names
    assert labels.y_train.tolist() == numbers
    assert labels.y_train.ndim == labels.y_test.ndim == 1


def test_numbers_from_0_stay_as_they_are() -> None:
    """Their type is kept, so that the fingerprint of such data does not depend on this conversion."""
    y = np.array([1, 0, 2], np.uint8)

    labels = read_labels(y, y, None, "my.npz")

    assert labels.y_train is y
    assert labels.numbered


@pytest.mark.parametrize(
    ("train", "numbers"),
    [
        (np.array([2, 0, 1]), [2, 0, 1]),
        (np.array([30, 10, 20]), [2, 0, 1]),
        (np.array(["c", "a", "b"]), [2, 0, 1]),
        (np.eye(3)[[2, 0, 1]], [2, 0, 1]),
    ],
    ids=["numbers", "other numbers", "text", "one-hot"],
)
def test_class_names_name_the_classes_in_order(train: Any, numbers: list[int]) -> None:
    """Numbers are positions in ``class_names``, or its names belong to the labels in ascending order."""
    labels = read_labels(train, train, ("a", "b", "c"), "my.npz")

    assert labels.names == ("a", "b", "c")
    assert labels.y_train.tolist() == numbers


def test_names_that_are_numbers_are_the_labels() -> None:
    """A label 2 is the class '2' then, not the third class."""
    labels = read_labels(np.array([2, 1]), np.array([3]), ("1", "2", "3"), "my.npz")

    assert labels.y_train.tolist() == [1, 0]
    assert labels.y_test.tolist() == [2]


@pytest.mark.parametrize(
    ("train", "names", "message", "hint"),
    [
        (np.array([], int), None, "y_train is empty", "None"),
        (np.array([3, 3]), None, "y_train: all 2 rows are of class 3", "two classes"),
        (np.array([0.5, 1.0]), None, r"y_train holds 0\.5 in row 0: labels are text or whole numbers", "y > 0.5"),
        (np.array([0.0, np.nan]), None, "y_train holds no label in row 1: nan", "drop the rows"),
        (np.array(["a", None], object), None, "y_train holds no label in row 1: None", "drop the rows"),
        (np.array(["a", 1], object), None, "y_train holds int and str", r"y\.astype\(str\)"),
        (np.array([[1, 1, 0], [0, 1, 0]]), None, "2 classes in row 0: a one-hot row has a single 1", "argmax"),
        (np.array([[0.2, 0.8]]), None, r"the values \[0\.2, 0\.8\] in row 0", r"y\.argmax\(axis=1\)"),
        (np.array([["a", "b"]]), None, "y_train has 2 labels per row, expected one", r"y\[:, 0\]"),
        (np.zeros((4, 2, 2)), None, r"one label per row, shape \(rows,\), got shape \(4, 2, 2\)", "one-hot"),
        (np.array([1j]), None, "values of type complex128, which are no labels", "text or whole numbers"),
        (np.array(["a", "z"]), ("a", "b"), "the label 'z', which is not in class_names", "class_names: a, b"),
        (
            np.array([0, 7]),
            ("a", "b", "c"),
            "the label 7 in row 1, which is no class",
            "the classes of y_train: 0, 1, 2",
        ),
    ],
)
def test_what_names_no_class_is_refused(train: Any, names: Any, message: str, hint: str) -> None:
    """The message says what the labels are, and the hint what to write."""
    with pytest.raises(DataError, match=message) as refused:
        read_labels(train, train, names, "my.npz")

    assert refused.match(r"^my\.npz: y_train\b")
    assert re.search(hint, str(refused.value.hint))


def test_a_test_label_must_be_a_class() -> None:
    """A class that no training row has cannot be predicted."""
    with pytest.raises(DataError, match="y_test holds the label 'owl' in row 1, which is no class"):
        read_labels(WORDS, np.array(["cat", "owl"]), None, "my.npz")
    with pytest.raises(DataError, match="y_train holds text and y_test holds numbers"):
        read_labels(WORDS, np.array([0, 1]), None, "my.npz")


@pytest.mark.parametrize(
    ("labels", "names", "numbers"),
    [
        (np.array(["dog", "cat"]), ("cat", "dog"), [1, 0]),
        (np.array([2, 1]), ("1", "2"), [1, 0]),
        (np.array([1.0, -1.0]), ("-1", "1"), [1, 0]),
        (np.array([True, False]), ("False", "True"), [1, 0]),
        (np.array([1, 0]), ("cat", "dog"), [1, 0]),
        (np.array([[1], [0]]), ("0", "1"), [1, 0]),
        (np.eye(2)[[1, 0]], ("cat", "dog"), [1, 0]),
    ],
)
def test_labels_are_matched_with_the_classes_of_a_model(
    labels: Any, names: tuple[str, ...], numbers: list[int]
) -> None:
    """By name; if no class is named by a number, a number is a position."""
    assert match_labels(labels, names, "rows").tolist() == numbers


@pytest.mark.parametrize(("labels", "names"), [([0, 1], ("1", "2")), (["owl"], ("cat", "dog")), ([2], ("cat", "dog"))])
def test_a_label_that_the_model_does_not_know_is_refused(labels: Any, names: tuple[str, ...]) -> None:
    """The message names the label and its row, the hint the classes."""
    with pytest.raises(DataError, match=r"rows: the label .* in row 0 is no class of the model") as refused:
        match_labels(np.array(labels), names, "rows")

    assert refused.value.hint == f"the classes: {', '.join(names)}"
