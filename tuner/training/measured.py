"""Measures a model on the test rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuner.data.schema import DataSchema
from tuner.data.training_rows import TrainingRows
from tuner.evaluation.bootstrap import estimates
from tuner.evaluation.evaluation import Evaluation, evaluation_of
from tuner.evaluation.scores import scores
from tuner.records import Metrics
from tuner.training.rows import EVALUATION_BATCH

# Predictions of more cells (rows x outputs) are not evaluated: the bootstrap would take gigabytes.
MOST_CELLS = 2**24


def predictions(model: Any, x: NDArray[Any]) -> NDArray[np.float32]:
    """Return probabilities, shape ``(rows, classes)``, or numbers, shape ``(rows, 1)``.

    The layers are called one by one: to trace the model, as its ``predict`` does, takes longer than a few such calls.
    """
    import keras

    starts = range(0, max(len(x), 1), EVALUATION_BATCH)
    parts = [keras.ops.convert_to_numpy(model(x[i : i + EVALUATION_BATCH], training=False)) for i in starts]
    return np.concatenate(parts).astype(np.float32)


def measure_on_test_rows(model: Any, schema: DataSchema, rows: TrainingRows) -> tuple[Metrics, Evaluation | None]:
    """Return the metrics of a model for prediction on the test rows, and what figures show of them.

    Args:
        model: A Keras model.
        schema: Its input and target.
        rows: The rows of the study.
    """
    task, y = schema.task.name, rows.y_test
    predicted = predictions(model, rows.x_test)
    metrics = _of_table(predicted, schema, y) if schema.table is not None else _of_arrays(predicted, y)
    if predicted.size > MOST_CELLS:
        return metrics, None
    return metrics, evaluation_of(task, y, predicted, estimates(scores(task, y, predicted), len(y)))


def _of_table(raw: NDArray[np.float32], schema: DataSchema, y: NDArray[Any]) -> Metrics:
    """Return the metrics of the task."""
    if schema.classes:  # logarithms of probabilities are logits
        raw = np.log(np.maximum(raw, np.finfo(np.float32).tiny))
    return schema.task.measure(y, raw, variance=schema.numeric.variance if schema.numeric else 1.0)


def _of_arrays(probabilities: NDArray[np.float32], y: NDArray[Any]) -> Metrics:
    """Return loss and accuracy."""
    import keras

    loss = keras.ops.convert_to_numpy(keras.losses.SparseCategoricalCrossentropy()(y, probabilities))
    return {"loss": float(loss), "accuracy": float(np.mean(probabilities.argmax(1) == y))}
