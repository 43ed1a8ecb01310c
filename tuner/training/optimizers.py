"""Keras' optimizers with their update as one TensorFlow kernel per variable.

Keras writes an update as some fifteen operations on each variable; for small batches, starting them and passing over
the weights again and again costs more than the matrix products. TensorFlow has kernels that do the same arithmetic in
one pass. Settings and slots stay those of Keras; on other backends Keras' own update is used.
"""

from __future__ import annotations

from typing import Any

import keras

from tuner.hyperparameters import Hyperparameters

_TENSORFLOW = keras.backend.backend() == "tensorflow"


def make_optimizer(hp: Hyperparameters, steps: int) -> keras.optimizers.Optimizer:
    """Make the optimizer of a configuration.

    Args:
        hp: The configuration.
        steps: Optimizer steps of the whole trial, over which ``cosine`` falls to 0.
    """
    rate: Any = hp.learning_rate
    if hp.schedule == "cosine":
        rate = keras.optimizers.schedules.CosineDecay(hp.learning_rate, decay_steps=steps)
    settings: dict[str, Any] = {"learning_rate": rate}
    if hp.weight_decay or hp.optimizer == "adamw":
        settings["weight_decay"] = hp.weight_decay
    if hp.optimizer == "sgd":
        settings["momentum"] = hp.momentum
    return OPTIMIZERS[hp.optimizer](**settings)


class _AdamKernel:
    """Source: Kingma & Ba 2015, Adam, algorithm 1 with the bias correction of the end of its section 2."""

    def update_step(self: Any, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Update ``variable`` and its two moments in one pass."""
        import tensorflow as tf

        slot = self._get_variable_index(variable)
        step = tf.cast(self.iterations.value + 1, variable.dtype)
        tf.raw_ops.ResourceApplyAdam(
            var=_handle(variable),
            m=_handle(self._momentums[slot]),
            v=_handle(self._velocities[slot]),
            beta1_power=tf.pow(tf.cast(self.beta_1, variable.dtype), step),
            beta2_power=tf.pow(tf.cast(self.beta_2, variable.dtype), step),
            lr=tf.cast(learning_rate, variable.dtype),
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            grad=gradient,
        )


class _MomentumKernel:
    """Source: Sutskever et al. 2013, On the importance of initialization and momentum in deep learning, section 2."""

    def update_step(self: Any, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Update ``variable`` and its momentum, if it has one, in one pass."""
        import tensorflow as tf

        rate = tf.cast(learning_rate, variable.dtype)
        if self.momentum == 0:
            tf.raw_ops.ResourceApplyGradientDescent(var=_handle(variable), alpha=rate, delta=gradient)
            return
        tf.raw_ops.ResourceApplyKerasMomentum(
            var=_handle(variable),
            accum=_handle(self.momentums[self._get_variable_index(variable)]),
            lr=rate,
            grad=gradient,
            momentum=self.momentum,
        )


class _RMSPropKernel:
    """Source: Tieleman & Hinton 2012, lecture 6.5 of Neural Networks for Machine Learning."""

    def build(self: Any, variables: Any) -> None:
        """Add the slot that the kernel keeps for a momentum; ours is 0, so it holds the last update."""
        if not self.built:
            super().build(variables)  # type: ignore[misc]
            self._updates = self.add_optimizer_variables(variables, "update")

    def update_step(self: Any, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Update ``variable`` and its mean square in one pass."""
        import tensorflow as tf

        slot = self._get_variable_index(variable)
        tf.raw_ops.ResourceApplyRMSProp(
            var=_handle(variable),
            ms=_handle(self._velocities[slot]),
            mom=_handle(self._updates[slot]),
            lr=tf.cast(learning_rate, variable.dtype),
            rho=self.rho,
            momentum=0.0,
            epsilon=self.epsilon,
            grad=gradient,
        )


def _handle(variable: Any) -> Any:
    """Return the resource of a TensorFlow variable, or of the one inside a variable of Keras."""
    return variable.handle if hasattr(variable, "handle") else variable.value.handle


def _with(kernel: type, optimizer: type) -> type:
    """Return Keras' optimizer with the kernel's update where TensorFlow runs it, under Keras' own name."""
    return type(optimizer.__name__, (kernel, optimizer), {}) if _TENSORFLOW else optimizer


OPTIMIZERS: dict[str, type] = {
    "adam": _with(_AdamKernel, keras.optimizers.Adam),
    "adamw": _with(_AdamKernel, keras.optimizers.AdamW),
    "rmsprop": _with(_RMSPropKernel, keras.optimizers.RMSprop),
    "sgd": _with(_MomentumKernel, keras.optimizers.SGD),
}
