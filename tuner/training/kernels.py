"""The updates of Keras' optimizers as one TensorFlow kernel per variable.

Keras writes an update as some fifteen operations on each variable; for small batches, starting them and passing over
the weights again and again costs more than the matrix products. TensorFlow has kernels that do the same arithmetic in
one pass. Constants are the defaults of Keras 3.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

_BETA_1, _BETA_2, _RHO, _RHO_ADADELTA, _EPSILON = 0.9, 0.999, 0.9, 0.95, 1e-7


def slots_each(optimizer: str, *, momentum: bool) -> int:
    """Return how many values an optimizer remembers beside each weight."""
    return int(momentum) if optimizer == "sgd" else 2


def decay(variables: Sequence[Any], share: Any) -> None:
    """Shrink all variables by ``share``, before their update.

    Source: Loshchilov & Hutter 2019, Decoupled Weight Decay Regularization, algorithm 2.
    """
    for variable in variables:
        variable.assign_sub(variable * share)


def update(
    optimizer: str, variable: Any, slots: Sequence[Any], gradient: Any, *, rate: Any, step: Any, momentum: Any
) -> None:
    """Update a variable and its slots in one pass.

    Args:
        optimizer: ``adam``, ``rmsprop``, ``adadelta`` or ``sgd``.
        variable: What is learned.
        slots: The optimizer's memory, each of the variable's shape: as many as :func:`slots_each` says.
        gradient: Of the loss, the variable's shape.
        rate: The learning rate of this step.
        step: Counts from 1, a float; only adam needs it.
        momentum: Only sgd needs it.

    Sources: Kingma & Ba 2015, Adam, algorithm 1 with the bias correction of the end of its section 2; Tieleman &
    Hinton 2012, lecture 6.5 of Neural Networks for Machine Learning; Zeiler 2012, ADADELTA, algorithm 1; Sutskever et
    al. 2013, On the importance of initialization and momentum in deep learning, section 2.
    """
    handles = [slot.handle for slot in slots]
    var = variable.handle
    if optimizer == "adam":
        tf.raw_ops.ResourceApplyAdam(
            var=var, m=handles[0], v=handles[1], beta1_power=tf.pow(_BETA_1, step), beta2_power=tf.pow(_BETA_2, step),
            lr=rate, beta1=_BETA_1, beta2=_BETA_2, epsilon=_EPSILON, grad=gradient,
        )  # fmt: skip
    elif optimizer == "rmsprop":  # the kernel wants a slot for a momentum; ours is 0, so it holds the last update
        tf.raw_ops.ResourceApplyRMSProp(
            var=var, ms=handles[0], mom=handles[1], lr=rate, rho=_RHO, momentum=0.0, epsilon=_EPSILON, grad=gradient
        )
    elif optimizer == "adadelta":
        tf.raw_ops.ResourceApplyAdadelta(
            var=var, accum=handles[0], accum_update=handles[1], lr=rate, rho=_RHO_ADADELTA, epsilon=_EPSILON,
            grad=gradient,
        )  # fmt: skip
    elif slots:
        tf.raw_ops.ResourceApplyKerasMomentum(var=var, accum=handles[0], lr=rate, grad=gradient, momentum=momentum)
    else:
        tf.raw_ops.ResourceApplyGradientDescent(var=var, alpha=rate, delta=gradient)
