"""Measures how long a trained model takes for one row."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import keras

WARM_UP, TIMES = 5, 50


def latency_ms(model: keras.Model, row: Any) -> float:
    """Return the median time of a prediction of one row, in milliseconds.

    This is the time for one call of the compiled forward pass from Python, on this device, until the result is there.
    The model is the one that ``tuner export`` writes. The time for a server to read, queue and send a row is not
    included. Trainers that share the cores disturb each other, so small differences mean little. With ``--workers 1``,
    the times are more exact.

    Args:
        model: A model that maps raw rows to probabilities.
        row: One raw row on the device, shape ``(1, ...)``.
    """
    predict = _compiled(model, row)
    for _ in range(WARM_UP):
        predict()
    return 1000 * statistics.median(_seconds(predict) for _ in range(TIMES))


def _seconds(predict: Callable[[], Any]) -> float:
    began = time.perf_counter()
    predict()
    return time.perf_counter() - began


def _compiled(model: keras.Model, row: Any) -> Callable[[], Any]:
    """Return a function that predicts the row and waits for the result."""
    if keras.backend.backend() == "jax":
        import jax

        forward = jax.jit(lambda weights, state, x: model.stateless_call(weights, state, x, training=False)[0])
        weights = [variable.value for variable in model.trainable_variables]
        state = [variable.value for variable in model.non_trainable_variables]
        return lambda: forward(weights, state, row).block_until_ready()
    import tensorflow as tf

    graph = tf.function(lambda x: model(x, training=False)).get_concrete_function(
        tf.TensorSpec(row.shape, row.dtype, name="row")
    )
    return lambda: graph(row).numpy()
