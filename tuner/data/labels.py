"""Turns labels of any usual kind into class numbers: text, integers, whole floats, booleans, columns, one-hot rows.

Without names, the classes are the distinct labels of the training rows, sorted, and the labels are their names.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuner.errors import DataError

_LARGEST = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Labels:
    """The labels of a data set.

    Attributes:
        y_train: Class number of each training row, shape ``(rows,)``, an integer type.
        y_test: The same for the test rows.
        names: Name of each class, in the order of the numbers.
        numbered: Whether the labels were these numbers already.
    """

    y_train: NDArray[Any] = field(repr=False)
    y_test: NDArray[Any] = field(repr=False)
    names: tuple[str, ...]
    numbered: bool


def read_labels(y_train: NDArray[Any], y_test: NDArray[Any], names: Sequence[str] | None, source: str) -> Labels:
    """Number the classes of a data set.

    Labels that are ``0, 1, 2, ...`` already are returned as they are, in their own type.

    Args:
        y_train: Labels of the training rows: shape ``(rows,)`` or ``(rows, 1)``, or one-hot ``(rows, classes)``.
        y_test: The same for the test rows.
        names: Names of the classes, in the order of the numbers or of the sorted labels. If the labels are text, these
            are all possible labels.
        source: Name of the file, for messages.

    Raises:
        DataError: If the labels name no classes, if a test label is no class, or if ``names`` does not fit.
    """
    where = f"{source}: y_train"
    train, test = _values(y_train, where), _values(y_test, f"{source}: y_test")
    if train.size == 0:
        raise DataError(f"{where} is empty")
    if (train == train[0]).all():
        raise DataError(
            f"{where}: all {len(train)} rows are of class {train[0]}", hint="a classifier needs at least two classes"
        )
    if (train.dtype.kind == "U") != (test.dtype.kind == "U") and train.size and test.size:
        raise DataError(
            f"{where} holds {_kind(train)} and y_test holds {_kind(test)}",
            hint="write the labels of all rows in the same way",
        )
    if train.dtype.kind == "b" and not names:
        classes, names = np.array([False, True]), ("False", "True")
    elif y_train.ndim == 2 and y_train.shape[1] > 1:  # noqa: PLR2004 - one-hot: a class without a row is a class
        classes = np.arange(y_train.shape[1])
    else:
        classes = _classes(train, names, where)
    texts = tuple(str(label) for label in classes.tolist()) if names is None else tuple(names)
    if len(texts) < len(classes):
        raise DataError(f"{where} has {len(classes)} classes, class_names has {len(texts)}: {', '.join(texts)}")
    y_train, y_test = _numbers(train, classes, where), _numbers(test, classes, f"{source}: y_test")
    return Labels(y_train, y_test, texts, numbered=_are_numbers(classes))


def match_labels(y: NDArray[Any], names: Sequence[str], source: str) -> NDArray[np.int64]:
    """Return the class number of labels that are names of classes, or numbers from 0 if no class is named by a number.

    Args:
        y: Labels as in :func:`read_labels`.
        names: Names of all classes.
        source: Where the labels come from, for messages.

    Raises:
        DataError: If a label is no class.
    """
    values = _values(y, source)
    named = _all_numbers(names) or values.dtype.kind in "Ub"
    known = {name: number for number, name in enumerate(names)}
    labels, inverse = np.unique(values, return_inverse=True)
    numbers = []
    for label in labels.tolist():
        number = known.get(str(label), -1) if named else int(label)
        if not 0 <= number < len(names):
            raise DataError(
                f"{source}: the label {label!r} in row {(values == label).argmax()} is no class of the model",
                hint=_listed("the classes", names),
            )
        numbers.append(number)
    return np.array(numbers, np.int64)[inverse.reshape(-1)]


def _all_numbers(names: Sequence[str]) -> bool:
    return all(name.removeprefix("-").isdecimal() for name in names)


def _classes(train: NDArray[Any], names: Sequence[str] | None, where: str) -> NDArray[Any]:
    """Return the labels of the classes in the order of their numbers."""
    labels = np.unique(train)
    if names is None:
        return labels
    if train.dtype.kind == "U":
        unknown = labels[~np.isin(labels, names)]
        if unknown.size:
            raise DataError(
                f"{where} holds the label '{unknown[0]}', which is not in class_names",
                hint=_listed("class_names", names),
            )
        return np.array(names)
    if _all_numbers(names) and np.isin(labels.astype(str), names).all():
        return np.array(names).astype(np.int64)
    numbers = np.arange(len(names))
    if np.isin(labels, numbers).all() or len(labels) != len(names):
        return numbers
    return labels


def _numbers(values: NDArray[Any], classes: NDArray[Any], where: str) -> NDArray[Any]:
    """Return the position of each label in ``classes``."""
    unknown = ~np.isin(values, classes)
    if unknown.any():
        row = unknown.argmax()
        raise DataError(
            f"{where} holds the label {values[row].item()!r} in row {row}, which is no class",
            hint=_listed("the classes of y_train", classes.tolist()),
        )
    if values.dtype.kind in "iu" and _are_numbers(classes):
        return values
    order = np.argsort(classes)
    numbers: NDArray[Any] = order[np.searchsorted(classes, values, sorter=order)]
    return numbers


def _are_numbers(classes: NDArray[Any]) -> bool:
    return classes.dtype.kind in "iu" and np.array_equal(classes, np.arange(len(classes)))


def _listed(what: str, names: Sequence[object]) -> str:
    shown = [str(name) for name in names[:10]]
    return f"{what}: {', '.join(shown)}{', …' if len(names) > len(shown) else ''}"


def _kind(values: NDArray[Any]) -> str:
    return "text" if values.dtype.kind == "U" else "numbers"


def _values(y: NDArray[Any], where: str) -> NDArray[Any]:
    """Return labels as text, integers or booleans of shape ``(rows,)``."""
    y = _plain(y, where)
    if y.ndim > 1 and y[:1].size == 1:
        y = y.reshape(len(y))
    if y.ndim == 2 and y.size:  # noqa: PLR2004 - rows and classes
        return _from_one_hot(y, where)
    if y.ndim != 1:
        raise DataError(
            f"{where} must hold one label per row, shape (rows,), got shape {y.shape}",
            hint="or one-hot rows, shape (rows, classes)",
        )
    return _whole(y, where) if y.dtype.kind == "f" else y


def _plain(y: NDArray[Any], where: str) -> NDArray[Any]:
    """Return labels as text, booleans, integers or floats."""
    if y.dtype.kind in "OT":  # T is NumPy's text of variable length
        y = _from_objects(y.astype(object), where)
    if y.dtype.kind == "S":
        try:
            return np.char.decode(y, "utf-8")
        except UnicodeDecodeError as error:
            raise DataError(f"{where} is not UTF-8 text: {error}", hint="decode the labels first") from None
    if y.dtype.kind == "u" and y.size and y.max() > _LARGEST:
        raise DataError(f"{where} holds the label {y.max()}, which is no class number", hint="write labels as text")
    if y.dtype.kind not in "biufU":
        raise DataError(
            f"{where} holds values of type {y.dtype}, which are no labels",
            hint="use text or whole numbers, such as y.astype(str)",
        )
    return y


def _from_objects(y: NDArray[Any], where: str) -> NDArray[Any]:
    """Return Python objects as an array, if all are text or all are numbers."""
    values = y.reshape(-1).tolist()
    for row, value in enumerate(values):
        if value is None or value != value:  # noqa: PLR0124 - NaN is not equal to itself
            raise DataError(f"{where} holds no label in row {row}: {value}", hint="drop the rows without a label")
    if not all(isinstance(value, str) for value in values) and not all(
        isinstance(value, bool | int | float | np.number | np.bool) for value in values
    ):
        kinds = sorted({type(value).__name__ for value in values})
        raise DataError(f"{where} holds {' and '.join(kinds)}", hint="make all labels text: y.astype(str)")
    return np.array(values).reshape(y.shape)


def _from_one_hot(y: NDArray[Any], where: str) -> NDArray[np.int64]:
    """Return the position of the single 1 in each row."""
    if y.dtype.kind == "U":
        raise DataError(f"{where} has {y.shape[1]} labels per row, expected one", hint="use one column: y[:, 0]")
    ones = y == 1
    wrong = (ones.sum(axis=1) != 1) | (~ones & (y != 0)).any(axis=1)
    if wrong.any():
        row = int(wrong.argmax())
        zeros_and_ones = bool((ones | (y == 0)).all())
        what = f"{int(ones[row].sum())} classes" if zeros_and_ones else f"the values {y[row][:4].tolist()}"
        raise DataError(
            f"{where} has shape {y.shape} and {what} in row {row}: a one-hot row has a single 1, else 0",
            hint="a row has one class here; for the most probable one, write y.argmax(axis=1)",
        )
    return np.asarray(ones.argmax(axis=1), np.int64)


def _whole(y: NDArray[Any], where: str) -> NDArray[np.int64]:
    """Return whole floats as integers."""
    missing = ~np.isfinite(y)
    if missing.any():
        row = missing.argmax()
        raise DataError(f"{where} holds no label in row {row}: {y[row]}", hint="drop the rows without a label")
    wrong = (y != np.trunc(y)) | (np.abs(y) > 2**53)
    if wrong.any():
        row = wrong.argmax()
        raise DataError(
            f"{where} holds {y[row]} in row {row}: labels are text or whole numbers",
            hint="a quantity is no class; to classify it, write classes such as (y > 0.5).astype(int)",
        )
    return np.asarray(y, np.int64)
