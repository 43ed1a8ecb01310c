"""What a step of a :class:`~tuner.training.program.Program` does to the weights, once it has their gradients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tuner.training.checkpoint import Arrays
from tuner.training.kernels import decay, shared_arguments, slots_per_weight, update
from tuner.training.layers import Weight, unshaped
from tuner.training.rates import decay_factors, decays, has_factors, rate_factors
from tuner.training.structure import Structure
from tuner.training.widths import fitted

_EPSILON = 1e-7  # as in keras.constraints.MaxNorm


class Updates:
    """Updates the weights of one trial at a time. With ``use_ema``, it also averages them over the steps.

    Attributes:
        factors: Factors of the learning rate and of the weight decay of each variable, tensors; empty if all are 1.
    """

    def __init__(self, structure: Structure, weights: Sequence[Weight]) -> None:
        self._structure = structure
        self._roles = [role for role, _ in weights]
        self._variables = [variable for _, variable in weights]
        self._has_factors = has_factors(self._roles, ntk=structure.ntk)
        kernels = [i for i, role in enumerate(self._roles) if role == "kernel"]
        self._kernels, self._hidden = frozenset(kernels), frozenset(kernels[:-1])
        self._slot_count = slots_per_weight(structure.optimizer, momentum=structure.momentum)
        self._slots = [unshaped(len(v.shape)) for v in self._variables for _ in range(self._slot_count)]
        self._averages = [unshaped(len(v.shape)) for v in self._variables] if structure.ema else []
        self._last: list[Any] = []  # the weights after the last step, while the variables hold the averages
        self._shapes: Sequence[Sequence[int]] = []  # of the variables, without padding
        self.factors: tuple[Any, Any] = (tf.zeros(0), tf.zeros(0))

    def load(self, state: Arrays | None, shapes: Sequence[Sequence[int]]) -> None:
        """Prepare for the current weights.

        Args:
            state: A result of :meth:`state`; ``None`` for a new trial, and then all slots are 0.
            shapes: Shapes of the weights in the model.
        """
        count = len(self._slots)
        of_slots = [variable for variable in self._variables for _ in range(self._slot_count)]
        kept: Sequence[Any] = [None] * count if state is None else state[:count]
        for slot, variable, values in zip(self._slots, of_slots, kept, strict=True):
            slot.assign(tf.zeros_like(variable) if values is None else fitted(values, variable.read_value().shape))
        for average, variable in zip(self._averages, self._variables, strict=bool(self._averages)):
            average.assign(variable)
        last = [] if state is None else state[count:]
        self._last = [
            fitted(values, variable.read_value().shape)
            for values, variable in zip(last, self._variables, strict=bool(last))
        ]
        self._shapes = shapes
        if self._has_factors:
            ntk = self._structure.ntk
            factors = rate_factors(self._roles, shapes, ntk=ntk), decay_factors(self._roles, ntk=ntk)
            self.factors = tf.constant(factors[0]), tf.constant(factors[1])

    def state(self) -> Arrays:
        """Return what the next epoch needs beside the weights: the slots, and the weights that were averaged."""
        of_slots = [shape for shape in self._shapes for _ in range(self._slot_count)]
        shapes = [*of_slots, *(self._shapes if self._last else ())]
        values = [np.asarray(value) for value in (*self._slots, *self._last)]
        return [fitted(value, shape) for value, shape in zip(values, shapes, strict=True)]

    def begin(self) -> None:
        """Begin an epoch: return from the averages to the weights of the last step."""
        for variable, value in zip(self._variables, self._last, strict=bool(self._last)):
            variable.assign(value)

    def end(self) -> None:
        """End an epoch: the weights become their averages. The next epoch goes on from those of the last step."""
        if self._averages:
            self._last = [tf.identity(variable) for variable in self._variables]
            for variable, average in zip(self._variables, self._averages, strict=True):
                variable.assign(average)

    def apply(
        self, gradients: Sequence[Any], rate: Any, step: Any, factors: tuple[Any, Any], settings: dict[str, Any]
    ) -> None:
        """Do one step.

        Args:
            gradients: Gradient of the loss for each variable.
            rate: Learning rate of the step.
            step: Number of the step from 1, a float.
            factors: The attribute of this name, as tensors.
            settings: The fields of :class:`~tuner.training.structure.Settings` in this step.
        """
        count = len(self._variables)
        rates = tf.unstack(rate * factors[0], count) if self._has_factors else [rate] * count
        if self._structure.decay:
            self._decay(rate * settings["weight_decay"], factors[1])
        optimizer = self._structure.optimizer
        momentum, beta_2 = settings["momentum"], settings["beta_2"]
        shared = shared_arguments(optimizer, step=step, momentum=momentum, beta_2=beta_2)
        for i, (variable, gradient) in enumerate(zip(self._variables, self._limited(gradients, settings), strict=True)):
            slots = self._slots[i * self._slot_count : (i + 1) * self._slot_count]
            update(optimizer, variable, slots, gradient, rate=rates[i], shared=shared)
            if self._structure.max_norm and i in self._hidden:
                _constrain(variable, settings["max_norm"])
        for average, variable in zip(self._averages, self._variables, strict=bool(self._averages)):
            kept = tf.where(step > 1, settings["ema_momentum"], 0.0)  # the average begins after the first step
            average.assign(average * kept + variable * (1 - kept))

    def _decay(self, share: Any, factors: Any) -> None:
        count = len(self._variables)
        shares = tf.unstack(share * factors, count) if self._has_factors else [share] * count
        for variable, role, part in zip(self._variables, self._roles, shares, strict=True):
            if decays(role, ntk=self._structure.ntk):
                decay(variable, part)

    def _limited(self, gradients: Sequence[Any], settings: dict[str, Any]) -> list[Any]:
        """Return the gradients with those of the penalties, at most ``clip_norm`` long all together."""
        structure = self._structure
        limited = [tf.convert_to_tensor(gradient) for gradient in gradients]  # that of an embedding is sparse
        for i in self._kernels:
            if structure.l1:
                limited[i] += settings["l1"] * tf.sign(self._variables[i])
            if structure.l2:
                limited[i] += 2 * settings["l2"] * self._variables[i]
        if structure.clip_norm:
            limited, _ = tf.clip_by_global_norm(limited, settings["clip_norm"])
        return limited


def _constrain(kernel: Any, most: Any) -> None:
    """Scale the weights of each unit whose norm is above ``most``.

    Source: Srivastava et al. 2014, Dropout, section 5.1: max-norm regularization.
    """
    norms = tf.sqrt(tf.reduce_sum(tf.square(kernel), axis=0, keepdims=True))
    kernel.assign(kernel * (tf.minimum(norms, most) / (_EPSILON + norms)))
