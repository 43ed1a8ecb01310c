"""Exports are complete and checked, and never destroy existing files that are not an export."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.delivery.conftest import ALL_FORMATS, Exporter, build_model
from tuner.delivery import compare
from tuner.delivery.checked_files import read_manifest
from tuner.delivery.formats import FORMATS, load_runner
from tuner.errors import DataError, RunError, UsageError
from tuner.files import sha256_of

Digits = tuple[np.ndarray, np.ndarray]


@pytest.mark.parametrize("name", ALL_FORMATS)
def test_each_format_gives_the_probabilities_of_the_model(name: str, shared_export: Path, digits: Digits) -> None:
    """Loaded from disk, a format agrees with the .keras file within 1e-4 on all rows."""
    manifest = read_manifest(shared_export)
    keras = load_runner(FORMATS["keras"], shared_export / "model.keras")(digits[0])

    probabilities = load_runner(FORMATS[name], shared_export / manifest.formats[name].path)(digits[0])  # type: ignore[index]

    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities, keras, atol=1e-4)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    assert manifest.formats[name].max_difference <= 1e-4  # type: ignore[index]


def test_a_model_runs_in_batches(shared_export: Path, digits: Digits, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many rows in several batches, the last one shorter, give the same result as in one batch."""
    at_once = load_runner(FORMATS["litert"], shared_export / "model.tflite")(digits[0])
    monkeypatch.setattr("tuner.delivery.formats.BATCH", 100)

    np.testing.assert_allclose(
        load_runner(FORMATS["litert"], shared_export / "model.tflite")(digits[0]), at_once, atol=1e-6
    )


def test_the_steps_are_reported(export: Exporter, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """``on_step`` receives a description of each step, and nothing is printed."""
    steps: list[str] = []

    export(tmp_path / "model", formats=("onnx", "keras"), on_step=steps.append)

    assert steps == ["loading the model", "writing and checking keras", "writing and checking onnx"]
    assert capfd.readouterr() == ("", "")


def test_a_changed_model_file_is_not_loaded(export: Exporter, tmp_path: Path) -> None:
    """The recorded checksum is compared before the file is loaded."""
    with pytest.raises(RunError, match="checksum mismatch"):
        export(tmp_path / "model", sha256="0" * 64)

    assert not list(tmp_path.iterdir())


def test_a_missing_model_file_is_an_error_of_the_run(export: Exporter, tmp_path: Path) -> None:
    """A model file that is gone from the disk is a RunError."""
    with pytest.raises(RunError, match="cannot read the model"):
        export(tmp_path / "model", model=tmp_path / "gone.keras")


def test_a_folder_with_other_files_is_refused(export: Exporter, tmp_path: Path) -> None:
    """Without force, only a new or an empty folder is accepted."""
    (tmp_path / "notes.txt").write_text("mine")

    with pytest.raises(UsageError, match="is not empty"):
        export(tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_an_empty_folder_is_used(export: Exporter, tmp_path: Path) -> None:
    """An empty folder that exists becomes the export, and no temporary folder stays."""
    (tmp_path / "model").mkdir()

    export(tmp_path / "model")

    assert read_manifest(tmp_path / "model").trial == 7
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_force_replaces_a_whole_export(export: Exporter, exported: Path) -> None:
    """No file of the old export stays, even if the old export was damaged."""
    (exported / "model.onnx").write_bytes(b"broken")

    manifest = export(exported, force=True)

    assert read_manifest(exported) == manifest
    assert sorted(path.name for path in exported.iterdir()) == ["MODEL_CARD.md", "manifest.json", "model.keras"]
    assert [path.name for path in exported.parent.iterdir()] == ["model"]


@pytest.mark.parametrize("name", ["notes.txt", "manifest.json"])
def test_force_replaces_nothing_but_exports(export: Exporter, tmp_path: Path, name: str) -> None:
    """Folders of other files, and folders with another program's manifest.json, are refused."""
    (tmp_path / name).write_text('{"name": "a web page"}')

    with pytest.raises(UsageError, match="is not an exported model"):
        export(tmp_path, force=True)

    assert (tmp_path / name).exists()


def test_force_keeps_files_that_someone_added(export: Exporter, exported: Path) -> None:
    """An export that holds a file of the user is refused."""
    (exported / "notes.txt").write_text("mine")

    with pytest.raises(UsageError, match=r"not part of the exported model: notes\.txt"):
        export(exported, force=True)


def test_a_failed_export_leaves_the_old_one(export: Exporter, exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The old export is removed only after the new one is complete."""
    before = read_manifest(exported)
    monkeypatch.setattr(compare, "TOLERANCE", -1.0)

    with pytest.raises(RunError, match="format 'keras' differs from the original by"):
        export(exported, force=True)

    assert read_manifest(exported) == before
    assert [path.name for path in exported.parent.iterdir()] == ["model"]


def test_a_missing_package_is_named_before_anything_is_written(
    export: Exporter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hint is the command that installs it."""
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "tf2onnx" else real(name))

    with pytest.raises(UsageError, match="format 'onnx' needs tf2onnx") as caught:
        export(tmp_path / "model", formats=("keras", "onnx"))

    assert caught.value.hint == "pip install 'mlp-tuner[onnx]'"
    assert not list(tmp_path.iterdir())


def test_an_unknown_format_is_refused_with_the_nearest(export: Exporter, tmp_path: Path) -> None:
    """The hint names the format with the most similar name."""
    with pytest.raises(UsageError, match="no format 'savedmodel'") as caught:
        export(tmp_path / "model", formats=("savedmodel",))

    assert caught.value.hint == "did you mean 'saved-model'?"


def test_a_sample_of_another_shape_is_refused(export: Exporter, tmp_path: Path) -> None:
    """Rows for the comparison must fit the model's input."""
    with pytest.raises(DataError, match=r"rows of shape \(8, 8\), uint8, got \(3, 28, 28\)"):
        export(tmp_path / "model", sample=np.zeros((3, 28, 28), np.uint8))


@pytest.mark.parametrize(("backend", "name"), [("jax", "litert"), ("jax", "onnx"), ("torch", "saved-model")])
def test_a_backend_that_cannot_write_a_format_is_refused(backend: str, name: str) -> None:
    """The hint names a backend that can write it."""
    with pytest.raises(UsageError, match=f"cannot be written with the Keras backend '{backend}'") as caught:
        FORMATS[name].require_backend(backend)

    assert "tensorflow" in str(caught.value.hint)


@pytest.mark.slow
@pytest.mark.parametrize("activation", ["relu", "elu", "selu", "tanh", "silu", "leaky_relu", "sigmoid", "softplus"])
def test_every_activation_can_be_exported(activation: str, export: Exporter, tmp_path: Path) -> None:
    """ONNX and LiteRT support each activation and agree with Keras."""
    model = build_model(activation)
    path = tmp_path / "model.keras"
    model.save(path)

    manifest = export(tmp_path / "model", model=path, sha256=sha256_of(path), formats=("onnx", "litert"))

    assert set(manifest.formats) == {"onnx", "litert"}


@pytest.mark.slow
def test_an_operation_that_a_format_lacks_is_an_error(export: Exporter, tmp_path: Path) -> None:
    """ONNX has no exact gelu: the whole export fails and names the format."""
    path = tmp_path / "source.keras"
    build_model("gelu").save(path)

    with pytest.raises(RunError, match="onnx"):
        export(tmp_path / "model", model=path, sha256=sha256_of(path), formats=("keras", "onnx"))

    assert [path.name for path in tmp_path.iterdir()] == ["source.keras"]


_LOAD_WITHOUT_TUNER = """
import sys
sys.modules["tuner"] = None  # any import of it now fails
import keras, numpy, tensorflow
rows = numpy.load(sys.argv[2])
model = keras.saving.load_model(sys.argv[1] + "/model.keras")
served = tensorflow.saved_model.load(sys.argv[1] + "/saved_model").signatures["serving_default"]
numpy.save(sys.argv[3], [model.predict(rows, verbose=0), served(input=tensorflow.constant(rows))["output_0"]])
"""


@pytest.mark.slow
def test_the_formats_load_where_tuner_is_not_installed(shared_export: Path, digits: Digits, tmp_path: Path) -> None:
    """A Python that cannot import tuner loads the .keras file and runs the SavedModel."""
    rows, output = tmp_path / "rows.npy", tmp_path / "output.npy"
    np.save(rows, digits[0][:50])
    arguments = [str(shared_export), str(rows), str(output)]
    subprocess.run([sys.executable, "-c", _LOAD_WITHOUT_TUNER, *arguments], check=True, cwd=tmp_path)

    expected = load_runner(FORMATS["onnx"], shared_export / "model.onnx")(digits[0][:50])

    for probabilities in np.load(output):
        np.testing.assert_allclose(probabilities, expected, atol=1e-4)


_EXPORT_WITH_JAX = """
import sys, pathlib, numpy
from tuner.delivery.export import ModelFacts, export_model
path = pathlib.Path(sys.argv[1])
facts = ModelFacts(task="classification", scale=1 / 16, class_names=tuple("0123456789"), study="s", trial=0,
    metric="val_loss", direction="minimize", value=0.1, params={}, metrics={}, test=None, best_epoch=0, parameters=1,
    data="digits", fingerprint="0")
manifest = export_model(path, sys.argv[2], pathlib.Path(sys.argv[3]), formats=("keras", "saved-model"),
    sample=numpy.load(sys.argv[4]), facts=facts)
print(*manifest.formats)
"""


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="jax is not installed")
def test_jax_exports_a_saved_model(model_file: Path, digits: Digits, tmp_path: Path) -> None:
    """With the JAX backend, a SavedModel can be written, and nothing is printed."""
    rows = tmp_path / "rows.npy"
    np.save(rows, digits[0][:50])
    arguments: list[Any] = [model_file, sha256_of(model_file), tmp_path / "model", rows]
    done = subprocess.run(
        [sys.executable, "-c", _EXPORT_WITH_JAX, *map(str, arguments)],
        check=True,
        capture_output=True,
        text=True,
        env={"KERAS_BACKEND": "jax", "PATH": "", "PYTHONPATH": str(Path(__file__).parents[2])},
    )

    assert done.stdout == "keras saved-model\n"
    assert done.stderr == ""
