"""Predictions with an export, and result files that are complete or absent."""

from __future__ import annotations

import csv
import importlib.util
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tuner.delivery.evaluate import evaluate
from tuner.delivery.predict import Prediction, predict
from tuner.delivery.predictions import is_prediction, save_predictions, write_predictions
from tuner.errors import DataError, RunError, UsageError
from tuner.output_file import OutputFile

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

    assert caught.value.hint == "pip install 'mlp-tuner[litert]'"


def test_rows_of_another_shape_are_refused(shared_export: Path) -> None:
    """Arrays are checked like the rows of files."""
    with pytest.raises(DataError, match=r"expected \(rows, 8, 8\)"):
        predict(shared_export, np.zeros((2, 28, 28), np.uint8))


PREDICTION = Prediction(
    class_names=("cat", 'dog, "big"'),
    probabilities=np.array([[0.1, 0.9], [1 - 1e-7, 1e-7]], np.float32),
    runtime="onnx",
)


def written(*predictions: Prediction, as_json: bool) -> str:
    stream = io.StringIO()
    write_predictions(predictions, stream, as_json=as_json)
    return stream.getvalue()


def test_csv_keeps_every_digit() -> None:
    """The text is read back as the same float32, below a header with the class names."""
    header, *rows = csv.reader(io.StringIO(written(PREDICTION, as_json=False)))
    assert header == ["prediction", "p_cat", 'p_dog, "big"']
    assert [row[0] for row in rows] == ['dog, "big"', "cat"]
    read = np.array([row[1:] for row in rows], np.float32)
    np.testing.assert_array_equal(read, PREDICTION.probabilities)


def test_json_names_each_class() -> None:
    """There is one object per row."""
    first, second = json.loads(written(PREDICTION, as_json=True))
    assert first == {"prediction": 'dog, "big"', "probabilities": {"cat": 0.1, 'dog, "big"': 0.9}}
    assert np.float32(second["probabilities"]["cat"]) == PREDICTION.probabilities[1, 0]


@pytest.mark.parametrize("as_json", [True, False])
def test_batches_are_joined(as_json: bool) -> None:
    """Several batches give one table or one array."""
    text = written(PREDICTION, PREDICTION, as_json=as_json)

    rows = json.loads(text) if as_json else list(csv.DictReader(io.StringIO(text)))
    assert [row["prediction"] for row in rows] == ['dog, "big"', "cat"] * 2


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    """If the disk is full, no partial file is written and the old file stays."""

    def fail() -> Iterator[Prediction]:
        yield PREDICTION
        raise OSError(28, "No space left on device")

    path = tmp_path / "out.csv"
    path.write_text("old")

    with pytest.raises(RunError, match="No space left on device"):
        save_predictions(fail(), OutputFile(path, force=True), as_json=False)

    assert path.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["out.csv"]


def test_paths_may_be_text(shared_export: Path, digits: Digits) -> None:
    """As in `open_study`."""
    prediction = predict(str(shared_export), digits[0][:3], runtime="onnx")

    assert prediction.labels == predict(shared_export, digits[0][:3], runtime="onnx").labels
    assert evaluate(str(shared_export), digits[0][:3], digits[1][:3], runtime="onnx").rows == 3


def test_a_name_that_a_spreadsheet_would_run_gets_an_apostrophe() -> None:
    """Of a class or of a file. A number stays a number, although it begins with a sign."""
    prediction = replace(PREDICTION, class_names=("=HYPERLINK(0)", "-1"), files=("@a.png", "b.png"))

    header, *rows = csv.reader(io.StringIO(written(prediction, as_json=False)))
    assert header == ["file", "prediction", "p_=HYPERLINK(0)", "p_-1"]
    assert [row[:2] for row in rows] == [["'@a.png", "-1"], ["b.png", "'=HYPERLINK(0)"]]


@pytest.mark.parametrize("as_json", [False, True])
def test_an_earlier_prediction_is_recognised(tmp_path: Path, as_json: bool) -> None:
    """Such a file is replaced without --force, whatever the names of its classes and files are."""
    path = tmp_path / "out"
    for names, files in ((("cat", "dog"), None), (('a, "b"', "c"), ('d"\\.png', "e.png"))):
        path.unlink(missing_ok=True)
        save_predictions([replace(PREDICTION, class_names=names, files=files)], OutputFile(path), as_json=as_json)
        assert is_prediction(path)
    for text in ("prediction of the weather", '[{"file": "a"}]', "file,number"):
        path.write_text(text)
        assert not is_prediction(path)
