"""Trains a whole epoch of an MLP in one TensorFlow program, traced once for all trials of the same structure.

Keras calls Python once per step and traces every model again. For a small MLP, both cost more than the arithmetic.
Here, a ``tf.while_loop`` runs over the batches inside the program. The weights are variables without a fixed shape.
Rates and the batch size are arguments. So only another :class:`Structure` needs another program.

The last, smaller batch of an epoch is trained too, as in an ordinary ``fit``. A step computes the same as the layers,
losses and optimizers of Keras; ``tests/training/test_fused.py`` compares them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, fields
from functools import cached_property, lru_cache
from typing import Any

import keras
import tensorflow as tf

from tuner.training.checkpoint import Arrays
from tuner.training.kernels import decay, slots_per_weight, update
from tuner.training.masks import drop
from tuner.training.rows import EVALUATION_BATCH
from tuner.training.structure import Settings, Structure

BATCH_NORM_EPSILON, BATCH_NORM_MOMENTUM = 1e-3, 0.99  # as in keras.layers.BatchNormalization


@lru_cache(maxsize=64)  # a program holds its graph and the weights of its last trial: a few MiB
def program_of(structure: Structure) -> Program:
    """Return the program of a structure. It is traced when it runs for the first time."""
    return Program(structure)


class Program:
    """Trains and evaluates MLPs of one structure, one at a time.

    Attributes:
        weights: Variables in the order of ``keras.Model.weights``. Each hidden layer has a kernel ``(in, out)``, then a
            bias ``(out,)`` or scale, offset, mean and variance of the batch normalisation. Kernel and bias of the
            logits come last.
        slots: Slots of the optimizer for each trainable variable; :func:`slots_per_weight` gives their number.
    """

    def __init__(self, structure: Structure) -> None:
        self._structure = structure
        self._hidden = [_Layer(batch_norm=structure.batch_norm) for _ in range(structure.layers)]
        self._logits = _Layer(batch_norm=False)
        layers = [*self._hidden, self._logits]
        self.weights = [variable for layer in layers for variable in layer.weights]
        self._trainable = [variable for layer in layers for variable in layer.trainable]
        self._slot_count = slots_per_weight(structure.optimizer, momentum=structure.momentum)
        self.slots = [_variable(len(v.shape)) for v in self._trainable for _ in range(self._slot_count)]

    def load(self, weights: Arrays, slots: Arrays | None = None) -> None:
        """Set the weights, in the order of :attr:`weights`, and the optimizer slots, by default to zero."""
        for variable, value in zip(self.weights, weights, strict=True):
            variable.assign(value)
        zeros = (tf.zeros_like(variable) for variable in self._trainable for _ in range(self._slot_count))
        for slot, value in zip(self.slots, zeros if slots is None else slots, strict=True):
            slot.assign(value)

    def trace(self) -> bool:
        """Trace both programs and return whether this was needed. The first time takes about 0.2 seconds."""
        needed = "_train" not in self.__dict__
        self._train.get_concrete_function()
        self._evaluate.get_concrete_function()
        return needed

    def optimize(self, rows: Any, settings: Settings) -> None:
        """Run both programs on zero rows, so that TensorFlow optimizes them. The second time has no effect."""
        x, y = rows[0][:0], rows[1][:0]
        self._train(x, y, y, tf.zeros([0]), 0, asdict(settings))
        self._evaluate(x, y, settings.scale)

    def train(self, rows: Any, order: Any, rates: Any, first: int, settings: Settings) -> dict[str, float]:
        """Train one epoch.

        Args:
            rows: Raw inputs ``(rows, features)`` and labels ``(rows,)``, tensors on the device.
            order: Order of the rows, shape ``(rows,)``.
            rates: Learning rate of each step, shape ``(steps,)``.
            first: Number of steps before this epoch.
            settings: The other settings of the trial.

        Returns:
            ``loss`` and ``accuracy``: means over the rows, each computed before the update of its step.
        """
        return _metrics(self._train(*rows, order, rates, first, asdict(settings)))

    def evaluate(self, rows: Any, scale: float) -> dict[str, float]:
        """Return ``loss`` (without label smoothing) and ``accuracy`` of the current weights."""
        return _metrics(self._evaluate(*rows, scale))

    @cached_property
    def _train(self) -> Any:
        scalar, vector = tf.TensorSpec([]), tf.TensorSpec([None])
        settings = {field.name: scalar for field in fields(Settings)}
        settings["batch_size"], settings["seed"] = tf.TensorSpec([], tf.int32), tf.TensorSpec([], tf.int64)
        order, first = tf.TensorSpec([None], tf.int32), tf.TensorSpec([], tf.int64)
        signature = [*self._rows, order, vector, first, settings]
        return tf.function(self._train_steps, input_signature=signature, autograph=False)

    @cached_property
    def _evaluate(self) -> Any:
        return tf.function(self._evaluate_steps, input_signature=[*self._rows, tf.TensorSpec([])], autograph=False)

    @property
    def _rows(self) -> list[Any]:
        return [tf.TensorSpec([None, None], self._structure.dtype), tf.TensorSpec([None], tf.int32)]

    def _train_steps(self, x: Any, y: Any, order: Any, *arguments: Any) -> Any:
        rates, first, settings = arguments
        batch, rows = settings["batch_size"], tf.size(order)

        def step(start: Any, i: Any, loss: Any, right: Any) -> tuple[Any, ...]:
            chosen = order[start : start + batch]
            labels = tf.gather(y, chosen)
            done = first + tf.cast(i, tf.int64)
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(self._trainable)
                logits = self._forward(tf.cast(tf.gather(x, chosen), tf.float32) * settings["scale"], settings, done)
            losses, gradient = _cross_entropy(logits, labels, settings["label_smoothing"])
            gradients = tape.gradient(logits, self._trainable, output_gradients=gradient)
            self._apply(gradients, rates[i], tf.cast(done + 1, tf.float32), settings)
            return start + batch, i + 1, loss + tf.reduce_sum(losses), right + _right(logits, labels)

        begin = (tf.constant(0), tf.constant(0), tf.constant(0.0), tf.constant(0))
        _, _, loss, right = tf.while_loop(lambda start, *_: start < rows, step, begin, parallel_iterations=1)
        return loss, right, rows

    def _evaluate_steps(self, x: Any, y: Any, scale: Any) -> Any:
        rows = tf.size(y)

        def step(start: Any, loss: Any, right: Any) -> tuple[Any, ...]:
            labels = y[start : start + EVALUATION_BATCH]
            logits = self._forward(tf.cast(x[start : start + EVALUATION_BATCH], tf.float32) * scale)
            losses, _ = _cross_entropy(logits, labels, tf.constant(0.0))
            return start + EVALUATION_BATCH, loss + tf.reduce_sum(losses), right + _right(logits, labels)

        begin = (tf.constant(0), tf.constant(0.0), tf.constant(0))
        _, loss, right = tf.while_loop(lambda start, *_: start < rows, step, begin, parallel_iterations=1)
        return loss, right, rows

    def _forward(self, x: Any, settings: dict[str, Any] | None = None, step: Any = None) -> Any:
        """Return the logits ``(batch, classes)``. ``settings`` and ``step`` are given only in training, for dropout."""
        activation = keras.activations.get(self._structure.activation)
        if settings and self._structure.input_dropout:
            x = drop(x, settings["input_dropout"], (settings["seed"], step, 0))
        for i, layer in enumerate(self._hidden):
            x = activation(layer(x, training=settings is not None))
            if settings and self._structure.dropout:
                x = drop(x, settings["dropout"], (settings["seed"], step, i + 1))
        return self._logits(x, training=settings is not None)

    def _apply(self, gradients: Sequence[Any], rate: Any, step: Any, settings: dict[str, Any]) -> None:
        if self._structure.decay:
            decay(self._trainable, rate * settings["weight_decay"])
        count = self._slot_count
        for i, (variable, gradient) in enumerate(zip(self._trainable, gradients, strict=True)):
            slots = self.slots[i * count : (i + 1) * count]
            update(
                self._structure.optimizer,
                variable,
                slots,
                gradient,
                rate=rate,
                step=step,
                momentum=settings["momentum"],
            )


class _Layer:
    """A dense layer without its activation. With ``batch_norm``, batch normalisation replaces the bias."""

    def __init__(self, *, batch_norm: bool) -> None:
        self.kernel = _variable(2)
        self.offset = _variable(1)
        self.scale: Any = _variable(1) if batch_norm else None
        self.mean: Any = _variable(1) if batch_norm else None
        self.variance: Any = _variable(1) if batch_norm else None

    @property
    def trainable(self) -> list[Any]:
        """The trainable variables."""
        return [self.kernel, self.offset] if self.scale is None else [self.kernel, self.scale, self.offset]

    @property
    def weights(self) -> list[Any]:
        """All variables, in Keras' order."""
        return self.trainable if self.scale is None else [*self.trainable, self.mean, self.variance]

    def __call__(self, x: Any, *, training: bool) -> Any:
        """Map ``(batch, in)`` to ``(batch, out)``. Training also updates the running mean and variance."""
        x = tf.matmul(x, self.kernel)
        if self.scale is None:
            return tf.nn.bias_add(x, self.offset)
        if not training:
            return tf.nn.batch_normalization(x, self.mean, self.variance, self.offset, self.scale, BATCH_NORM_EPSILON)
        normal, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=x[:, None, None, :],
            scale=self.scale,
            offset=self.offset,
            mean=tf.zeros([0]),
            variance=tf.zeros([0]),
            epsilon=BATCH_NORM_EPSILON,
            is_training=True,
        )
        rows = tf.cast(tf.shape(x)[0], tf.float32)
        biased = variance * (rows - 1) / rows  # the kernel returns the unbiased variance, Keras uses the biased one
        for running, new in ((self.mean, mean), (self.variance, biased)):
            running.assign(running * BATCH_NORM_MOMENTUM + new * (1 - BATCH_NORM_MOMENTUM))
        return normal[:, 0, 0, :]


def _variable(rank: int) -> Any:
    return tf.Variable(tf.zeros([0] * rank), shape=[None] * rank)


def _cross_entropy(logits: Any, labels: Any, smoothing: Any) -> tuple[Any, Any]:
    """Return the loss of each row, shape ``(batch,)``, and the gradient of the mean loss, shape ``(batch, classes)``.

    Each label is mixed with the uniform distribution. Source: Szegedy et al. 2016, Rethinking the Inception
    Architecture for Computer Vision, section 7.
    """
    classes = tf.shape(logits)[1]
    target = tf.one_hot(labels, classes) * (1 - smoothing) + smoothing / tf.cast(classes, tf.float32)
    losses, gradient = tf.raw_ops.SoftmaxCrossEntropyWithLogits(features=logits, labels=target)
    return losses, gradient / tf.cast(tf.size(labels), tf.float32)


def _right(logits: Any, labels: Any) -> Any:
    return tf.math.count_nonzero(tf.argmax(logits, axis=1, output_type=tf.int32) == labels, dtype=tf.int32)


def _metrics(sums: Any) -> dict[str, float]:
    loss, right, rows = (part.numpy() for part in sums)
    return {"loss": float(loss / rows), "accuracy": float(right / rows)}
