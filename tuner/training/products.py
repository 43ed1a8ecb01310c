"""Products of matrices in bfloat16: both factors are rounded, once each, and everything else stays float32.

Source: Kalamkar et al. 2019, A Study of BFLOAT16 for Deep Learning Training, section 3.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf


@tf.custom_gradient  # type: ignore[untyped-decorator]
def rounded_product(x: Any, kernel: Any) -> tuple[Any, Any]:
    """Return ``x @ kernel``, shape ``(batch, out)``.

    Args:
        x: Inputs in float32, shape ``(batch, in)``.
        kernel: Weights in float32, shape ``(in, out)``.
    """
    short, short_kernel = _short(x), _short(kernel)

    def backward(upstream: Any) -> tuple[Any, Any]:
        change = _short(upstream)
        to_x, to_kernel = tf.matmul(change, short_kernel, transpose_b=True), tf.matmul(short, change, transpose_a=True)
        return _long(to_x), _long(to_kernel)

    return _long(tf.matmul(short, short_kernel)), backward


@tf.custom_gradient  # type: ignore[untyped-decorator]
def scaled_product(rows: Any, kernel: Any, factor: Any) -> tuple[Any, Any]:
    """Return ``(rows * factor) @ kernel``, shape ``(batch, out)``. There is no gradient for the rows.

    The factor is applied to the result, which is smaller than the rows. Pixels are exact in bfloat16, scaled ones not.

    Args:
        rows: Raw inputs in bfloat16, shape ``(batch, in)``.
        kernel: Weights in float32, shape ``(in, out)``.
        factor: Scale of the inputs, shape ``(1,)``.
    """

    def backward(upstream: Any) -> tuple[Any, Any, Any]:
        return None, _long(tf.matmul(rows, _short(upstream * factor), transpose_a=True)), None

    return _long(tf.matmul(rows, _short(kernel))) * factor, backward


def _short(values: Any) -> Any:
    return tf.cast(values, tf.bfloat16)


def _long(values: Any) -> Any:
    return tf.cast(values, tf.float32)
