"""A user's file is loaded, or refused with the reason."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.data.conftest import npz_bytes
from tuner.data.lookup import load_dataset
from tuner.data.readers import Arrays
from tuner.errors import DataError


def write(folder: Path, arrays: Arrays, **changes: object) -> str:
    """Write ``my.npz`` and return its path."""
    path = folder / "my.npz"
    path.write_bytes(npz_bytes(arrays, **changes))
    return str(path)


def test_pixels_are_scaled_by_the_largest(tmp_path: Path, arrays: Arrays) -> None:
    """The largest grey level becomes 1. The names of the classes are their numbers."""
    path = write(tmp_path, arrays, x_train=arrays.x_train % 17)

    dataset = load_dataset(path)

    assert (dataset.name, dataset.source, dataset.class_names) == ("my", path, ("0", "1", "2"))
    assert (dataset.input_dtype, dataset.scale) == ("uint8", 1 / 16)


def test_floats_keep_their_scale(tmp_path: Path, arrays: Arrays) -> None:
    """Floats of 64 bits become floats of 32 bits, which training uses."""
    path = write(tmp_path, arrays, x_train=arrays.x_train / 7, x_test=arrays.x_test / 7)

    dataset = load_dataset(path)

    assert (dataset.input_dtype, dataset.scale) == ("float32", 1.0)


def test_labels_that_are_names_are_part_of_the_fingerprint(tmp_path: Path, arrays: Arrays) -> None:
    """A study does not continue with labels of another meaning, although the rows have the same class numbers."""
    first, second = (
        load_dataset(write(tmp_path, arrays, y_train=names[arrays.y_train], y_test=names[arrays.y_test]))
        for names in (np.array(["cat", "cow", "dog"]), np.array(["cow", "dog", "owl"]))
    )

    assert first.class_names == ("cat", "cow", "dog")
    assert np.array_equal(first.y_train, second.y_train)
    assert first.fingerprint != second.fingerprint


def test_class_names_may_come_along(tmp_path: Path, arrays: Arrays) -> None:
    """A class with a name needs no rows."""
    path = write(tmp_path, arrays, class_names=np.array(["cat", "dog", "cow", "unicorn"]))

    assert load_dataset(path).class_names == ("cat", "dog", "cow", "unicorn")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"y_train": np.arange(30) % 3 / 2}, r"y_train holds 0\.5 in row 1: labels are text or whole numbers"),
        ({"y_train": np.zeros(30, int)}, "y_train: all 30 rows are of class 0"),
        ({"y_train": np.zeros(0, int), "y_test": np.zeros(0, int)}, "y_train is empty"),
        ({"x_train": np.zeros((0, 4, 4), np.uint8)}, "x_train is empty"),
        (
            {"x_train": np.full((30, 4, 4), 1e300), "x_test": np.zeros((9, 4, 4))},
            r"x_train holds 1e\+300 in row 0, float32 holds at most",
        ),
        ({"x_train": np.zeros((30, 4, 4), "U3")}, r"x_train must hold numbers, got text \(<U3\)"),
    ],
)
def test_the_message_says_what_is_wrong_in_a_file(
    tmp_path: Path, arrays: Arrays, changes: dict[str, object], message: str
) -> None:
    """It names the file, the array and the value in one line."""
    path = write(tmp_path, arrays, **({"y_test": np.zeros(9, int)} | changes))

    with pytest.raises(DataError, match=f"^{path}: .*{message}"):
        load_dataset(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """A path is not searched in other folders."""
    with pytest.raises(DataError, match=r"there is no file .*absent\.npz"):
        load_dataset(str(tmp_path / "absent.npz"))
