"""Trains a whole epoch of an MLP in one TensorFlow program, traced once for all trials of the same structure.

Keras calls Python once per step and traces every model again. For a small MLP, both cost more than the arithmetic.
Here, a ``tf.while_loop`` runs over the batches inside the program. The weights are variables without a fixed shape.
Rates and the batch size are arguments. So only another :class:`Structure` needs another program.

The last, smaller batch of an epoch is trained too, as in an ordinary ``fit``. A step computes the same as the layers,
losses and optimizers of Keras; ``tests/training/test_fused.py`` compares them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tuner.images.draws import POOLS, Draws
from tuner.images.resample import augmented
from tuner.tables.features import Bins
from tuner.training.checkpoint import Arrays
from tuner.training.network import Network
from tuner.training.ops import tensorflow_ops
from tuner.training.rows import EVALUATION_BATCH
from tuner.training.scaling import Scaling
from tuner.training.structure import Settings, Structure
from tuner.training.updates import Updates

Tensors = dict[str, Any]  # tensors by name


@lru_cache(maxsize=64)  # a program holds its graph and the weights of its last trial: a few MiB
def program_of(structure: Structure, device: str) -> Program:  # noqa: ARG001 - part of the key
    """Return the program of a structure on a device. It is traced when it runs for the first time.

    Args:
        structure: The structure.
        device: TensorFlow's name of the device that holds the rows. The variables of the program are there too.
    """
    return Program(structure)


@dataclass(frozen=True)
class Course:
    """What changes from step to step of an epoch. Each field has the shape ``(steps,)``.

    Attributes:
        rate: Learning rate.
        dropout: Factor of the dropout rates. It counts only if the structure has a schedule for them.
        decay: Factor of the weight decay. It counts only if the structure has a schedule for it.
    """

    rate: npt.NDArray[np.float32]
    dropout: npt.NDArray[np.float32]
    decay: npt.NDArray[np.float32]


class Program:
    """Trains and evaluates MLPs of one structure, one at a time.

    Attributes:
        weights: Variables in the order of :attr:`tuner.training.parts.Parts.variables`. Between epochs, they hold what
            the model is evaluated and saved with.
    """

    def __init__(self, structure: Structure) -> None:
        self._structure = structure
        self._network = Network(structure)
        self._updates = Updates(structure, self._network.trainable)
        self._trainable = [variable for _, variable in self._network.trainable]
        self.weights = self._network.variables
        self._optimized = False

    def place(self, values: Any) -> Any:
        """Copy arrays and numbers, in dictionaries or not, to the device of the program.

        A call takes half the time if what stays the same in a trial is there already.
        """
        with tf.device(self.weights[0].device):
            return tf.nest.map_structure(tf.constant, values)

    def load(self, weights: Arrays, state: Arrays | None = None) -> None:
        """Begin or continue a trial.

        Args:
            weights: The weights, in the order of :attr:`weights`.
            state: A result of :meth:`state`; ``None`` for a new trial.
        """
        for variable, value in zip(self.weights, weights, strict=True):
            variable.assign(value)
        self._updates.load(state)

    def state(self) -> Arrays:
        """Return what training needs to continue after an epoch, beside the weights."""
        return self._updates.state()

    def values(self) -> Arrays:
        """Return the current weights, in the order of :attr:`weights`.

        Their own ``numpy`` takes three times as long, which counts for small networks.
        """
        read = tf.raw_ops.ReadVariableOp
        return [read(resource=variable.handle, dtype=variable.dtype).numpy() for variable in self.weights]

    def trace(self) -> bool:
        """Trace the programs and return whether this was needed. The first time takes about 0.2 seconds."""
        needed = "_train" not in self.__dict__
        self._train, self._evaluation  # noqa: B018 - traced when they are asked for
        return needed

    def optimize(self, rows: Any, preprocessing: Tensors, settings: Tensors, draws: Draws) -> None:
        """Run the programs on zero rows, so that TensorFlow optimizes them. Once is enough."""
        if self._optimized:
            return
        self._optimized = True
        x, y = rows[0][:0], rows[1][:0]
        order, zeros = np.zeros(0, np.int32), np.zeros(0, np.float32)
        course = Course(zeros, zeros, zeros)
        changing = self._changing(order, draws, course, 0)
        self._train(x, y, preprocessing, *changing, self._updates.factors, settings)
        self._evaluation(x, *(() if self._structure.table else (y,)), preprocessing)

    def train(
        self,
        rows: Any,
        order: Any,
        course: Course,
        *,
        first: int,
        preprocessing: Tensors,
        settings: Tensors,
        draws: Draws,
    ) -> dict[str, float]:
        """Train one epoch.

        Args:
            rows: Raw or prepared inputs ``(rows, features)`` and targets ``(rows,)``, tensors on the device: classes,
                or standardised numbers.
            order: Order of the rows, shape ``(rows,)``.
            course: What changes from step to step.
            first: Number of steps before this epoch.
            preprocessing: The fields of the preprocessing of the inputs, from :meth:`place`.
            settings: The fields of :class:`~tuner.training.structure.Settings`, from :meth:`place`.
            draws: What happens to images in this epoch, from :func:`tuner.images.draws.draw`.

        Returns:
            ``loss`` and, for classes, ``accuracy``: means over the rows, each computed before the update of its step.
        """
        self._updates.begin()
        changing = self._changing(order, draws, course, first)
        sums = self._train(*rows, preprocessing, *changing, self._updates.factors, settings)
        self._updates.end()
        return self._metrics(*(value.numpy() for value in sums))

    def evaluate(self, rows: Any, scaling: Tensors) -> dict[str, float]:
        """Return ``loss`` (without label smoothing) and ``accuracy`` of the current weights. Not for tables."""
        sums = [self._evaluation(x, y, scaling) for x, y in _parts(*rows)]
        loss, right = (sum(value.numpy() for value in column) for column in zip(*sums, strict=True))
        return self._metrics(loss, right, np.int32(len(rows[0])))

    def raw_outputs(self, x: Any, bins: Tensors) -> npt.NDArray[np.float32]:
        """Return what the last layer returns for the prepared rows of a table, shape ``(rows, outputs)``."""
        return np.concatenate([self._evaluation(part, bins).numpy() for (part,) in _parts(x)])

    def exact_outputs(self, x: Any, preprocessing: Tensors) -> npt.NDArray[np.float32]:
        """Return what the last layer returns for a few raw or prepared rows, shape ``(rows, outputs)``.

        It is computed on the CPU, because a GPU rounds matrix products to fewer digits.
        """
        with tf.device("CPU:0"):
            outputs: npt.NDArray[np.float32] = self._network(tf.constant(x), preprocessing).numpy()
        return outputs

    def _changing(self, order: Any, draws: Draws, course: Course, first: int) -> tuple[Any, ...]:
        """Return the arguments that change with the epoch, as tensors."""
        order, draws, course = self.place((order, draws, asdict(course)))
        return order, draws, course, tf.constant(first, tf.int64)

    @cached_property
    def _train(self) -> Any:
        scalar, vector = tf.TensorSpec([]), tf.TensorSpec([None])
        settings = {field.name: scalar for field in fields(Settings)}
        settings["batch_size"], settings["seed"] = tf.TensorSpec([], tf.int32), tf.TensorSpec([], tf.int64)
        settings["class_weights"] = vector
        order, first = tf.TensorSpec([None], tf.int32), tf.TensorSpec([], tf.int64)
        course = {field.name: vector for field in fields(Course)}
        signature = [*self._rows, order, self._draws, course, first, (vector, vector), settings]
        return tf.function(self._train_steps, input_signature=signature, autograph=False).get_concrete_function()

    @cached_property
    def _evaluation(self) -> Any:
        x, y, preprocessing = self._rows
        if self._structure.table:
            evaluation = tf.function(self._raw_outputs_of_part, input_signature=[x, preprocessing], autograph=False)
        else:
            evaluation = tf.function(self._evaluate_part, input_signature=[x, y, preprocessing], autograph=False)
        return evaluation.get_concrete_function()

    @property
    def _rows(self) -> list[Any]:
        target = tf.TensorSpec([None], tf.int32 if self._classifies else tf.float32)
        if self._structure.table is None:
            scaling = {field.name: tf.TensorSpec([None]) for field in fields(Scaling)}
            return [tf.TensorSpec([None, None], self._structure.dtype), target, scaling]
        width = self._structure.table.features + len(self._structure.table.offsets) - 1
        bins = {field.name: tf.TensorSpec([None, None]) for field in fields(Bins)}
        return [tf.TensorSpec([None, width]), target, bins]

    @property
    def _draws(self) -> dict[str, Any]:
        kind = self._structure.augmentation
        if kind is None:
            return {}
        choice = tf.TensorSpec([None], tf.int32)
        draws = {"moves": tf.TensorSpec([None, 2, 3])} if kind.moves else {}
        draws |= {"fields": tf.TensorSpec([None, 2, kind.pixels]), "field": choice} if kind.elastic else {}
        return draws | ({"noises": tf.TensorSpec([None, kind.features]), "noise": choice} if kind.noise else {})

    @property
    def _classifies(self) -> bool:
        return self._structure.loss == "cross_entropy"

    def _train_steps(self, x: Any, y: Any, preprocessing: Any, order: Any, *arguments: Any) -> Any:
        draws, course, first, factors, settings = arguments
        batch, rows = settings["batch_size"], tf.size(order)

        def step(start: Any, i: Any, loss: Any, right: Any) -> tuple[Any, ...]:
            chosen = order[start : start + batch]
            inputs, targets = tf.gather(x, chosen), tf.gather(y, chosen)
            if self._structure.augmentation is not None:
                drawn = {name: v if name in POOLS else v[start : start + batch] for name, v in draws.items()}
                inputs = augmented(tensorflow_ops(), inputs, drawn, self._structure.augmentation)
            done = first + tf.cast(i, tf.int64)
            now = self._settings_of_step(settings, course, i)
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(self._trainable)
                outputs = self._network(inputs, preprocessing, now, done)
            losses, gradient = self._loss(outputs, targets, settings)
            gradients = tape.gradient(outputs, self._trainable, output_gradients=gradient)
            self._updates.apply(gradients, course["rate"][i], tf.cast(done + 1, tf.float32), factors, now)
            right += _right(outputs, targets) if self._classifies else 0
            return start + batch, i + 1, loss + tf.reduce_sum(losses), right

        begin = (tf.constant(0), tf.constant(0), tf.constant(0.0), tf.constant(0))
        _, _, loss, right = tf.while_loop(lambda start, *_: start < rows, step, begin, parallel_iterations=1)
        return loss, right, rows

    def _raw_outputs_of_part(self, x: Any, bins: Any) -> Any:
        return self._network(x, bins)

    def _evaluate_part(self, x: Any, y: Any, scaling: Any) -> Any:
        logits = self._network(x, scaling)
        losses, _ = _cross_entropy(logits, y, tf.constant(0.0))
        return tf.reduce_sum(losses), _right(logits, y)

    def _settings_of_step(self, settings: dict[str, Any], course: dict[str, Any], i: Any) -> dict[str, Any]:
        """Return the settings with the dropout rates and the weight decay of one step."""
        now = dict(settings)
        if self._structure.dropout_schedule:
            factor = course["dropout"][i]
            now |= {name: settings[name] * factor for name in ("dropout", "input_dropout")}
        if self._structure.decay_schedule:
            now["weight_decay"] = settings["weight_decay"] * course["decay"][i]
        return now

    def _loss(self, outputs: Any, targets: Any, settings: dict[str, Any]) -> tuple[Any, Any]:
        """Return the loss of each row, and the gradient of their mean."""
        if not self._classifies:
            return _squared_error(outputs, targets)
        losses, gradient = _cross_entropy(outputs, targets, settings["label_smoothing"])
        if self._structure.class_weight:
            weights = tf.gather(settings["class_weights"], targets)
            return losses * weights, gradient * weights[:, None]
        return losses, gradient

    def _metrics(self, loss: Any, right: Any, rows: Any) -> dict[str, float]:
        metrics = {"loss": float(loss / rows)}
        return metrics | {"accuracy": float(right / rows)} if self._classifies else metrics


def _parts(*arrays: Any) -> Iterator[tuple[Any, ...]]:
    """Return tensors in parts of at most ``EVALUATION_BATCH`` rows."""
    rows = len(arrays[0])
    if rows <= EVALUATION_BATCH:
        yield arrays
        return
    for start in range(0, rows, EVALUATION_BATCH):
        yield tuple(array[start : start + EVALUATION_BATCH] for array in arrays)


def _cross_entropy(logits: Any, labels: Any, smoothing: Any) -> tuple[Any, Any]:
    """Return the loss of each row, shape ``(batch,)``, and the gradient of the mean loss, shape ``(batch, classes)``.

    Each label is mixed with the uniform distribution. Source: Szegedy et al. 2016, Rethinking the Inception
    Architecture for Computer Vision, section 7.
    """
    classes = tf.shape(logits)[1]
    target = tf.one_hot(labels, classes) * (1 - smoothing) + smoothing / tf.cast(classes, tf.float32)
    losses, gradient = tf.raw_ops.SoftmaxCrossEntropyWithLogits(features=logits, labels=target)
    return losses, gradient / tf.cast(tf.size(labels), tf.float32)


def _squared_error(outputs: Any, targets: Any) -> tuple[Any, Any]:
    """Return the loss of each row, shape ``(batch,)``, and the gradient of the mean loss, shape ``(batch, 1)``."""
    error = outputs - targets[:, None]
    return tf.square(error)[:, 0], 2 * error / tf.cast(tf.size(targets), tf.float32)


def _right(logits: Any, labels: Any) -> Any:
    return tf.math.count_nonzero(tf.argmax(logits, axis=1, output_type=tf.int32) == labels, dtype=tf.int32)
