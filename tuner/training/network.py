"""The forward pass of a :class:`~tuner.training.program.Program`."""

from __future__ import annotations

from copy import copy
from typing import Any, Self

import tensorflow as tf

from tuner.training.layers import Dense, InputScale, TableLayer, Weight
from tuner.training.masks import Dropout, Keys
from tuner.training.structure import Structure

_UNSEEN_KEY = 63  # of the mask of unseen codes; 0 to 32 are those of dropout


class Network:
    """An MLP whose widths are those of its current weights.

    Attributes:
        variables: All variables, in the order of :attr:`tuner.training.parts.Parts.variables`.
        trainable: The trainable ones with their roles, in the same order.
    """

    def __init__(self, structure: Structure) -> None:
        self._structure = structure
        self._table = TableLayer(structure.table) if structure.table else None
        self._scale = InputScale() if structure.input_scale else None
        self._hidden = [
            Dense(
                structure.activation,
                batch_norm=structure.batch_norm,
                parametric=structure.parametric,
                bfloat16=structure.bfloat16[i],
            )
            for i in range(structure.layers)
        ]
        self._outputs = Dense()
        layers = [layer for layer in (self._table, self._scale, *self._hidden, self._outputs) if layer is not None]
        self.variables = [variable for layer in layers for variable in layer.weights]
        self.trainable: list[Weight] = [weight for layer in layers for weight in layer.trainable]

    @property
    def hidden_axes(self) -> list[list[int]]:
        """The axes of each variable whose length is the width of a hidden layer."""
        axes = {id(v): [len(v.shape) - 1] for layer in self._hidden for v in layer.weights}
        for layer in [*self._hidden[1:], self._outputs] if self._hidden else []:
            axes.setdefault(id(layer.kernel), []).append(0)
        return [axes.get(id(variable), []) for variable in self.variables]

    def trained_as(self, structure: Structure) -> Self:
        """Return a network with the same variables whose training steps do what another structure says."""
        network = copy(self)
        network._structure = structure  # noqa: SLF001 - of its own class
        return network

    def __call__(self, x: Any, preprocessing: Any, settings: dict[str, Any] | None = None, step: Any = None) -> Any:
        """Return the logits or the standardised numbers for raw or prepared rows: shape ``(batch, outputs)``.

        ``settings`` and ``step`` are given only in training, for dropout.
        """
        training = settings is not None
        keys = Keys(settings["seed"], step) if settings and self._structure.draws_masks else None
        raw = training and self._structure.reads_raw
        if self._table is None:
            x = x if raw else self._scaled(x, preprocessing)
        else:
            x = self._table(x, preprocessing, keys.of(_UNSEEN_KEY) if keys else None)
        if settings and keys and self._structure.input_dropout:
            x = Dropout(settings["input_dropout"])(x, keys.of(0))
        if self._scale is not None:
            x = self._scale(x)
        drop = Dropout(settings["dropout"]) if settings and self._structure.dropout else None
        for i, layer in enumerate(self._hidden):
            x = layer(x, training=training, factor=preprocessing["factor"] if raw and i == 0 else None)
            if keys and drop:
                x = drop(x, keys.of(i + 1))
        return self._outputs(x, training=training)

    def _scaled(self, x: Any, scaling: dict[str, Any]) -> Any:
        """Return raw inputs ``(batch, features)`` as the first layer reads them."""
        x = tf.cast(x, tf.float32)
        if not self._structure.standardised:
            return x * scaling["factor"]
        return tf.clip_by_value((x - scaling["center"]) * scaling["factor"], -scaling["limit"], scaling["limit"])
