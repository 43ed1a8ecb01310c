"""Dropout with masks that cost half as much as those of Keras.

On a CPU, the random numbers of dropout take a tenth of an epoch of a small MLP. Keras draws a float for each
activation. Here, 16 random bits decide, so the rate is exact to 1/65536. This is used only in training: the saved
model has Keras' own dropout layer.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tuner.training.constants import constant

_LEVELS = 2**16
_LAYERS = 64  # a step draws fewer masks


class Keys:
    """Seeds of the masks of one step. The same trial, step, layer and width have the same numbers.

    Args:
        seed: Seed of the trial.
        step: Number of the step, an ``int64``.
    """

    def __init__(self, seed: Any, step: Any) -> None:
        self._seed = seed
        self._first = step * constant(_LAYERS, tf.int64)

    def of(self, layer: int) -> Any:
        """Return the seed for a layer, from 0 to 63: shape ``(2,)``."""
        return tf.stack([self._seed, self._first + constant(layer, tf.int64)])


class Dropout:
    """Dropout of layers with the same rate.

    Args:
        rate: Share of elements to drop, a scalar in [0, 1).

    Source: Srivastava et al. 2014, Dropout, section 4, with the scaling by ``1 / (1 - rate)`` in training.
    """

    def __init__(self, rate: Any) -> None:
        levels = constant(_LEVELS)
        dropped = tf.round(rate * levels)
        self._first_kept = tf.cast(dropped, tf.uint16)
        self._scale = levels / (levels - dropped)

    def __call__(self, x: Any, key: Any) -> Any:
        """Return ``x``, of any shape, with some elements set to 0 and the others scaled up to keep the mean."""
        kept = tf.cast(_levels(tf.shape(x), tf.size(x), key) >= self._first_kept, x.dtype)
        return _masked(x, kept * self._scale)


def is_kept(shape: Any, rate: float, key: Any) -> Any:
    """Return booleans of a shape, of which a share ``rate`` is false."""
    return _levels(shape, tf.reduce_prod(shape), key) >= constant(round(rate * _LEVELS), tf.uint16)


def _levels(shape: Any, count: Any, key: Any) -> Any:
    """Return ``count`` random numbers of 16 bits, in a shape."""
    words = (count + constant(1, tf.int32)) // constant(2, tf.int32)
    state, counter = tf.raw_ops.StatelessRandomGetKeyCounter(seed=key)
    drawn = tf.raw_ops.StatelessRandomUniformFullIntV2(
        shape=tf.stack([words]),
        key=state,
        counter=counter,
        alg=constant(tf.random.Algorithm.AUTO_SELECT.value, tf.int32),
        dtype=tf.uint32,
    )
    levels = tf.reshape(tf.bitcast(drawn, tf.uint16), tf.stack([constant(-1, tf.int32)]))
    first = tf.slice(levels, tf.stack([constant(0, tf.int32)]), tf.stack([count]))  # one more may have been drawn
    return tf.reshape(first, shape)


@tf.custom_gradient  # type: ignore[untyped-decorator]
def _masked(x: Any, mask: Any) -> tuple[Any, Any]:
    """Multiply two tensors of equal shape, with a gradient that does not compare the shapes in each step."""
    return x * mask, lambda upstream: (upstream * mask, None)
