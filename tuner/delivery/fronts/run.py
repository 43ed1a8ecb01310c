"""Runs exported models on raw columns, each with its own runtime. An export is compared with the original so."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tuner.data.schema import DataSchema
from tuner.delivery.fronts.cells import cells_of
from tuner.delivery.fronts.columns import PREDICTION, PROBABILITIES, raw_columns, table_of
from tuner.training.runtime import ready_keras

RawRunner = Callable[[Mapping[str, pl.Series]], NDArray[np.float32]]
"""Returns the predictions of raw columns: shape ``(rows, classes)`` or ``(rows, 1)``."""


def load_keras(path: Path, schema: DataSchema) -> RawRunner:
    """Load a ``.keras`` file of :func:`tuner.delivery.fronts.keras_model.write_keras` with Keras alone.

    The file must be one that this program has just written: it is not vetted.
    """
    import keras
    import tensorflow as tf

    table = table_of(schema)
    columns = raw_columns(table)
    with ready_keras("cpu"):
        model = keras.saving.load_model(path)

    def run(raw: Mapping[str, pl.Series]) -> NDArray[np.float32]:
        cells = cells_of(raw, columns, table, iso=False)
        with ready_keras("cpu"):
            tensors = {name: tf.constant(values)[:, None] for name, values in cells.items()}
            return np.asarray(model(tensors, training=False), np.float32)

    return run


def load_saved_model(path: Path, schema: DataSchema) -> RawRunner:
    """Load a SavedModel of :func:`tuner.delivery.fronts.saved_model.write_saved_model`."""
    import tensorflow as tf

    table = table_of(schema)
    columns = raw_columns(table)
    with tf.device("CPU:0"):
        artifact = tf.saved_model.load(path)  # `run` must hold it: it owns the weights
    serve = artifact.signatures["serving_default"]

    def run(raw: Mapping[str, pl.Series]) -> NDArray[np.float32]:
        cells = cells_of(raw, columns, table, iso=True)
        with tf.device("CPU:0"):
            outputs = serve(**{name: tf.constant(values) for name, values in cells.items()})
        return _predictions(outputs, schema)

    return run


def load_onnx(path: Path, schema: DataSchema) -> RawRunner:
    """Load an ONNX file of :func:`tuner.delivery.fronts.onnx_model.write_onnx`."""
    import onnxruntime

    table = table_of(schema)
    columns = raw_columns(table)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])

    def run(raw: Mapping[str, pl.Series]) -> NDArray[np.float32]:
        cells = cells_of(raw, columns, table, iso=False)
        feed = {name: _column(values) for name, values in cells.items()}
        return np.asarray(session.run(None, feed)[0], np.float32)

    return run


def _column(values: Any) -> NDArray[Any]:
    array = np.array(values, dtype=object) if isinstance(values, list) else values
    return array.reshape(-1, 1)


def _predictions(outputs: Mapping[str, Any], schema: DataSchema) -> NDArray[np.float32]:
    name = PROBABILITIES if schema.numeric is None else PREDICTION
    return np.asarray(outputs[name], np.float32).reshape(-1, schema.outputs)
