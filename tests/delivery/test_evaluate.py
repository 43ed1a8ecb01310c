"""Evaluation of an exported model on labelled rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tuner.delivery.evaluate import check_dataset, evaluate
from tuner.delivery.manifest import read_manifest
from tuner.delivery.predict import predict
from tuner.errors import DataError

Digits = tuple[np.ndarray, np.ndarray]


def test_the_measures_match_their_definitions(shared_export: Path, digits: Digits) -> None:
    """Loss, accuracy, recall and confusion are compared with values computed from the probabilities."""
    x, y = digits
    probabilities = predict(shared_export, x).probabilities.astype(np.float64)
    classes = probabilities.argmax(axis=1)

    measured = evaluate(shared_export, x, y)

    assert measured.rows == len(y)
    assert measured.accuracy == pytest.approx(np.mean(classes == y))
    assert measured.loss == pytest.approx(-np.mean(np.log(probabilities[np.arange(len(y)), y])), rel=1e-5)
    assert measured.recall["3"] == pytest.approx(np.mean(classes[y == 3] == 3))
    assert measured.confusion[3][5] == np.sum((y == 3) & (classes == 5))


def test_a_class_without_rows_has_no_recall(shared_export: Path, digits: Digits) -> None:
    """The recall of a class without rows is None, not zero."""
    keep = digits[1] != 4

    measured = evaluate(shared_export, digits[0][keep], digits[1][keep])

    assert measured.recall["4"] is None
    assert sum(map(sum, measured.confusion)) == keep.sum()


@pytest.mark.parametrize("y", [np.zeros(3, int), np.full(1797, 10), np.zeros(1797), np.full(1797, -1)])
def test_labels_that_do_not_fit_are_refused(shared_export: Path, digits: Digits, y: np.ndarray) -> None:
    """Number, type and range of the labels are checked."""
    with pytest.raises(DataError, match="expected 1797 integer labels from 0 to 9"):
        evaluate(shared_export, digits[0], y)


@pytest.mark.parametrize(("shape", "classes"), [((5, 28, 28), 10), ((5, 8, 8), 3)])
def test_a_data_set_of_another_kind_is_refused(shared_export: Path, shape: tuple[int, ...], classes: int) -> None:
    """The message names the shapes and the numbers of classes of both."""
    with pytest.raises(DataError, match=r"the model expects \(8, 8\) and 10 classes") as caught:
        check_dataset(read_manifest(shared_export), "other", np.zeros(shape), classes)

    assert caught.value.hint == "the model was trained on digits"
