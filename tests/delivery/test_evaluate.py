"""The measures of an exported model are those that one would compute by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tuner.delivery.evaluate import check_dataset, evaluate
from tuner.delivery.manifest import read_manifest
from tuner.delivery.predict import predict
from tuner.errors import DataError

Digits = tuple[np.ndarray, np.ndarray]


def test_the_measures_match_their_definitions(shared_bundle: Path, digits: Digits) -> None:
    """Loss, accuracy, recall and confusion are computed here from the probabilities."""
    x, y = digits
    probabilities = predict(shared_bundle, x).probabilities.astype(np.float64)
    found = probabilities.argmax(axis=1)

    got = evaluate(shared_bundle, x, y)

    assert got.rows == len(y)
    assert got.accuracy == pytest.approx(np.mean(found == y))
    assert got.loss == pytest.approx(-np.mean(np.log(probabilities[np.arange(len(y)), y])), rel=1e-5)
    assert got.recall["3"] == pytest.approx(np.mean(found[y == 3] == 3))
    assert got.confusion[3][5] == np.sum((y == 3) & (found == 5))


def test_a_class_without_rows_has_no_recall(shared_bundle: Path, digits: Digits) -> None:
    """Nothing divided by nothing is not zero."""
    keep = digits[1] != 4

    got = evaluate(shared_bundle, digits[0][keep], digits[1][keep])

    assert got.recall["4"] is None
    assert sum(map(sum, got.confusion)) == keep.sum()


@pytest.mark.parametrize("y", [np.zeros(3, int), np.full(1797, 10), np.zeros(1797), np.full(1797, -1)])
def test_labels_that_do_not_fit_are_refused(shared_bundle: Path, digits: Digits, y: np.ndarray) -> None:
    """Count, type and range are checked."""
    with pytest.raises(DataError, match="expected 1797 whole labels from 0 to 9"):
        evaluate(shared_bundle, digits[0], y)


@pytest.mark.parametrize(("shape", "classes"), [((5, 28, 28), 10), ((5, 8, 8), 3)])
def test_a_data_set_of_another_kind_is_refused(shared_bundle: Path, shape: tuple[int, ...], classes: int) -> None:
    """Both sides of the comparison are named."""
    with pytest.raises(DataError, match=r"the model takes \(8, 8\) and knows 10") as caught:
        check_dataset(read_manifest(shared_bundle), "other", np.zeros(shape), classes)

    assert caught.value.hint == "the model was trained on digits"
