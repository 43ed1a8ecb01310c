"""The operations of TensorFlow and JAX that change images: see :mod:`tuner.images.resample`."""

from __future__ import annotations

from typing import Any

from tuner.images.resample import Ops, array_ops


def tensorflow_ops() -> Ops:
    """Return the operations of TensorFlow."""
    import tensorflow as tf

    def pick(x: Any, at: Any) -> Any:
        # For single values, this is about three times as fast on a CPU as tf.gather, which copies each with memcpy.
        return tf.gather_nd(x, at[..., None])

    def pairs(x: Any, *places: Any) -> list[tuple[Any, Any]]:
        # To pick two values as one complex number takes two thirds of the time.
        joined = tf.complex(x, tf.concat([x[1:], x[:1]], axis=0))
        picked = [pick(joined, at) for at in places]
        return [(tf.math.real(pair), tf.math.imag(pair)) for pair in picked]

    return Ops(tf, cast=tf.cast, pick=pick, take=tf.gather, pairs=pairs, count=lambda x: tf.range(tf.shape(x)[0]))


def jax_ops() -> Ops:
    """Return the operations of JAX."""
    import jax.numpy as jnp

    return array_ops(jnp, lambda x, at: jnp.take(x, at, axis=0, mode="clip"))
