"""Constants of a traced program, each of which is traced once.

To trace an operation takes about 0.4 ms, a constant among them, and TensorFlow creates one for each number in an
expression. A third of the operations of a step were such constants.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

_KEPT = "_tuner_constants"  # an attribute of a graph: kept elsewhere, its tensors would keep the graph alive


def constant(value: float, dtype: Any = tf.float32) -> Any:
    """Return a scalar: within a traced function, the same tensor for the same value."""
    if tf.executing_eagerly():
        return tf.constant(value, dtype)
    graph = tf.compat.v1.get_default_graph()
    known: dict[tuple[float, Any], Any] = getattr(graph, _KEPT, {})
    if (value, dtype) not in known:
        known[value, dtype] = tf.constant(value, dtype)
        setattr(graph, _KEPT, known)
    return known[value, dtype]
