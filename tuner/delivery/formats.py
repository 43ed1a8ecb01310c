"""The formats of a bundle: how each is written, loaded and run, in one table."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from tuner.delivery.manifest import FormatName
from tuner.errors import RunError, TunerError, UsageError, did_you_mean
from tuner.silence import silenced
from tuner.training.model_file import load_model

Rows = NDArray[Any]  # (rows, *input shape), the model's input type
Probabilities = NDArray[np.float32]  # (rows, classes)
Runner = Callable[[Rows], Probabilities]
T = TypeVar("T")

BATCH = 4096  # rows at a time: bounds the memory of the hidden layers


@dataclass(frozen=True, slots=True)
class Format:
    """How one format is written and run.

    ``path`` is its file or folder in a bundle, ``extra`` the optional dependencies of tuner that bring ``writers``
    (modules needed to write) and ``runners`` (to run), ``backends`` the Keras backends that can write it.
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
        """Return the modules that are not installed."""
        needed = (*self.runners, *self.writers) if writing else self.runners
        return [module for module in needed if importlib.util.find_spec(module) is None]

    def require(self, *, writing: bool) -> None:
        """Refuse a format whose packages are not installed.

        Raises:
            UsageError: With the command that installs them.
        """
        if missing := self.missing(writing=writing):
            raise UsageError(
                f"format '{self.name}' needs {', '.join(missing)}, not installed here",
                hint=f"pip install 'tuner[{self.extra}]'",
            )

    def require_backend(self, backend: str) -> None:
        """Refuse a format that the Keras backend in use cannot write.

        Raises:
            UsageError: With the backends that can.
        """
        if self.backends is not None and backend not in self.backends:
            raise UsageError(
                f"format '{self.name}' cannot be written with the Keras backend '{backend}'",
                hint=f"set KERAS_BACKEND to {' or '.join(sorted(self.backends))}: the .keras file loads on every one",
            )


def find_formats(names: Iterable[str]) -> list[Format]:
    """Return the formats of these names, each once, in the order of the table.

    Raises:
        UsageError: If there is no such format, or none is named.
    """
    wanted = set(names)
    for name in sorted(wanted):
        if name not in FORMATS:
            raise UsageError(f"there is no format '{name}'", hint=did_you_mean(name, FORMATS))
    if not wanted:
        raise UsageError("no format was named", hint=f"known: {', '.join(FORMATS)}")
    return [known for name, known in FORMATS.items() if name in wanted]


def load_runner(known: Format, path: Path) -> Runner:
    """Load a saved model and return the function that runs it, on the CPU, a batch at a time.

    Raises:
        RunError: If the file cannot be loaded, or later cannot be run.
    """
    runner = _guarded(known, path, lambda: known.load(path))

    def run(rows: Rows) -> Probabilities:
        batches = [rows[start : start + BATCH] for start in range(0, len(rows), BATCH)]
        return _guarded(known, path, lambda: np.concatenate([runner(batch) for batch in batches]))

    return run


def _guarded(known: Format, path: Path, work: Callable[[], T]) -> T:
    """Do quiet work of a foreign runtime; whatever it raises becomes one line."""
    try:
        with silenced():
            return work()
    except TunerError:
        raise
    except Exception as error:  # each runtime has exceptions of its own
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise RunError(f"cannot run {path.name} as {known.name}: {reason}") from error


def _write_keras(model: Any, path: Path) -> None:
    model.save(path)


def _load_keras(path: Path) -> Runner:
    import keras

    # On the CPU, because a GPU rounds matrix products to fewer digits than the other runtimes.
    with keras.device("cpu:0"):
        model = load_model(path, None)  # the manifest's checksum was compared, or the file was written, just before

    def run(rows: Rows) -> Probabilities:
        with keras.device("cpu:0"):
            return np.asarray(keras.ops.convert_to_numpy(model(rows, training=False)), np.float32)

    return run


def _write_saved_model(model: Any, path: Path) -> None:
    model.export(path, format="tf_saved_model", verbose=False)


def _load_saved_model(path: Path) -> Runner:
    import tensorflow as tf

    with tf.device("CPU:0"):
        artifact = tf.saved_model.load(path)  # kept by `run`: it owns the weights

    def run(rows: Rows) -> Probabilities:
        with tf.device("CPU:0"):
            return np.asarray(artifact.serve(tf.constant(rows)), np.float32)

    return run


def _write_onnx(model: Any, path: Path) -> None:
    model(np.zeros((1, *model.input_shape[1:]), model.inputs[0].dtype))  # Keras refuses one that was never called
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

    def run(rows: Rows) -> Probabilities:
        interpreter.resize_tensor_input(source, rows.shape)
        interpreter.allocate_tensors()
        interpreter.set_tensor(source, rows)
        interpreter.invoke()
        return np.asarray(interpreter.get_tensor(target), np.float32)

    return run


FORMATS: dict[str, Format] = {
    known.name: known
    for known in (
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
