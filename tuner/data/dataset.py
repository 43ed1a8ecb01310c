"""A data set in memory, valid by construction."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tuner.data.split import Rows, split_rows
from tuner.errors import DataError
from tuner.printable import check_printable

INPUT_DTYPES = ("uint8", "float32")


@dataclass(frozen=True, eq=False)
class Dataset:
    """Training rows and test rows with their classes.

    The constructor refuses data that cannot be trained on; see :func:`validate`.

    Attributes:
        name: Name for people.
        x_train: Inputs, shape ``(rows, ...)``, ``uint8`` or ``float32``.
        y_train: Class of each row as an index into ``class_names``, shape ``(rows,)``, any integer type.
        x_test: As ``x_train``, with its own number of rows.
        y_test: As ``y_train``, for ``x_test``.
        class_names: Names of the classes in the order of the labels.
        source: File or library that the arrays come from.
        scale: Factor that the model applies to inputs, e.g. 1/255 for pixels.
        numbered: Whether the labels in the source are the numbers of the classes. If not, they are ``class_names``.
    """

    name: str
    x_train: NDArray[Any] = field(repr=False)
    y_train: NDArray[Any] = field(repr=False)
    x_test: NDArray[Any] = field(repr=False)
    y_test: NDArray[Any] = field(repr=False)
    class_names: tuple[str, ...]
    source: str
    scale: float = 1.0
    numbered: bool = True

    def __post_init__(self) -> None:
        validate(self)

    @property
    def train_rows(self) -> int:
        """Number of rows for training and validation."""
        return len(self.x_train)

    @property
    def test_rows(self) -> int:
        """Number of test rows."""
        return len(self.x_test)

    def split(self, validation: float, seed: int | Literal["last"]) -> tuple[Rows, Rows]:
        """Split the training rows: see :func:`tuner.data.split.split_rows`."""
        return split_rows(self.y_train, validation, seed, names=self.class_names)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one input, without the rows."""
        return self.x_train.shape[1:]

    @property
    def input_dtype(self) -> str:
        """``uint8`` or ``float32``."""
        return self.x_train.dtype.name

    @property
    def classes(self) -> int:
        """Number of classes."""
        return len(self.class_names)

    def labels(self, y: NDArray[Any]) -> NDArray[Any]:
        """Return class numbers as the labels that they stand for: names if the classes have names, else numbers."""
        if self.numbered and self.class_names == tuple(str(number) for number in range(self.classes)):
            return y
        names: NDArray[Any] = np.array(self.class_names)[y]
        return names

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over type, shape and bytes of the four arrays, and over labels that are names, in hexadecimal."""
        digest = hashlib.sha256()
        for array in (self.x_train, self.y_train, self.x_test, self.y_test):
            digest.update(f"{array.dtype.str}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
        if not self.numbered:
            digest.update(repr(self.class_names).encode())
        return digest.hexdigest()


def validate(dataset: Dataset) -> None:
    """Check all conditions for training and evaluation.

    Raises:
        DataError: If an array has the wrong type, number of dimensions or number of rows, if it holds NaN, infinite
            values or labels outside the classes, or if there are fewer than two classes. The message names the array
            and the value.
    """
    source, names = dataset.source, dataset.class_names
    if not (math.isfinite(dataset.scale) and dataset.scale > 0):
        raise DataError(f"{source}: the scale must be a positive number, got {dataset.scale}")
    for name in names:
        check_printable(name, f"{source}: each of class_names", DataError)
    if len(set(names)) < len(names):
        repeated = next(name for name in names if names.count(name) > 1)
        raise DataError(f"{source}: class_names holds '{repeated}' more than once")
    _check_inputs(dataset.x_train, f"{source}: x_train")
    _check_inputs(dataset.x_test, f"{source}: x_test")
    train, test = (f"{x.dtype} {x.shape[1:]}" for x in (dataset.x_train, dataset.x_test))
    if train != test:
        raise DataError(
            f"{source}: rows of x_train are {train}, those of x_test {test}",
            hint="training rows and test rows must have the same type and shape",
        )
    for part, x, y in (("train", dataset.x_train, dataset.y_train), ("test", dataset.x_test, dataset.y_test)):
        _check_labels(y, len(names), f"{source}: y_{part}")
        if len(y) != len(x):
            raise DataError(f"{source}: x_{part} has {len(x)} rows and y_{part} has {len(y)}")
    if dataset.y_train.min() == dataset.y_train.max():
        raise DataError(
            f"{source}: all {len(dataset.y_train)} rows of y_train are of class {dataset.y_train[0]}",
            hint="a classifier needs at least two classes",
        )


def _check_inputs(x: NDArray[Any], where: str) -> None:
    if x.dtype.name not in INPUT_DTYPES:
        raise DataError(
            f"{where} must be {' or '.join(INPUT_DTYPES)}, got {x.dtype}",
            hint="save pixels as uint8 and everything else as float32",
        )
    if x.ndim < 2:  # noqa: PLR2004 - rows and at least one axis of features
        raise DataError(
            f"{where} must have shape (rows, ...), got {x.shape}",
            hint="for a single feature, save x[:, None]" if x.ndim else None,
        )
    if x.size == 0:
        raise DataError(f"{where} is empty, its shape is {x.shape}")
    if x.dtype == np.float32:
        finite = np.isfinite(x)
        if not finite.all():
            bad = ~finite.reshape(len(x), -1).all(axis=1)
            raise DataError(
                f"{where} holds NaN or infinite values in {bad.sum()} of {len(x)} rows, first in row {bad.argmax()}",
                hint="drop these rows or fill the values in",
            )


def _check_labels(y: NDArray[Any], classes: int, where: str) -> None:
    if y.ndim != 1:
        raise DataError(f"{where} must have shape (rows,), got {y.shape}", hint="y.ravel() makes a column flat")
    if not np.issubdtype(y.dtype, np.integer):
        raise DataError(f"{where} must hold integers, got {y.dtype}", hint="number the classes 0, 1, 2, ...")
    if y.size == 0:
        raise DataError(f"{where} is empty")
    for label in (y.min(), y.max()):
        if not 0 <= label < classes:
            raise DataError(
                f"{where} holds the label {label} in row {(y == label).argmax()}, labels must lie in 0..{classes - 1}",
                hint="number the classes 0, 1, 2, ...",
            )
