"""Keras models that train a whole epoch in one compiled program and call Keras' callbacks between epochs.

On TensorFlow, the epoch is a :class:`~tuner.training.program.Program`, which trials of the same structure share.
On JAX, it is a scan over Keras' own ``train_step``. On both, callbacks can use the model's ``get_weights``, its
optimizer with the learning rate, and ``stop_training``.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import numpy.typing as npt

from tuner.clock import Clock
from tuner.config.hyperparameters import Hyperparameters
from tuner.config.tables import Precision
from tuner.data.schema import DataSchema
from tuner.errors import RunError
from tuner.images.augmentation import Augmentation
from tuner.images.draws import POOLS, draw
from tuner.images.resample import augmented
from tuner.records import Metrics
from tuner.tables.features import prepare
from tuner.training.checkpoint import Arrays, State
from tuner.training.ops import jax_ops
from tuner.training.parts import Parts
from tuner.training.rows import EVALUATION_BATCH, Rows, converted, order_of
from tuner.training.scaling import Scaling
from tuner.training.schedules import flat_cos
from tuner.training.structure import Settings, Structure, in_bfloat16
from tuner.training.targets import class_weights

if TYPE_CHECKING:
    from tuner.training.program import Course, Program


class TensorFlowFused(keras.Model):  # type: ignore[misc]
    """An MLP that a shared program trains. Its layers get the weights at the end of the training.

    Attributes:
        parts: What training needs to know of the model.
        steps: Optimizer steps of the whole trial.
        schedule: Schedule of the learning rate, or ``None``.
        traced: Whether the program had to be traced for this model.
    """

    parts: Parts
    steps: int
    traced = False
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
        from tuner.training.program import program_of

        clock = clock or Clock()
        train = _flat(train)
        validation = _flat(validation) if validation else None
        parts = self.parts
        structure = Structure.of(hp, parts.schema, precision)
        train = converted(train, structure.dtype)
        validation = converted(validation, structure.dtype) if validation else None
        program = program_of(structure, train[0].device)
        y = train[1].numpy()
        if parts.target is not None:
            train = train[0], program.place(parts.target.standardise(y))
        weights = class_weights(hp, y, len(parts.schema.classes))
        settings = program.place(asdict(Settings.of(hp, seed=seed, class_weights=weights)))
        self._preprocessing = program.place(asdict(parts.preprocessing))
        if state is not None:
            self.set_weights(state.weights)
        program.load([variable.numpy() for variable in parts.variables], state.optimizer if state else None)
        with clock("trace"):
            self.traced = program.trace()
        with clock("compile"):
            program.optimize(train, self._preprocessing, settings, draw(hp, parts.schema, 0, seed=seed, epoch=0))
        self._program = program
        rows = train[0].shape[0]
        steps = math.ceil(rows / hp.batch_size)
        rates = None if self.schedule is None else keras.ops.convert_to_numpy(self.schedule(np.arange(epochs * steps)))
        self.stop_training, self._trains = False, True
        calls = keras.callbacks.CallbackList(callbacks, add_history=True, model=self, epochs=epochs, steps=1)
        calls.on_train_begin()
        for epoch in range(state.epochs if state else 0, epochs):
            calls.on_epoch_begin(epoch)
            with clock("train"):
                course = self._course(hp, epoch * steps, steps, rates)
                logs = program.train(
                    train,
                    order_of(rows, seed, epoch),
                    course,
                    first=epoch * steps,
                    preprocessing=self._preprocessing,
                    settings=settings,
                    draws=draw(hp, parts.schema, rows, seed=seed, epoch=epoch),
                )
            if validation is not None:
                with clock("validate"):
                    logs |= {f"val_{name}": value for name, value in self._measure(validation).items()}
            calls.on_epoch_end(epoch, logs)
            if self.stop_training:
                break
        self._trains = False
        for variable, value in zip(parts.variables, program.values(), strict=True):
            variable.assign(value)
        calls.on_train_end()
        return self.history

    def outputs_of(self, x: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Return what the model for prediction returns for a few raw or encoded rows, computed as in training.

        Args:
            x: Raw or encoded rows, shape ``(rows, ...)``.

        Returns:
            Probabilities, shape ``(rows, classes)``, or numbers in the units of the target, shape ``(rows, 1)``.
        """
        parts = self.parts
        self._program.load([variable.numpy() for variable in parts.variables])
        read = prepare(x, parts.schema.table) if parts.schema.table else x.reshape(len(x), -1)
        outputs = self._program.exact_outputs(read, self._preprocessing)
        return parts.target.restore(outputs) if parts.target else _softmax(outputs)

    def get_weights(self) -> list[npt.NDArray[np.float32]]:
        """Return the weights in Keras' order; in callbacks, those of the program."""
        if not self._trains:
            weights: list[npt.NDArray[np.float32]] = super().get_weights()
            return weights
        current = {id(v): value for v, value in zip(self.parts.variables, self._program.values(), strict=True)}
        return [current[id(variable)] for variable in self.weights]

    def state(self) -> tuple[Arrays, Arrays]:
        """Return the state that training needs to continue after this epoch: weights and what the optimizer keeps."""
        return self.get_weights(), self._program.state()

    def _measure(self, rows: Rows) -> Metrics:
        """Return the metrics of the current weights; for a table, those of its task."""
        parts, program = self.parts, self._program
        if isinstance(parts.preprocessing, Scaling):
            return program.evaluate(rows, self._preprocessing)
        raw = program.raw_outputs(rows[0], self._preprocessing)
        task, numeric = parts.schema.task, parts.schema.numeric
        if not np.isfinite(raw).all():
            return dict.fromkeys(("loss", *task.metrics), math.nan)
        raw = parts.target.restore(raw) if parts.target else raw
        return task.measure(rows[1].numpy(), raw, variance=numeric.variance if numeric else 1.0)

    def _course(self, hp: Hyperparameters, first: int, steps: int, rates: npt.NDArray[np.float32] | None) -> Course:
        """Return what changes from step to step in an epoch; set the optimizer's schedule to the last step.

        ``rates`` are the learning rates of all steps of the trial; ``None`` if they follow no schedule.
        """
        from tuner.training.program import Course

        if rates is None:  # a callback can change the rate
            rate = np.full(steps, keras.ops.convert_to_numpy(self.optimizer.learning_rate), np.float32)
        else:
            rate = rates[first : first + steps]
            self.optimizer.iterations.assign(first + steps)
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


class JaxFused(keras.Model):  # type: ignore[misc]
    """An MLP that trains an epoch as a ``jax.lax.scan``. Keras does not copy the rows for each epoch.

    Attributes:
        short_layers: The layers that are trained in bfloat16.
        augmentation: What training does to images, if anything.
    """

    parts: Parts
    steps: int
    short_layers: Sequence[keras.layers.Dense] = ()
    augmentation: Augmentation | None = None
    traced = True

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
        """Train with Keras' ``fit``. The arguments are those of :meth:`TensorFlowFused.fit_rows`.

        Raises:
            RunError: If the data are a table, or the configuration has what only the program can do.
        """
        refuse_on_jax(hp, self.parts.schema)
        self._build_all(train)
        self.train_batch = hp.batch_size
        shorts = in_bfloat16(hp, self.parts.schema, precision)
        self.short_layers = [dense for (dense, _), short in zip(self.parts.dense, shorts, strict=False) if short]
        self.augmentation = Augmentation.of(hp, self.parts.schema)
        first, rows = 0, len(train[0])
        if state is not None:
            first = state.epochs
            for variable, value in zip(self._state_variables(), [*state.weights, *state.optimizer], strict=True):
                variable.assign(value)
        in_order = {"order": np.arange(len(validation[0]) if validation else 0, dtype=np.int32)}
        shuffled = (
            {"order": order_of(rows, seed, epoch), **draw(hp, self.parts.schema, rows, seed=seed, epoch=epoch)}
            for epoch in itertools.count(first)
        )
        with (clock or Clock())("train"):
            return self.fit(
                ((*train, epoch) for epoch in shuffled),
                steps_per_epoch=1,
                initial_epoch=first,
                epochs=epochs,
                validation_data=((*validation, in_order) for _ in itertools.repeat(None)) if validation else None,
                validation_steps=1 if validation else None,
                callbacks=list(callbacks),
                shuffle=False,  # the orders are shuffled already
                verbose=0,
            )

    def outputs_of(self, x: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Return the probabilities for a few raw rows: see :meth:`TensorFlowFused.outputs_of`."""
        logits = self(keras.ops.convert_to_tensor(x), training=False)
        return np.asarray(keras.ops.convert_to_numpy(keras.ops.softmax(logits)), np.float32)

    def state(self) -> tuple[Arrays, Arrays]:
        """Return the state that training needs to continue. The variables include the seeds of the dropout layers."""
        values = [keras.ops.convert_to_numpy(variable) for variable in self._state_variables()]
        return values[: len(self.variables)], values[len(self.variables) :]

    def _state_variables(self) -> list[Any]:
        return [*self.variables, *self.optimizer.variables]

    def _build_all(self, train: Rows) -> None:
        """Build optimizer, loss and metrics from one row, because Keras would guess wrong shapes from a whole epoch."""
        x, y = train[0][:1], train[1][:1]
        predicted = self(x)
        self.optimizer.build(self.trainable_variables)
        self.compute_loss(x, y, predicted)
        self.compute_metrics(x, y, predicted)
        self.reset_metrics()

    def train_step(self, state: Any, data: Any) -> Any:
        """Train one epoch; ``data`` holds inputs, labels, and a dictionary with the order of the rows and the draws."""
        with _in_bfloat16(self.short_layers):
            return self._loop(super().train_step, state, data, self.train_batch)

    def test_step(self, state: Any, data: Any) -> Any:
        """Evaluate all rows; ``data`` holds inputs, labels, and a dictionary with the order of the rows."""
        return self._loop(super().test_step, state, data, EVALUATION_BATCH)

    def _loop(self, step: Any, state: Any, data: Any, batch: int) -> Any:
        import jax

        x, y, epoch = data
        pools = {name: values for name, values in epoch.items() if name in POOLS}
        each = {name: values for name, values in epoch.items() if name not in POOLS}

        def body(state: Any, part: Any) -> tuple[Any, Any]:
            chosen = x[part["order"]]
            if self.augmentation is not None and len(part) > 1:  # in training
                flat = chosen.reshape(len(chosen), -1)
                chosen = augmented(jax_ops(), flat, {**pools, **part}, self.augmentation).reshape(chosen.shape)
            logs, state = step(state, (chosen, y[part["order"]]))
            return tuple(tuple(part) for part in state), logs  # scan requires equal containers

        state = tuple(tuple(part) for part in state)
        rows = each["order"].size
        whole = rows - rows % batch
        logs: Any = {}
        if whole:
            batches = {name: v[:whole].reshape(-1, batch, *v.shape[1:]) for name, v in each.items()}
            state, history = jax.lax.scan(body, state, batches)
            logs = {name: values[-1] for name, values in history.items()}  # metrics accumulate
        if whole < rows:
            state, logs = body(state, {name: values[whole:] for name, values in each.items()})
        return logs, state


@contextmanager
def _in_bfloat16(layers: Sequence[keras.layers.Dense]) -> Iterator[None]:
    """Compute dense layers in bfloat16 inside the block, their biases too. Their weights stay float32."""
    before = [layer.dtype_policy for layer in layers]
    try:
        for layer in layers:
            layer.dtype_policy = keras.DTypePolicy("mixed_bfloat16")
        yield
    finally:
        for layer, policy in zip(layers, before, strict=True):
            layer.dtype_policy = policy


def refuse_on_jax(hp: Hyperparameters, schema: DataSchema) -> None:
    """Refuse what only the program for TensorFlow can do, such as a rate of its own for each variable.

    Raises:
        RunError: Naming the first such thing.
    """
    needs = {
        "a table": schema.table is not None,
        "parametrization = 'ntk'": hp.parametrization == "ntk",
        "input_scale": hp.input_scale,
        "dropout_schedule": hp.dropout_schedule != "constant",
        "weight_decay_schedule": hp.weight_decay_schedule != "constant",
        "use_ema": hp.use_ema,
        **{name: getattr(hp, name) > 0 for name in ("l1", "l2", "max_norm", "clip_norm")},
        "class_weight": hp.class_weight != "none",
    }
    for name, is_needed in needs.items():
        if is_needed:
            raise RunError(f"{name} cannot be trained with JAX", hint="unset KERAS_BACKEND, to train with TensorFlow")


FusedModel = JaxFused if keras.backend.backend() == "jax" else TensorFlowFused
