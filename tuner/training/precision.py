"""Measures whether products in bfloat16 are faster on the device of a trainer."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from tuner.config.tables import Precision
from tuner.environment import has_bfloat16

FASTER = 0.9  # bfloat16 must take at most this share of the time of float32
_BATCH, _WIDTH, _ROUNDS = 256, 512, 8


def bfloat16_is_faster(device: str) -> bool:
    """Return whether a dense layer and its gradients take less time in bfloat16. This takes less than a second.

    Args:
        device: ``cpu`` or the name of a GPU. A CPU without instructions for bfloat16 is not measured.
    """
    if device == "cpu" and not has_bfloat16():
        return False
    step = _step_of_jax() if keras.backend.backend() == "jax" else _step_of_tensorflow()
    precisions: tuple[Precision, Precision] = ("float32", "bfloat16")
    for precision in precisions:  # the first time, they are compiled
        step(precision)
    # In turns, so that other load on the machine slows both; its own time on a CPU is not counted.
    clock = time.process_time if device == "cpu" else time.perf_counter
    rounds = [[_seconds(step, precision, clock) for precision in precisions] for _ in range(_ROUNDS)]
    exact, rounded = (min(seconds) for seconds in zip(*rounds, strict=True))
    return bool(rounded < FASTER * exact)


def _seconds(step: Callable[[Precision], Any], precision: Precision, clock: Callable[[], float]) -> float:
    began = clock()
    step(precision)
    return clock() - began


def _factors() -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    x, kernel = (rng.standard_normal((size, _WIDTH), np.float32) for size in (_BATCH, _WIDTH))
    return x, kernel


def _step_of_tensorflow() -> Callable[[Precision], Any]:
    import tensorflow as tf

    from tuner.training.products import rounded_product

    x, kernel = (tf.constant(factor) for factor in _factors())

    def traced(product: Callable[[Any, Any], Any]) -> Any:
        def gradients(x: Any, kernel: Any) -> Any:
            with tf.GradientTape() as tape:
                tape.watch([x, kernel])
                y = product(x, kernel)
            return [gradient[0, 0] for gradient in tape.gradient(y, [x, kernel], output_gradients=y)]

        return tf.function(gradients, autograph=False)

    steps: dict[Precision, Any] = {"float32": traced(tf.matmul), "bfloat16": traced(rounded_product)}
    return lambda precision: [value.numpy() for value in steps[precision](x, kernel)]  # waits for a GPU


def _step_of_jax() -> Callable[[Precision], Any]:
    import jax

    x, kernel = (jax.device_put(factor) for factor in _factors())

    def loss(x: Any, kernel: Any, dtype: Precision) -> Any:
        return (jax.numpy.matmul(x.astype(dtype), kernel.astype(dtype)).astype("float32") * x).sum()

    gradient = jax.jit(jax.grad(loss, (0, 1)), static_argnums=2)
    return lambda precision: jax.block_until_ready(gradient(x, kernel, precision))
