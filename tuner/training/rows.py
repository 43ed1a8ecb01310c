"""Copies rows to the device and shuffles them for each epoch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

EVALUATION_BATCH = 4096  # rows per evaluation step; limits the memory for activations

Rows = tuple[Any, Any]  # inputs (rows, ...) and targets (rows,), arrays or tensors


def place(x: npt.NDArray[Any], y: npt.NDArray[Any]) -> Rows:
    """Copy inputs and targets to the device. Inputs keep their type; classes become ``int32``, numbers ``float32``."""
    y = y.astype(np.int32 if y.dtype.kind in "iub" else np.float32)
    if keras.backend.backend() == "jax":
        import jax

        return jax.device_put(x), jax.device_put(y)
    import tensorflow as tf

    return tf.constant(x), tf.constant(y)


def order_of(rows: int, seed: int, epoch: int) -> npt.NDArray[np.int32]:
    """Return the order of the rows in one epoch, shape ``(rows,)``. It differs for each seed and epoch."""
    return np.random.default_rng((seed, epoch)).permutation(rows).astype(np.int32)


def orders(rows: int, seed: int, first: int = 0) -> Iterator[npt.NDArray[np.int32]]:
    """Yield the order of epoch ``first`` and of all later epochs, without end."""
    epoch = first
    while True:
        yield order_of(rows, seed, epoch)
        epoch += 1
