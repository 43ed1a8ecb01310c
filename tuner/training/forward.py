"""Evaluates an MLP. Programs that differ only in what training steps do share its weights and its traced function."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tuner.tables.features import Bins
from tuner.training.checkpoint import Arrays
from tuner.training.losses import as_metrics, count_right, cross_entropy
from tuner.training.network import Network
from tuner.training.rows import EVALUATION_BATCH
from tuner.training.scaling import Scaling
from tuner.training.structure import Structure
from tuner.training.widths import fast_width, fitted, keeps_zero

Tensors = dict[str, Any]  # tensors by name


@lru_cache(maxsize=64)  # each holds the weights of its last trial: a few MiB
def forward_of(structure: Structure, device: str) -> Forward:
    """Return what evaluates a structure on a device.

    Args:
        structure: The structure, from :attr:`~tuner.training.structure.Structure.forward`.
        device: TensorFlow's name of the device that holds the rows. The weights are there too.
    """
    return Forward(structure, widens="CPU" in device)


class Forward:
    """Evaluates MLPs of one structure, one at a time.

    Attributes:
        network: The forward pass.
        weights: Variables in the order of :attr:`tuner.training.parts.Parts.variables`. Between epochs, they hold what
            the model is evaluated and saved with. Hidden layers can be padded, see :meth:`load`.
        shapes: Shapes of the weights in the model, without padding.
        classifies: Whether the targets are classes.
        rows: What a program takes: raw or prepared inputs ``(rows, features)``, targets ``(rows,)``, and the fields of
            the preprocessing.
    """

    def __init__(self, structure: Structure, *, widens: bool) -> None:
        self._structure = structure
        self._widens = widens and not any(structure.bfloat16) and keeps_zero(structure.activation)
        self.network = Network(structure)
        self.weights = self.network.variables
        self.shapes: list[Sequence[int]] = []
        self.classifies = structure.loss == "cross_entropy"
        self.rows = self._rows()
        self._optimized = False

    def load(self, weights: Arrays) -> None:
        """Set the weights, in the order of :attr:`weights`.

        Hidden layers are padded to a width that is fast, if the activation allows it, on a CPU in float32.
        """
        self.shapes = [values.shape for values in weights]
        for variable, values, axes in zip(self.weights, weights, self.network.hidden_axes, strict=True):
            shape = list(values.shape)
            for axis in axes if self._widens else ():
                shape[axis] = fast_width(shape[axis])
            variable.assign(fitted(values, shape))

    def values(self) -> Arrays:
        """Return the current weights of the model, in the order of :attr:`weights`.

        Their own ``numpy`` takes three times as long, which counts for small networks.
        """
        read = tf.raw_ops.ReadVariableOp
        values = [read(resource=variable.handle, dtype=variable.dtype).numpy() for variable in self.weights]
        return [fitted(value, shape) for value, shape in zip(values, self.shapes, strict=True)]

    def evaluate(self, rows: Any, scaling: Tensors) -> dict[str, float]:
        """Return ``loss`` (without label smoothing) and ``accuracy`` of the current weights. Not for tables."""
        sums = [self.traced(x, y, scaling) for x, y in _parts(*rows)]
        loss, right = (sum(value.numpy() for value in column) for column in zip(*sums, strict=True))
        return as_metrics(loss, right, np.int32(len(rows[0])), classifies=self.classifies)

    def raw_outputs(self, x: Any, bins: Tensors) -> npt.NDArray[np.float32]:
        """Return what the last layer returns for the prepared rows of a table, shape ``(rows, outputs)``."""
        return np.concatenate([self.traced(part, bins).numpy() for (part,) in _parts(x)])

    def exact_outputs(self, x: Any, preprocessing: Tensors) -> npt.NDArray[np.float32]:
        """Return what the last layer returns for a few raw or prepared rows, shape ``(rows, outputs)``.

        It is computed on the CPU, because a GPU rounds matrix products to fewer digits.
        """
        with tf.device("CPU:0"):
            outputs: npt.NDArray[np.float32] = self.network(tf.constant(x), preprocessing).numpy()
        return outputs

    def optimize(self, x: Any, y: Any, preprocessing: Tensors) -> None:
        """Evaluate zero rows, so that TensorFlow optimizes the function. Once is enough."""
        if not self._optimized:
            self._optimized = True
            self.traced(x, *(() if self._structure.table else (y,)), preprocessing)

    @cached_property
    def traced(self) -> Any:
        """The traced function. To trace it takes about 25 ms."""
        x, y, preprocessing = self.rows
        if self._structure.table:
            evaluation = tf.function(self._raw_outputs_of_part, input_signature=[x, preprocessing], autograph=False)
        else:
            evaluation = tf.function(self._evaluate_part, input_signature=[x, y, preprocessing], autograph=False)
        return evaluation.get_concrete_function()

    def _rows(self) -> list[Any]:
        target = tf.TensorSpec([None], tf.int32 if self.classifies else tf.float32)
        if self._structure.table is None:
            scaling = {field.name: tf.TensorSpec([None]) for field in fields(Scaling)}
            return [tf.TensorSpec([None, None], self._structure.dtype), target, scaling]
        width = self._structure.table.features + len(self._structure.table.offsets) - 1
        bins = {field.name: tf.TensorSpec([None, None]) for field in fields(Bins)}
        return [tf.TensorSpec([None, width]), target, bins]

    def _raw_outputs_of_part(self, x: Any, bins: Any) -> Any:
        return self.network(x, bins)

    def _evaluate_part(self, x: Any, y: Any, scaling: Any) -> Any:
        logits = self.network(x, scaling)
        losses, _ = cross_entropy(logits, y, tf.constant(0.0))
        return tf.reduce_sum(losses), count_right(logits, y)


def _parts(*arrays: Any) -> Iterator[tuple[Any, ...]]:
    """Return tensors in parts of at most ``EVALUATION_BATCH`` rows."""
    rows = len(arrays[0])
    if rows <= EVALUATION_BATCH:
        yield arrays
        return
    for start in range(0, rows, EVALUATION_BATCH):
        yield tuple(array[start : start + EVALUATION_BATCH] for array in arrays)
