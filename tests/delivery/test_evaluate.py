"""Evaluation of an exported model on labelled rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tuner.delivery.checked_files import read_manifest
from tuner.delivery.evaluate import check_dataset, compare, evaluate
from tuner.delivery.labelled import file_of_labelled_rows, read_labelled
from tuner.delivery.manifest import InputSpec
from tuner.delivery.predict import predict
from tuner.errors import DataError
from tuner.evaluation.facts import BaselineFacts, ValidationFacts

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


def test_no_rows_are_refused() -> None:
    """There is nothing to measure."""
    with pytest.raises(DataError, match="there are no rows to evaluate"):
        compare("regression", np.empty(0), np.empty(0), runtime="onnx")


def test_what_the_validation_rows_chose_is_measured_too() -> None:
    """The threshold, the temperature and the baselines that travel with an export."""
    baseline = BaselineFacts(name="constant", seconds=0.1, test={"auc": 0.5})
    facts = ValidationFacts(rows=9, threshold=0.3, temperature=2.0, baselines=(baseline,))
    p = np.array([[0.65, 0.35], [0.2, 0.8]])

    found = compare("binary", np.array([0, 1]), p, ("no", "yes"), runtime="onnx", facts=facts).to_json()

    assert [at["threshold"] for at in found["thresholds"]] == [0.5, 0.3]
    assert [each["temperature"] for each in found["calibration"]] == [1.0, 2.0]
    assert found["baselines"][0]["test"] == {"auc": 0.5}


def test_numbers_have_neither_accuracy_nor_recall() -> None:
    """JSON has their metrics alone."""
    found = compare("regression", np.arange(5.0), np.arange(5.0) + 1, runtime="onnx").to_json()

    assert found["metrics"]["rmse"]["value"] == 1
    assert not {"loss", "accuracy", "recall"} & {*found}


def test_json_keeps_the_keys_of_earlier_versions(shared_export: Path, digits: Digits) -> None:
    """Beside the metrics with their intervals."""
    found = evaluate(shared_export, digits[0], digits[1], resamples=0).to_json()

    assert {"loss", "accuracy", "rows", "recall", "confusion", "runtime"} < {*found}
    assert found["metrics"]["log_loss"]["value"] == found["loss"]
    assert found["task"] == "multiclass"


@pytest.mark.parametrize("dtype", [str, float, object])
def test_labels_are_the_names_of_classes(shared_export: Path, digits: Digits, dtype: type) -> None:
    """Whatever their type is, they name the same classes."""
    x, y = digits[0][:50], digits[1][:50]

    assert evaluate(shared_export, x, y.astype(dtype)) == evaluate(shared_export, x, y)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.zeros(3, int), "expected 1797 labels, one per row, got 3"),
        (np.full(1797, 10), "the label 10 in row 0 is no class of the model"),
        (np.full(1797, -1), "the label -1 in row 0 is no class of the model"),
        (np.full(1797, 0.5), r"the labels holds 0\.5 in row 0"),
    ],
)
def test_labels_that_do_not_fit_are_refused(shared_export: Path, digits: Digits, y: np.ndarray, message: str) -> None:
    """Their number is checked, and each must be a class."""
    with pytest.raises(DataError, match=message):
        evaluate(shared_export, digits[0], y)


@pytest.mark.parametrize(
    ("shape", "label", "message"),
    [((1, 28, 28), 0, r"the model expects \(8, 8\)"), ((1, 8, 8), 12, "other: the label 12 in row 0 is no class")],
)
def test_a_data_set_of_another_kind_is_refused(
    shared_export: Path, shape: tuple[int, ...], label: int, message: str
) -> None:
    """The message names the shapes of both, or the class that the model does not know."""
    with pytest.raises(DataError, match=message):
        check_dataset(read_manifest(shared_export), "other", np.zeros(shape), np.array([label]))


SPEC = InputSpec(shape=(8, 8), dtype="uint8", scale=1 / 16)


@pytest.mark.parametrize("names", [("x_test", "y_test"), ("x", "y")])
def test_labelled_rows_need_no_training_rows(digits: Digits, tmp_path: Path, names: tuple[str, str]) -> None:
    """A file of test rows alone is read; a whole data set is left to the reader of data sets."""
    path, whole = tmp_path / "mine.npz", tmp_path / "whole.npz"
    arrays: dict[str, Any] = dict(zip(names, (digits[0][:9].astype(np.float64), digits[1][:9]), strict=True))
    np.savez(path, **arrays)
    np.savez(whole, x_train=digits[0], x_test=digits[0])

    assert file_of_labelled_rows("digits", None) is None
    assert file_of_labelled_rows(str(whole), None) is None
    assert file_of_labelled_rows("mine.npz", tmp_path) == path
    x, y = read_labelled(path, SPEC)
    assert x.dtype == np.uint8
    np.testing.assert_array_equal(x, digits[0][:9])
    np.testing.assert_array_equal(y, digits[1][:9])


def test_numbers_of_classes_with_names_become_these_names(digits: Digits, tmp_path: Path) -> None:
    """The file may have the classes in another order than the model."""
    path = tmp_path / "mine.npz"
    np.savez(path, x=digits[0][:3], y=np.array([1, 0, 1]), class_names=np.array(["7", "3"]))

    assert read_labelled(path, SPEC)[1].tolist() == ["3", "7", "3"]


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x_test": np.zeros((2, 8, 8)), "y": np.zeros(2)}, "lacks y_test; it holds x_test, y"),
        ({"rows": np.zeros((2, 8, 8))}, "lacks x and y; it holds rows"),
        ({"x": np.zeros((2, 8, 8)), "y": np.zeros(3)}, r"x has 2 rows and y has the shape \(3,\)"),
        ({"x": np.zeros((2, 7, 8)), "y": np.zeros(2)}, r"has shape \(2, 7, 8\), expected \(rows, 8, 8\)"),
        ({"x": np.zeros((1, 8, 8)), "y": np.array(["a"], object)}, "y holds Python objects"),
        ({"x": np.full((2, 8, 8), 0.5), "y": np.zeros(2)}, "has the value 0.5, expected whole numbers"),
        ({"x": np.zeros((2, 8, 8)), "y": np.full(2, 5), "class_names": np.array(["a"])}, "has 1 names for labels"),
    ],
)
def test_labelled_rows_that_do_not_fit_are_refused(tmp_path: Path, arrays: dict[str, Any], message: str) -> None:
    """The message says what the file holds."""
    np.savez(tmp_path / "mine.npz", **arrays)

    with pytest.raises(DataError, match=message):
        read_labelled(tmp_path / "mine.npz", SPEC)


def test_labelled_rows_larger_than_memory_are_not_read(
    digits: Digits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The declared sizes are compared with the available memory first."""
    np.savez(tmp_path / "mine.npz", x=digits[0], y=digits[1])
    monkeypatch.setattr("tuner.memory.available_memory", lambda: 10_000)

    with pytest.raises(DataError, match=r"mine\.npz needs 233\.6 kB of memory, 10\.0 kB are available"):
        read_labelled(tmp_path / "mine.npz", SPEC)
