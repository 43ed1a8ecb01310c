"""A data set is valid, or its constructor raises an error."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tuner.data.dataset import Dataset
from tuner.data.readers import Arrays
from tuner.errors import DataError


def make(arrays: Arrays, **changes: Any) -> Dataset:
    """Build a data set of three classes, some arguments changed."""
    parts: dict[str, Any] = {
        "x_train": arrays.x_train,
        "y_train": arrays.y_train,
        "x_test": arrays.x_test,
        "y_test": arrays.y_test,
    }
    named: dict[str, Any] = {"name": "tiny", "class_names": ("a", "b", "c"), "source": "tiny.npz", "scale": 1 / 255}
    return Dataset(**named | parts | changes)


def test_a_dataset_describes_its_inputs(arrays: Arrays) -> None:
    """A model is built from shape, type and number of classes."""
    dataset = make(arrays)

    assert (dataset.input_shape, dataset.input_dtype, dataset.classes) == ((4, 4), "uint8", 3)


def test_the_fingerprint_depends_on_contents_alone(arrays: Arrays) -> None:
    """Equal arrays from another file, or with another memory layout, have the same fingerprint."""
    dataset = make(arrays)

    assert make(arrays, source="elsewhere.npz").fingerprint == dataset.fingerprint
    assert make(arrays, x_train=np.asfortranarray(arrays.x_train)).fingerprint == dataset.fingerprint
    assert len(dataset.fingerprint) == 64


@pytest.mark.parametrize("name", ["x_train", "y_train", "x_test", "y_test"])
def test_the_fingerprint_sees_every_array(arrays: Arrays, name: str) -> None:
    """One changed value anywhere changes the fingerprint."""
    changed = getattr(arrays, name).copy()
    changed.flat[0] = 1

    assert make(arrays, **{name: changed}).fingerprint != make(arrays).fingerprint


def test_the_fingerprint_sees_shapes_and_types(arrays: Arrays) -> None:
    """The same bytes with another shape or type are other data."""
    flat = make(arrays, x_train=arrays.x_train.reshape(30, 16), x_test=arrays.x_test.reshape(9, 16))
    signed = make(arrays, y_train=arrays.y_train.view(np.int8))

    assert len({make(arrays).fingerprint, flat.fingerprint, signed.fingerprint}) == 3


def floats(arrays: Arrays, bad: float) -> dict[str, object]:
    """Return float inputs with one bad value in row 5 of the training rows."""
    x = arrays.x_train.astype(np.float32)
    x[5, 1, 1] = bad
    return {"x_train": x, "x_test": arrays.x_test.astype(np.float32)}


def test_constant_features_and_an_absent_test_class_are_accepted(arrays: Arrays) -> None:
    """Unusual data is accepted if it can be trained on."""
    dataset = make(arrays, x_train=np.zeros_like(arrays.x_train), y_test=np.zeros_like(arrays.y_test))

    assert dataset.x_train.max() == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: {"x_train": a.x_train[:, 0, 0]}, r"x_train must have shape \(rows, ...\), got \(30,\)"),
        (lambda a: {"x_test": a.x_test[:0], "y_test": a.y_test[:0]}, r"x_test is empty, its shape is \(0, 4, 4\)"),
        (lambda a: {"x_train": a.x_train[:, :0]}, r"x_train is empty, its shape is \(30, 0, 4\)"),
        (lambda a: {"x_train": a.x_train.astype(np.int64)}, "x_train must be uint8 or float32, got int64"),
        (lambda a: {"x_test": a.x_test[:, :3]}, r"rows of x_train are uint8 \(4, 4\), those of x_test uint8 \(3, 4\)"),
        (lambda a: floats(a, np.nan), "x_train holds NaN or infinite values in 1 of 30 rows, first in row 5"),
        (lambda a: floats(a, -np.inf), "x_train holds NaN or infinite values in 1 of 30 rows"),
        (lambda a: {"y_train": a.y_train[:-1]}, "x_train has 30 rows and y_train has 29"),
        (lambda a: {"y_test": a.y_test[:0]}, "y_test is empty"),
        (lambda a: {"y_train": a.y_train[:, None]}, r"y_train must have shape \(rows,\), got \(30, 1\)"),
        (lambda a: {"y_train": a.y_train.astype(float)}, "y_train must hold integers, got float64"),
        (lambda a: {"y_test": a.y_test + np.uint8(1)}, r"y_test holds the label 3 in row 2, labels must lie in 0\.\.2"),
        (lambda a: {"y_train": a.y_train - np.int64(1)}, "y_train holds the label -1 in row 0"),
        (lambda a: {"y_train": np.full_like(a.y_train, 2)}, "all 30 rows of y_train are of class 2"),
        (lambda _: {"class_names": ("a", "b", "a")}, "class_names holds 'a' more than once"),
        (lambda _: {"scale": 0.0}, "scale must be a positive number, got 0.0"),
    ],
)
def test_what_cannot_be_trained_on_is_refused(arrays: Arrays, change: Any, message: str) -> None:
    """The message names the file, the array and the value."""
    with pytest.raises(DataError, match=f"^tiny.npz: .*{message}"):
        make(arrays, **change(arrays))
