"""Updates of Keras' optimizers, each as one TensorFlow kernel per variable.

Keras writes an update as about fifteen operations on each variable. For small batches, these operations cost more than
the matrix products. TensorFlow has kernels for the same arithmetic in one pass over the weights. The constants are the
defaults of Keras 3.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from tuner.training.constants import constant

_BETA_1, _RHO, _RHO_ADADELTA, _EPSILON = 0.9, 0.9, 0.95, 1e-7


def slots_per_weight(optimizer: str, *, momentum: bool) -> int:
    """Return how many values an optimizer stores for each weight."""
    return int(momentum) if optimizer == "sgd" else 2


def decay(variable: Any, share: Any) -> None:
    """Shrink a variable by the fraction ``share`` before its update.

    Source: Loshchilov & Hutter 2019, Decoupled Weight Decay Regularization, algorithm 2.
    """
    variable.assign_sub(variable * share)


def shared_arguments(optimizer: str, *, step: Any, momentum: Any, beta_2: Any) -> dict[str, Any]:
    """Return the arguments of :func:`update` that are the same for all variables in a step.

    Args:
        optimizer: ``adam``, ``rmsprop``, ``adadelta`` or ``sgd``.
        step: Number of this step from 1, a float. Only adam uses it.
        momentum: Momentum. Only sgd uses it.
        beta_2: Decay of the second moment. Only adam uses it.
    """
    if optimizer == "adam":
        beta_1 = constant(_BETA_1)
        powers = {"beta1_power": tf.pow(beta_1, step), "beta2_power": tf.pow(beta_2, step)}
        return {**powers, "beta1": beta_1, "beta2": beta_2, "epsilon": constant(_EPSILON)}
    if optimizer == "rmsprop":  # the kernel requires a momentum slot; with a momentum of 0 it has no effect
        return {"rho": constant(_RHO), "momentum": constant(0.0), "epsilon": constant(_EPSILON)}
    if optimizer == "adadelta":
        return {"rho": constant(_RHO_ADADELTA), "epsilon": constant(_EPSILON)}
    return {"momentum": momentum}


def update(
    optimizer: str, variable: Any, slots: Sequence[Any], gradient: Any, *, rate: Any, shared: dict[str, Any]
) -> None:
    """Update a variable and its slots in one pass.

    Args:
        optimizer: ``adam``, ``rmsprop``, ``adadelta`` or ``sgd``.
        variable: Weights of one layer.
        slots: Slots of the optimizer, each with the shape of ``variable``. :func:`slots_per_weight` gives their number.
        gradient: Gradient of the loss, with the shape of ``variable``.
        rate: Learning rate of this step.
        shared: The result of :func:`shared_arguments` for this step.

    Sources: Kingma & Ba 2015, Adam, algorithm 1 with the bias correction of the end of its section 2; Tieleman &
    Hinton 2012, lecture 6.5 of Neural Networks for Machine Learning; Zeiler 2012, ADADELTA, algorithm 1; Sutskever et
    al. 2013, On the importance of initialization and momentum in deep learning, section 2.
    """
    var, ops = variable.handle, tf.raw_ops
    if optimizer == "adam":
        m, v = (slot.handle for slot in slots)
        ops.ResourceApplyAdam(var=var, m=m, v=v, lr=rate, grad=gradient, **shared)
    elif optimizer == "rmsprop":
        ms, mom = (slot.handle for slot in slots)
        ops.ResourceApplyRMSProp(var=var, ms=ms, mom=mom, lr=rate, grad=gradient, **shared)
    elif optimizer == "adadelta":
        accum, updates = (slot.handle for slot in slots)
        ops.ResourceApplyAdadelta(var=var, accum=accum, accum_update=updates, lr=rate, grad=gradient, **shared)
    elif slots:
        ops.ResourceApplyKerasMomentum(var=var, accum=slots[0].handle, lr=rate, grad=gradient, **shared)
    else:
        ops.ResourceApplyGradientDescent(var=var, alpha=rate, delta=gradient)
