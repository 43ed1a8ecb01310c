"""Dropout with masks that cost half as much as those of Keras.

On a CPU, the random numbers of dropout take a tenth of an epoch of a small MLP. Keras draws a float for each
activation. Here, 16 random bits decide, so the rate is exact to 1/65536. This is used only in training: the saved
model has Keras' own dropout layer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

_LEVELS = 2**16


Key = Sequence[Any]  # seed of the trial, step, and layer in [0, 64); the same key always gives the same numbers


def drop(x: Any, rate: Any, key: Key) -> Any:
    """Return ``x`` with a share ``rate`` of its elements set to 0 and the others scaled up to keep the mean.

    Args:
        x: Activations of any shape.
        rate: Share of elements to drop, a scalar in [0, 1).
        key: Seed of the mask.

    Source: Srivastava et al. 2014, Dropout, section 4, with the scaling by ``1 / (1 - rate)`` in training.
    """
    dropped = tf.round(rate * _LEVELS)
    kept = tf.cast(_levels(tf.shape(x), tf.size(x), key) >= tf.cast(dropped, tf.uint16), x.dtype)
    return _masked(x, kept * (_LEVELS / (_LEVELS - dropped)))


def is_kept(shape: Any, rate: float, key: Key) -> Any:
    """Return booleans of a shape, of which a share ``rate`` is false."""
    return _levels(shape, tf.reduce_prod(shape), key) >= tf.constant(round(rate * _LEVELS), tf.uint16)


def _levels(shape: Any, count: Any, key: Key) -> Any:
    """Return ``count`` random numbers of 16 bits, in a shape."""
    seed, step, layer = key
    words = tf.random.stateless_uniform(
        [(count + 1) // 2], seed=tf.stack([seed, step * 64 + layer]), minval=None, maxval=None, dtype=tf.uint32
    )
    return tf.reshape(tf.reshape(tf.bitcast(words, tf.uint16), [-1])[:count], shape)


@tf.custom_gradient  # type: ignore[untyped-decorator]
def _masked(x: Any, mask: Any) -> tuple[Any, Any]:
    """Multiply two tensors of equal shape, with a gradient that does not compare the shapes in each step."""
    return x * mask, lambda upstream: (upstream * mask, None)
