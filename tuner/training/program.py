"""Trains a whole epoch of an MLP in one TensorFlow program, traced once for all trials of the same structure.

Keras calls Python once per step and traces every model again. For a small MLP, both cost more than the arithmetic.
Here, a ``tf.while_loop`` runs over the batches inside the program. The weights are variables without a fixed shape.
Rates and the batch size are arguments. So only another :class:`Structure` needs another program.

The last, smaller batch of an epoch is trained too, as in an ordinary ``fit``. A step computes the same as the layers,
losses and optimizers of Keras; ``tests/training/test_fused.py`` compares them.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tuner.images.draws import POOLS, Draws
from tuner.images.resample import augmented
from tuner.training.checkpoint import Arrays
from tuner.training.constants import constant
from tuner.training.forward import Forward, Tensors, forward_of
from tuner.training.losses import as_metrics, count_right, cross_entropy, squared_error
from tuner.training.ops import tensorflow_ops
from tuner.training.structure import Settings, Structure
from tuner.training.updates import Updates


@lru_cache(maxsize=64)  # a program holds its graph: a few MiB
def program_of(structure: Structure, device: str) -> Program:
    """Return the program of a structure on a device. It is traced when it runs for the first time.

    Args:
        structure: The structure.
        device: TensorFlow's name of the device that holds the rows. The variables of the program are there too.
    """
    return Program(structure, forward_of(structure.forward, device))


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
        forward: Holds the weights and evaluates them.
    """

    def __init__(self, structure: Structure, forward: Forward) -> None:
        self.forward = forward
        self._structure = structure
        self._network = forward.network.trained_as(structure)
        self._updates = Updates(structure, self._network.trainable)
        self._trainable = [variable for _, variable in self._network.trainable]
        self._optimized = False

    def place(self, values: Any) -> Any:
        """Copy arrays and numbers, in dictionaries or not, to the device of the program.

        A call takes half the time if what stays the same in a trial is there already.
        """
        with tf.device(self.forward.weights[0].device):
            return tf.nest.map_structure(tf.constant, values)

    def load(self, weights: Arrays, state: Arrays | None = None) -> None:
        """Begin or continue a trial.

        Args:
            weights: The weights, in the order of :attr:`~tuner.training.forward.Forward.weights`.
            state: A result of :meth:`state`; ``None`` for a new trial.
        """
        self.forward.load(weights)
        shapes = {
            id(variable): shape for variable, shape in zip(self.forward.weights, self.forward.shapes, strict=True)
        }
        self._updates.load(state, [shapes[id(variable)] for variable in self._trainable])

    def state(self) -> Arrays:
        """Return what training needs to continue after an epoch, beside the weights."""
        return self._updates.state()

    def trace(self) -> bool:
        """Trace the programs and return whether this was needed. The first time takes about 0.2 seconds."""
        needed = "_train" not in self.__dict__
        self._train, self.forward.traced  # noqa: B018 - traced when they are asked for
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
        self.forward.optimize(x, y, preprocessing)

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
        loss, right, rows = (value.numpy() for value in sums)
        return as_metrics(loss, right, rows, classifies=self.forward.classifies)

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
        signature = [*self.forward.rows, order, self._draws, course, first, (vector, vector), settings]
        return tf.function(self._train_steps, input_signature=signature, autograph=False).get_concrete_function()

    @property
    def _draws(self) -> dict[str, Any]:
        kind = self._structure.augmentation
        if kind is None:
            return {}
        choice = tf.TensorSpec([None], tf.int32)
        draws = {"moves": tf.TensorSpec([None, 2, 3])} if kind.moves else {}
        draws |= {"fields": tf.TensorSpec([None, 2, kind.pixels]), "field": choice} if kind.elastic else {}
        return draws | ({"noises": tf.TensorSpec([None, kind.features]), "noise": choice} if kind.noise else {})

    def _train_steps(self, x: Any, y: Any, preprocessing: Any, order: Any, *arguments: Any) -> Any:
        draws, course, first, factors, settings = arguments
        size, rows = settings["batch_size"], tf.size(order)
        batch, steps = tf.reshape(size, [1]), (rows + size - 1) // size

        def step(i: Any, start: Any, loss: Any, right: Any) -> tuple[Any, ...]:
            end, one = start + batch, constant(1, tf.int32)
            strides = tf.stack([one])

            def of_batch(rows: Any) -> Any:
                return tf.strided_slice(rows, start, end, strides)

            chosen = of_batch(order)
            inputs, targets = tf.gather(x, chosen), tf.gather(y, chosen)
            if self._structure.augmentation is not None:
                drawn = {name: values if name in POOLS else of_batch(values) for name, values in draws.items()}
                inputs = augmented(tensorflow_ops(), inputs, drawn, self._structure.augmentation)
            done = first + tf.cast(i, tf.int64)
            now = self._settings_of_step(settings, course, i)
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(self._trainable)
                outputs = self._network(inputs, preprocessing, now, done)
            losses, gradient = self._loss(outputs, targets, settings)
            gradients = tape.gradient(outputs, self._trainable, output_gradients=gradient)
            number = tf.cast(done + constant(1, tf.int64), tf.float32)
            self._updates.apply(gradients, tf.gather(course["rate"], i), number, factors, now)
            right = right + count_right(outputs, targets) if self.forward.classifies else right
            return i + one, end, loss + tf.reduce_sum(losses), right

        begin = (tf.constant(0), tf.constant([0]), tf.constant(0.0), tf.constant(0))
        _, _, loss, right = tf.while_loop(lambda i, *_: i < steps, step, begin, parallel_iterations=1)
        return loss, right, rows

    def _settings_of_step(self, settings: dict[str, Any], course: dict[str, Any], i: Any) -> dict[str, Any]:
        """Return the settings with the dropout rates and the weight decay of one step."""
        now = dict(settings)
        if self._structure.dropout_schedule:
            factor = tf.gather(course["dropout"], i)
            now |= {name: settings[name] * factor for name in ("dropout", "input_dropout")}
        if self._structure.decay_schedule:
            now["weight_decay"] = settings["weight_decay"] * tf.gather(course["decay"], i)
        return now

    def _loss(self, outputs: Any, targets: Any, settings: dict[str, Any]) -> tuple[Any, Any]:
        """Return the loss of each row, and the gradient of their mean."""
        if not self.forward.classifies:
            return squared_error(outputs, targets)
        losses, gradient = cross_entropy(outputs, targets, settings["label_smoothing"])
        if self._structure.class_weight:
            weights = tf.gather(settings["class_weights"], targets)
            return losses * weights, gradient * weights[:, None]
        return losses, gradient
