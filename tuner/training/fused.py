"""Keras models that train a whole epoch in one compiled program and call Keras' callbacks between epochs.

On TensorFlow, the epoch is a :class:`~tuner.training.program.Program`, which trials of the same structure share.
On JAX, it is a scan over Keras' own ``train_step``. On both, callbacks see an ordinary Keras model: its weights after
the last epoch, its optimizer with the learning rate, and ``stop_training``.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from tuner.clock import Clock
from tuner.config.hyperparameters import Hyperparameters
from tuner.training.checkpoint import Arrays, State
from tuner.training.rows import EVALUATION_BATCH, Rows, order_of, orders
from tuner.training.structure import Settings, Structure


class TensorFlowFused(keras.Model):  # type: ignore[misc]
    """An MLP that a shared program trains. Its own weights are updated after each epoch.

    Attributes:
        traced: Whether the program had to be traced for this model.
    """

    traced = False

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
    ) -> keras.callbacks.History:
        """Train the model, with one program call per epoch and one per validation.

        Args:
            hp: The configuration. A batch size larger than the number of rows is reduced to it.
            train: Inputs, shape ``(rows, ...)``, and labels, shape ``(rows,)``: see :func:`~tuner.training.rows.place`.
            validation: The same for the validation rows. If ``None``, there are no validation metrics.
            epochs: Total number of epochs, including those of ``state``.
            seed: Seed of the order of the rows and of the dropout masks.
            callbacks: Keras callbacks. Their methods for single batches are not called.
            clock: Measures the time of each phase.
            state: State to continue from; ``None`` starts with the model's own weights.
        """
        from tuner.training.program import program_of

        clock = clock or Clock()
        train = _flat(train)
        validation = _flat(validation) if validation else None
        program = program_of(Structure.of(hp, train[0].dtype.name))
        settings = Settings.of(hp, scale=self.get_layer("rescale").scale, seed=seed)
        with clock("trace"):
            self.traced = program.trace()
        with clock("compile"):
            program.optimize(train, settings)
        program.load(self.get_weights() if state is None else state.weights, state.optimizer if state else None)
        self._program = program
        rows = train[0].shape[0]
        steps = math.ceil(rows / hp.batch_size)
        self.stop_training = False
        calls = keras.callbacks.CallbackList(callbacks, add_history=True, model=self, epochs=epochs, steps=1)
        calls.on_train_begin()
        for epoch in range(state.epochs if state else 0, epochs):
            calls.on_epoch_begin(epoch)
            with clock("train"):
                rates = self._rates(epoch * steps, steps)
                logs = program.train(train, order_of(rows, seed, epoch), rates, epoch * steps, settings)
            self.set_weights([variable.numpy() for variable in program.weights])
            if validation is not None:
                with clock("validate"):
                    metrics = program.evaluate(validation, settings.scale)
                    logs |= {f"val_{name}": value for name, value in metrics.items()}
            calls.on_epoch_end(epoch, logs)
            if self.stop_training:
                break
        calls.on_train_end()
        return self.history

    def state(self) -> tuple[Arrays, Arrays]:
        """Return the state that training needs to continue after this epoch: weights and optimizer slots."""
        return self.get_weights(), [slot.numpy() for slot in self._program.slots]

    def _rates(self, first: int, steps: int) -> Any:
        """Return the learning rate of each step of an epoch, shape ``(steps,)``; set the optimizer to the last step."""
        self.optimizer.iterations.assign(first + steps)
        if self.schedule is None:  # a callback can change the rate
            return np.full(steps, keras.ops.convert_to_numpy(self.optimizer.learning_rate), np.float32)
        return keras.ops.convert_to_numpy(self.schedule(np.arange(first, first + steps)))


def _flat(rows: Rows) -> Rows:
    """Return the rows with inputs of shape ``(rows, features)``."""
    import tensorflow as tf

    x, y = rows
    return tf.reshape(x, [x.shape[0], -1]), y


class JaxFused(keras.Model):  # type: ignore[misc]
    """An MLP that trains an epoch as a ``jax.lax.scan``. Keras does not copy the rows for each epoch."""

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
    ) -> keras.callbacks.History:
        """Train with Keras' ``fit``. The arguments are those of :meth:`TensorFlowFused.fit_rows`."""
        self._build_all(train)
        self.train_batch = hp.batch_size
        first = 0
        if state is not None:
            first = state.epochs
            for variable, value in zip(self._state_variables(), [*state.weights, *state.optimizer], strict=True):
                variable.assign(value)
        all_rows = np.arange(len(validation[0]) if validation else 0, dtype=np.int32)
        with (clock or Clock())("train"):
            return self.fit(
                ((*train, order) for order in orders(len(train[0]), seed, first)),
                steps_per_epoch=1,
                initial_epoch=first,
                epochs=epochs,
                validation_data=((*validation, all_rows) for _ in itertools.repeat(None)) if validation else None,
                validation_steps=1 if validation else None,
                callbacks=list(callbacks),
                shuffle=False,  # the orders are shuffled already
                verbose=0,
            )

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
        """Train one epoch; ``data`` holds inputs, labels and the order of the rows."""
        return self._loop(super().train_step, state, data, self.train_batch)

    def test_step(self, state: Any, data: Any) -> Any:
        """Evaluate all rows; ``data`` holds inputs, labels and the order of the rows."""
        return self._loop(super().test_step, state, data, EVALUATION_BATCH)

    def _loop(self, step: Any, state: Any, data: Any, batch: int) -> Any:
        import jax

        x, y, order = data

        def body(state: Any, chosen: Any) -> tuple[Any, Any]:
            logs, state = step(state, (x[chosen], y[chosen]))
            return tuple(tuple(part) for part in state), logs  # scan requires equal containers

        state = tuple(tuple(part) for part in state)
        whole = order.size - order.size % batch
        logs: Any = {}
        if whole:
            state, history = jax.lax.scan(body, state, order[:whole].reshape(-1, batch))
            logs = {name: values[-1] for name, values in history.items()}  # metrics accumulate
        if whole < order.size:
            state, logs = body(state, order[whole:])
        return logs, state


FusedModel = JaxFused if keras.backend.backend() == "jax" else TensorFlowFused
