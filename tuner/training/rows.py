"""Copies rows to the device and shuffles them for each epoch."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from tuner.config.tables import Precision

EVALUATION_BATCH = 4096  # rows per evaluation step; limits the memory for activations

Rows = tuple[Any, Any]  # inputs (rows, ...) and targets (rows,), arrays or tensors


def row_type(dtype: str, precision: Precision) -> str:
    """Return the type of inputs on the device. Pixels are exact in bfloat16, so the program casts no batch of them."""
    is_short = precision == "bfloat16" and dtype == "uint8" and keras.backend.backend() == "tensorflow"
    return "bfloat16" if is_short else dtype


def place(x: npt.NDArray[Any], y: npt.NDArray[Any]) -> Rows:
    """Copy inputs and targets to the device. Inputs keep their type; classes become ``int32``, numbers ``float32``."""
    y = y.astype(np.int32 if y.dtype.kind in "iub" else np.float32)
    if keras.backend.backend() == "jax":
        import jax

        return jax.device_put(x), jax.device_put(y)
    import tensorflow as tf

    return tf.constant(x), tf.constant(y)


def converted(rows: Rows, dtype: str) -> Rows:
    """Return rows on the device whose inputs have a type: the same rows if they have it."""
    x, y = rows
    return (x if keras.backend.standardize_dtype(x.dtype) == dtype else keras.ops.cast(x, dtype)), y


def order_of(rows: int, seed: int, epoch: int) -> npt.NDArray[np.int32]:
    """Return the order of the rows in one epoch, shape ``(rows,)``. It differs for each seed and epoch."""
    return np.random.default_rng((seed, epoch)).permutation(rows).astype(np.int32)
