"""The formats of an export: how to write, load and run each of them."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from tuner.delivery.fronts.columns import PREDICTION, PROBABILITIES
from tuner.delivery.fronts.saved_model import ENCODED
from tuner.delivery.manifest import FormatName
from tuner.distribution import install
from tuner.errors import RunError, TunerError, UsageError, did_you_mean
from tuner.silence import silenced
from tuner.training.model_file import check_model, load_private
from tuner.training.runtime import import_backend, ready_keras

Rows = NDArray[Any]  # (rows, *input shape), the model's input type
Predictions = NDArray[np.float32]  # (rows, classes): probabilities; or (rows, 1): numbers
Runner = Callable[[Rows], Predictions]
T = TypeVar("T")

BATCH = 4096  # rows per call: limits the memory for the hidden layers


@dataclass(frozen=True, slots=True)
class Format:
    """How to write and run one format.

    Attributes:
        name: The name on the command line and in the manifest.
        path: The file or folder in an export.
        write: Writes a Keras model to a path.
        load: Loads a path that no other program can replace, and returns the function that runs the model. The path
            may be removed afterwards.
        extra: The optional dependencies of tuner that install ``writers`` and ``runners``.
        writers: Modules that are needed to write it.
        runners: Modules that are needed to run it.
        backends: The Keras backends that can write it; ``None`` stands for all.
    """

    name: FormatName
    path: str
    write: Callable[[Any, Path], None]
    load: Callable[[Path], Runner]
    extra: str | None = None
    writers: tuple[str, ...] = ()
    runners: tuple[str, ...] = ()
    backends: frozenset[str] | None = None

    def missing(self, *, writing: bool) -> list[str]:
        """Return the modules that are needed to run the format, or to write it, and are not installed."""
        needed = (*self.runners, *self.writers) if writing else self.runners
        return [module for module in needed if importlib.util.find_spec(module) is None]

    def require(self, *, writing: bool) -> None:
        """Check that the needed modules are installed.

        Raises:
            UsageError: If one is missing; the hint is the command that installs it.
        """
        if missing := self.missing(writing=writing):
            raise UsageError(
                f"format '{self.name}' needs {', '.join(missing)}, which is not installed",
                hint=install(self.extra),
            )

    def require_backend(self, backend: str) -> None:
        """Check that the Keras backend can write the format.

        Raises:
            UsageError: If it cannot; the hint names the backends that can.
        """
        if self.backends is not None and backend not in self.backends:
            raise UsageError(
                f"format '{self.name}' cannot be written with the Keras backend '{backend}'",
                hint=f"set KERAS_BACKEND to {' or '.join(sorted(self.backends))}: the .keras file loads on every one",
            )


def find_formats(names: Iterable[str]) -> list[Format]:
    """Return the named formats without duplicates, in the order of ``FORMATS``.

    Raises:
        UsageError: If a name is unknown, or no name is given.
    """
    chosen = set(names)
    for name in sorted(chosen):
        if name not in FORMATS:
            raise UsageError(f"there is no format '{name}'", hint=did_you_mean(name, FORMATS))
    if not chosen:
        raise UsageError("no format was named", hint=f"known: {', '.join(FORMATS)}")
    return [model_format for name, model_format in FORMATS.items() if name in chosen]


def load_runner(model_format: Format, path: Path) -> Runner:
    """Load a saved model and return the function that runs it on the CPU, batch by batch.

    Raises:
        RunError: If the file cannot be loaded. The returned function raises it if the model cannot be run.
    """
    runner = guarded(model_format, path, lambda: model_format.load(path))

    def run(rows: Rows) -> Predictions:
        batches = [rows[start : start + BATCH] for start in range(0, len(rows), BATCH)]
        return guarded(model_format, path, lambda: np.concatenate([runner(batch) for batch in batches]))

    return run


def guarded(model_format: Format, path: Path, action: Callable[[], T]) -> T:
    """Call into a runtime without its output, and turn its exceptions into a :class:`RunError` of one line."""
    try:
        with silenced():
            return action()
    except TunerError:
        raise
    except Exception as error:  # each runtime raises its own exceptions
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise RunError(f"cannot run {path.name} as {model_format.name}: {reason}") from error


def _write_keras(model: Any, path: Path) -> None:
    model.save(path)


def _load_keras(path: Path) -> Runner:
    import_backend()
    import keras

    # On the CPU: a GPU rounds matrix products to fewer digits than the other runtimes.
    with ready_keras("cpu"):
        check_model(path)
        model = load_private(path)

    def run(rows: Rows) -> Predictions:
        with ready_keras("cpu"):
            return np.asarray(keras.ops.convert_to_numpy(model(rows, training=False)), np.float32)

    return run


def _write_saved_model(model: Any, path: Path) -> None:
    model.export(path, format="tf_saved_model", verbose=False)


def _load_saved_model(path: Path) -> Runner:
    import tensorflow as tf

    with tf.device("CPU:0"):
        artifact = tf.saved_model.load(path)  # `run` must hold it: it owns the weights
    encoded = artifact.signatures.get(ENCODED)  # of a model for tables

    def run(rows: Rows) -> Predictions:
        with tf.device("CPU:0"):
            if encoded is None:
                return np.asarray(artifact.serve(tf.constant(rows)), np.float32)
            outputs = encoded(rows=tf.constant(rows))
        predictions = np.asarray(outputs.get(PROBABILITIES, outputs.get(PREDICTION)), np.float32)
        return predictions.reshape(len(rows), -1)

    return run


def _write_onnx(model: Any, path: Path) -> None:
    model(np.zeros((1, *model.input_shape[1:]), model.inputs[0].dtype))  # Keras exports only a model that was called
    model.export(path, format="onnx", verbose=False)


def _load_onnx(path: Path) -> Runner:
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda rows: np.asarray(session.run(None, {name: rows})[0], np.float32)


def _write_litert(model: Any, path: Path) -> None:
    model.export(path, format="litert", verbose=False)


def _load_litert(path: Path) -> Runner:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(path))
    source, target = (
        details[0]["index"] for details in (interpreter.get_input_details(), interpreter.get_output_details())
    )

    def run(rows: Rows) -> Predictions:
        interpreter.resize_tensor_input(source, rows.shape)
        interpreter.allocate_tensors()
        interpreter.set_tensor(source, rows)
        interpreter.invoke()
        return np.asarray(interpreter.get_tensor(target), np.float32)

    return run


FORMATS: dict[str, Format] = {
    model_format.name: model_format
    for model_format in (
        Format("keras", "model.keras", _write_keras, _load_keras),
        Format(
            "saved-model",
            "saved_model",
            _write_saved_model,
            _load_saved_model,
            backends=frozenset({"tensorflow", "jax"}),
        ),
        Format(
            "onnx",
            "model.onnx",
            _write_onnx,
            _load_onnx,
            extra="onnx",
            writers=("onnx", "tf2onnx"),
            runners=("onnxruntime",),
            backends=frozenset({"tensorflow"}),
        ),
        Format(
            "litert",
            "model.tflite",
            _write_litert,
            _load_litert,
            extra="litert",
            runners=("ai_edge_litert",),
            backends=frozenset({"tensorflow"}),
        ),
    )
}
