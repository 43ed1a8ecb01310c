"""A Keras model that trains a whole epoch as a scan over Keras' own ``train_step``, on JAX."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

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
from tuner.training.checkpoint import Arrays, State
from tuner.training.ops import jax_ops
from tuner.training.parts import Parts
from tuner.training.rows import EVALUATION_BATCH, Rows, order_of
from tuner.training.structure import in_bfloat16


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
        """Train with Keras' ``fit``. The arguments are those of the method of the same name for TensorFlow.

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

    @property
    def rate(self) -> float:
        """The learning rate after the last epoch."""
        return float(keras.ops.convert_to_numpy(self.optimizer.learning_rate))

    def outputs_of(self, x: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Return what the model for prediction returns for a few raw rows: probabilities ``(rows, classes)``."""
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
