"""Predictions with an export, and result files that are complete or absent."""

from __future__ import annotations

import csv
import importlib.util
import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tuner.delivery.predict import Prediction, predict
from tuner.errors import DataError, RunError, UsageError

Digits = tuple[np.ndarray, np.ndarray]


@pytest.mark.parametrize("runtime", ["onnx", "litert", "keras", "saved-model"])
def test_every_runtime_predicts_the_same_classes(runtime: str, shared_export: Path, digits: Digits) -> None:
    """The formats give the same classes."""
    prediction = predict(shared_export, digits[0], runtime=runtime)

    assert prediction.runtime == runtime
    assert prediction.labels == predict(shared_export, digits[0]).labels
    assert np.mean(np.array(prediction.labels) == digits[1].astype(str)) > 0.8


@pytest.mark.parametrize(
    ("absent", "expected"),
    [((), "onnx"), (("onnxruntime",), "litert"), (("onnxruntime", "ai_edge_litert"), "keras")],
)
def test_auto_takes_the_fastest_runtime_that_is_installed(
    absent: tuple[str, ...], expected: str, shared_export: Path, digits: Digits, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Formats that need TensorFlow, which takes ten seconds to import, come last."""
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in absent else real(name))

    assert predict(shared_export, digits[0][:2]).runtime == expected


def test_a_runtime_that_was_not_exported_is_refused(
    digits: Digits, tmp_path: Path, export: Callable[..., object]
) -> None:
    """The hint lists the exported formats."""
    export(tmp_path / "model", formats=("keras",))

    with pytest.raises(UsageError, match="has no format 'onnx'") as caught:
        predict(tmp_path / "model", digits[0], runtime="onnx")

    assert caught.value.hint == "choose one of: keras"


def test_a_runtime_that_is_not_installed_is_refused(
    shared_export: Path, digits: Digits, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hint is the command that installs it."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)

    with pytest.raises(UsageError, match="needs ai_edge_litert") as caught:
        predict(shared_export, digits[0], runtime="litert")

    assert caught.value.hint == "pip install 'tuner[litert]'"


def test_rows_of_another_shape_are_refused(shared_export: Path) -> None:
    """Arrays are checked like the rows of files."""
    with pytest.raises(DataError, match=r"expected \(rows, 8, 8\)"):
        predict(shared_export, np.zeros((2, 28, 28), np.uint8))


PREDICTION = Prediction(
    class_names=("cat", 'dog, "big"'),
    probabilities=np.array([[0.1, 0.9], [1 - 1e-7, 1e-7]], np.float32),
    runtime="onnx",
)


def test_csv_keeps_every_digit() -> None:
    """The text is read back as the same float32, below a header with the class names."""
    stream = io.StringIO()
    PREDICTION.write_csv(stream)

    header, *rows = csv.reader(io.StringIO(stream.getvalue()))
    assert header == ["prediction", "p_cat", 'p_dog, "big"']
    assert [row[0] for row in rows] == ['dog, "big"', "cat"]
    read = np.array([row[1:] for row in rows], np.float32)
    np.testing.assert_array_equal(read, PREDICTION.probabilities)


def test_json_names_each_class() -> None:
    """There is one object per row."""
    stream = io.StringIO()
    PREDICTION.write_json(stream)

    first, second = json.loads(stream.getvalue())
    assert first == {"prediction": 'dog, "big"', "probabilities": {"cat": 0.1, 'dog, "big"': 0.9}}
    assert np.float32(second["probabilities"]["cat"]) == PREDICTION.probabilities[1, 0]


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the disk is full, no partial file is written and the old file stays."""

    def fail(_: Prediction, stream: io.StringIO) -> None:
        stream.write("prediction,p_c")
        raise OSError(28, "No space left on device")

    path = tmp_path / "out.csv"
    path.write_text("old")
    monkeypatch.setattr(Prediction, "write_csv", fail)

    with pytest.raises(RunError, match="No space left on device"):
        PREDICTION.save(path, as_json=False)

    assert path.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["out.csv"]


def test_only_files_are_replaced(tmp_path: Path) -> None:
    """A folder is refused."""
    with pytest.raises(UsageError, match="is not a file"):
        PREDICTION.save(tmp_path, as_json=False)
