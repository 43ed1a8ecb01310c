"""The forward pass of a :class:`~tuner.training.program.Program`."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tuner.training.layers import Dense, InputScale, TableLayer, Weight
from tuner.training.masks import drop
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

    def __call__(self, x: Any, preprocessing: Any, settings: dict[str, Any] | None = None, step: Any = None) -> Any:
        """Return the logits or the standardised numbers for raw or prepared rows: shape ``(batch, outputs)``.

        ``settings`` and ``step`` are given only in training, for dropout.
        """
        training = settings is not None
        seed = settings["seed"] if settings else None
        raw = training and self._structure.reads_raw
        if self._table is None:
            x = x if raw else self._scaled(x, preprocessing)
        else:
            x = self._table(x, preprocessing, (seed, step, _UNSEEN_KEY) if training else None)
        if settings and self._structure.input_dropout:
            x = drop(x, settings["input_dropout"], (seed, step, 0))
        if self._scale is not None:
            x = self._scale(x)
        for i, layer in enumerate(self._hidden):
            x = layer(x, training=training, factor=preprocessing["factor"] if raw and i == 0 else None)
            if settings and self._structure.dropout:
                x = drop(x, settings["dropout"], (seed, step, i + 1))
        return self._outputs(x, training=training)

    def _scaled(self, x: Any, scaling: dict[str, Any]) -> Any:
        """Return raw inputs ``(batch, features)`` as the first layer reads them."""
        x = tf.cast(x, tf.float32)
        if not self._structure.standardised:
            return x * scaling["factor"]
        return tf.clip_by_value((x - scaling["center"]) * scaling["factor"], -scaling["limit"], scaling["limit"])
