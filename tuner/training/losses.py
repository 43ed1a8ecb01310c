"""The losses of a :class:`~tuner.training.program.Program`, with their gradients."""

from __future__ import annotations

from typing import Any

import tensorflow as tf


def cross_entropy(logits: Any, labels: Any, smoothing: Any) -> tuple[Any, Any]:
    """Return the loss of each row, shape ``(batch,)``, and the gradient of the mean loss, shape ``(batch, classes)``.

    Each label is mixed with the uniform distribution. Source: Szegedy et al. 2016, Rethinking the Inception
    Architecture for Computer Vision, section 7.
    """
    classes = tf.shape(logits)[1]
    others = smoothing / tf.cast(classes, tf.float32)
    target = tf.one_hot(labels, classes, on_value=(1 - smoothing) + others, off_value=others)
    losses, gradient = tf.raw_ops.SoftmaxCrossEntropyWithLogits(features=logits, labels=target)
    return losses, gradient / tf.cast(tf.size(labels), tf.float32)


def squared_error(outputs: Any, targets: Any) -> tuple[Any, Any]:
    """Return the loss of each row, shape ``(batch,)``, and the gradient of the mean loss, shape ``(batch, 1)``."""
    error = outputs - targets[:, None]
    return tf.square(error)[:, 0], 2 * error / tf.cast(tf.size(targets), tf.float32)


def count_right(logits: Any, labels: Any) -> Any:
    """Return how many rows have their largest logit at their label."""
    is_right = tf.equal(tf.argmax(logits, axis=1, output_type=tf.int32), labels)
    return tf.reduce_sum(tf.cast(is_right, tf.int32))


def as_metrics(loss: Any, right: Any, rows: Any, *, classifies: bool) -> dict[str, float]:
    """Return the means over the rows: ``loss`` and, for classes, ``accuracy``."""
    metrics = {"loss": float(loss / rows)}
    return metrics | {"accuracy": float(right / rows)} if classifies else metrics
