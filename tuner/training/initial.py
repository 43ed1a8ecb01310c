"""Initial weights that depend on the training rows.

Source: Holzmüller et al. 2024, Better by Default: Strong Pre-Tuned MLPs and Boosted Trees on Tabular Data, appendix A.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

ROWS = 4096  # from which the weights are scaled
_SIMPLEX = 5  # rows whose pre-activations are mixed for a bias
_CONSTANT = 1e-6  # a pre-activation of such a deviation is not scaled


def initialise(model: keras.Model, x: Any, *, seed: int) -> None:
    """Set the kernels and biases of the dense layers, one after the other, from what they read.

    A kernel is drawn from a normal distribution; then each unit is scaled so that its pre-activation has variance 1.
    Its bias is minus a random mean of the pre-activations of five rows ("he+5").

    Args:
        model: A model for training from :func:`tuner.training.model.build`.
        x: The training rows that it reads, on the device, shape ``(rows, ...)``.
        seed: Seed of the random numbers.
    """
    rng = np.random.default_rng((seed, 5))
    chosen = np.linspace(0, len(x) - 1, min(ROWS, len(x))).astype(np.int32)
    known, values = model.parts.input, keras.ops.take(x, keras.ops.convert_to_tensor(chosen), axis=0)
    for dense, tensor in model.parts.dense:
        if tensor is not known:  # Keras cannot make a model of nothing
            known, values = tensor, keras.Model(known, tensor)(values, training=False)
        read = keras.ops.convert_to_numpy(values)
        kernel = rng.standard_normal(dense.kernel.shape).astype(np.float32)
        reached = read @ kernel
        deviation = np.std(reached, axis=0)
        factor = 1 / np.where(deviation > _CONSTANT, deviation, np.sqrt(kernel.shape[0]))
        dense.kernel.assign(kernel * factor)
        if dense.use_bias:
            units = kernel.shape[1]
            shares = rng.exponential(size=(_SIMPLEX, units))
            mixed = reached[rng.integers(0, len(read), (_SIMPLEX, units)), np.arange(units)]
            dense.bias.assign(-factor * np.sum(mixed * (shares / shares.sum(axis=0)), axis=0))
