"""A Keras model that trains a whole epoch in a program which trials of the same structure share, on TensorFlow."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import numpy.typing as npt

from tuner.clock import Clock
from tuner.config.hyperparameters import Hyperparameters
from tuner.config.tables import Precision
from tuner.images.draws import draw
from tuner.records import Metrics
from tuner.tables.features import prepare
from tuner.training.checkpoint import Arrays, State
from tuner.training.parts import Parts
from tuner.training.rows import Rows, converted, order_of
from tuner.training.scaling import Scaling
from tuner.training.schedules import flat_cos
from tuner.training.structure import Settings, Structure
from tuner.training.targets import class_weights

if TYPE_CHECKING:
    from tuner.training.forward import Tensors
    from tuner.training.program import Course, Program


class TensorFlowFused(keras.Model):  # type: ignore[misc]
    """An MLP that a shared program trains. Its layers get the weights at the end of the training.

    Attributes:
        parts: What training needs to know of the model.
        steps: Optimizer steps of the whole trial.
        schedule: Schedule of the learning rate, or ``None``.
        traced: Whether the program had to be traced for this model.
        rate: The learning rate after the last epoch.
    """

    parts: Parts
    steps: int
    traced = False
    rate = math.nan
    _program: Program
    _trains = False

    def fit_rows(
        self,
        hp: Hyperparameters,
        train: Rows,
        validation: Rows | None,
        *,
        epochs: int,
        seed: int,
        callbacks: Sequence[keras.callbacks.Callback] = (),
        clock: Clock | None = None,
        state: State | None = None,
        precision: Precision = "float32",
    ) -> keras.callbacks.History:
        """Train the model, with one program call per epoch and one per validation.

        Args:
            hp: The configuration. A batch size larger than the number of rows is reduced to it.
            train: Inputs, shape ``(rows, ...)``, and targets, shape ``(rows,)``, from
                :func:`~tuner.training.rows.place`. Of a table, prepared rows; a numeric target is in its units.
            validation: The same for the validation rows. If ``None``, there are no validation metrics.
            epochs: Total number of epochs, including those of ``state``.
            seed: Seed of the order of the rows, of the dropout masks and of the augmentation of images.
            callbacks: Keras callbacks. Their methods for single batches are not called.
            clock: Measures the time of each phase.
            state: State to continue from; ``None`` starts with the model's own weights.
            precision: Precision of the products of large layers in training: see :mod:`tuner.training.products`.
                Everything else is float32, validation too.
        """
        clock = clock or Clock()
        structure = Structure.of(hp, self.parts.schema, precision)
        train = converted(_flat(train), structure.dtype)
        validation = converted(_flat(validation), structure.dtype) if validation else None
        train, settings = self._begin(hp, structure, train, seed=seed, state=state, clock=clock)
        program, rows = self._program, train[0].shape[0]
        steps = math.ceil(rows / hp.batch_size)
        rates = self._rates(epochs * steps)
        self.stop_training, self._trains = False, True
        calls = keras.callbacks.CallbackList(callbacks, add_history=True, model=self, epochs=epochs, steps=1)
        calls.on_train_begin()
        for epoch in range(state.epochs if state else 0, epochs):
            calls.on_epoch_begin(epoch)
            with clock("train"):
                course = self._course(hp, epoch * steps, steps, rates)
                self.rate = float(course.rate[0] if rates is None else rates[(epoch + 1) * steps])
                logs = program.train(
                    train,
                    order_of(rows, seed, epoch),
                    course,
                    first=epoch * steps,
                    preprocessing=self._preprocessing,
                    settings=settings,
                    draws=draw(hp, self.parts.schema, rows, seed=seed, epoch=epoch),
                )
            if validation is not None:
                with clock("validate"):
                    logs |= {f"val_{name}": value for name, value in self._measure(validation).items()}
            calls.on_epoch_end(epoch, logs)
            if self.stop_training:
                break
        self._trains = False
        for variable, value in zip(self.parts.variables, program.forward.values(), strict=True):
            variable.assign(value)
        calls.on_train_end()
        return self.history

    def _begin(
        self, hp: Hyperparameters, structure: Structure, train: Rows, *, seed: int, state: State | None, clock: Clock
    ) -> tuple[Rows, Tensors]:
        """Give the program of a structure the weights; return the rows and the settings as it reads them."""
        from tuner.training.program import program_of

        parts = self.parts
        self._program = program = program_of(structure, train[0].device)
        y = train[1].numpy()
        if parts.target is not None:
            train = train[0], program.place(parts.target.standardise(y))
        weights = class_weights(hp, y, len(parts.schema.classes))
        settings = program.place(asdict(Settings.of(hp, seed=seed, class_weights=weights)))
        self._preprocessing = program.place(asdict(parts.preprocessing))
        if state is not None:
            self.set_weights(state.weights)
        self._load(state)
        with clock("trace"):
            self.traced = program.trace()
        with clock("compile"):
            program.optimize(train, self._preprocessing, settings, draw(hp, parts.schema, 0, seed=seed, epoch=0))
        return train, settings

    def outputs_of(self, x: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Return what the model for prediction returns for a few raw or encoded rows, computed as in training.

        Args:
            x: Raw or encoded rows, shape ``(rows, ...)``.

        Returns:
            Probabilities, shape ``(rows, classes)``, or numbers in the units of the target, shape ``(rows, 1)``.
        """
        self._load()
        parts = self.parts
        read = prepare(x, parts.schema.table) if parts.schema.table else x.reshape(len(x), -1)
        outputs = self._program.forward.exact_outputs(read, self._preprocessing)
        return parts.target.restore(outputs) if parts.target else _softmax(outputs)

    def _load(self, state: State | None = None) -> None:
        """Give the program the weights of the layers, and the slots of a state."""
        weights = [variable.numpy() for variable in self.parts.variables]
        self._program.load(weights, state.optimizer if state else None)

    def get_weights(self) -> list[npt.NDArray[np.float32]]:
        """Return the weights in Keras' order; in callbacks, those of the program."""
        if not self._trains:
            weights: list[npt.NDArray[np.float32]] = super().get_weights()
            return weights
        current = {id(v): value for v, value in zip(self.parts.variables, self._program.forward.values(), strict=True)}
        return [current[id(variable)] for variable in self.weights]

    def state(self) -> tuple[Arrays, Arrays]:
        """Return the state that training needs to continue after this epoch: weights and what the optimizer keeps."""
        return self.get_weights(), self._program.state()

    def _measure(self, rows: Rows) -> Metrics:
        """Return the metrics of the current weights; for a table, those of its task."""
        parts, forward = self.parts, self._program.forward
        if isinstance(parts.preprocessing, Scaling):
            return forward.evaluate(rows, self._preprocessing)
        raw = forward.raw_outputs(rows[0], self._preprocessing)
        task, numeric = parts.schema.task, parts.schema.numeric
        if not np.isfinite(raw).all():
            return dict.fromkeys(("loss", *task.metrics), math.nan)
        raw = parts.target.restore(raw) if parts.target else raw
        return task.measure(rows[1].numpy(), raw, variance=numeric.variance if numeric else 1.0)

    def _rates(self, steps: int) -> npt.NDArray[np.float32] | None:
        """Return the learning rates of all steps of the trial, and the one after them; ``None`` without a schedule."""
        return None if self.schedule is None else keras.ops.convert_to_numpy(self.schedule(np.arange(steps + 1)))

    def _course(self, hp: Hyperparameters, first: int, steps: int, rates: npt.NDArray[np.float32] | None) -> Course:
        """Return what changes from step to step in an epoch. ``rates`` are the result of :meth:`_rates`."""
        from tuner.training.program import Course

        if rates is None:  # a callback can change the rate
            rate = np.full(steps, keras.ops.convert_to_numpy(self.optimizer.learning_rate), np.float32)
        else:
            rate = rates[first : first + steps]
        constant = np.ones(steps, np.float32)
        return Course(
            rate,
            dropout=constant if hp.dropout_schedule == "constant" else flat_cos(first, steps, self.steps),
            decay=constant if hp.weight_decay_schedule == "constant" else flat_cos(first, steps, self.steps),
        )


def _softmax(logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    import tensorflow as tf

    with tf.device("CPU:0"):
        probabilities: npt.NDArray[np.float32] = tf.nn.softmax(logits).numpy()
    return probabilities


def _flat(rows: Rows) -> Rows:
    """Return the rows with inputs of shape ``(rows, features)``."""
    import tensorflow as tf

    x, y = rows
    return tf.reshape(x, [x.shape[0], -1]), y
