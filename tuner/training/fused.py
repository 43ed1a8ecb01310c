"""A whole epoch in one compiled program.

Keras calls Python once per step; for a small MLP that costs more than the arithmetic. Here one "step" of ``fit`` is an
epoch: it receives the order of the rows and loops over the batches inside the program, with Keras' own ``train_step``
as the body. ``fit``, callbacks, ``History`` and metrics stay the standard ones; only the order of the rows is sent to
the device each epoch, the rows themselves live there.

The last, smaller batch of an epoch is trained too, as in an ordinary ``fit``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

EVALUATION_BATCH = 4096  # rows per step when nothing is learned: bounds the memory of the activations

Rows = tuple[npt.NDArray[Any], npt.NDArray[np.int32]]


def orders(rows: int, seed: int | None) -> Iterator[npt.NDArray[np.int32]]:
    """Yield the order of the rows, shape ``(rows,)``, for one epoch after the other, without end.

    Args:
        rows: How many rows there are.
        seed: Shuffles each epoch anew; ``None`` keeps the rows in order.
    """
    rng = np.random.default_rng(seed)
    while True:
        yield (np.arange(rows) if seed is None else rng.permutation(rows)).astype(np.int32)


class _Fused(keras.Model):  # type: ignore[misc]
    """What both backends share: how rows become the input of ``fit`` and ``evaluate``."""

    def fit_rows(
        self,
        train: Rows,
        validation: Rows,
        *,
        batch_size: int,
        epochs: int,
        seed: int,
        callbacks: Sequence[keras.callbacks.Callback] = (),
    ) -> keras.callbacks.History:
        """Train with Keras' ``fit``, one program call per epoch and one per validation.

        Args:
            train: Inputs, shape ``(rows, ...)``, and labels, shape ``(rows,)``.
            validation: The same for the validation rows.
            batch_size: Rows per step; more than there are rows means all of them.
            epochs: How many passes over the training rows.
            seed: Of the order of the rows.
            callbacks: Standard Keras callbacks; ``on_train_batch_end`` comes once per epoch.
        """
        self._build_all(train)
        self.train_batch = batch_size
        return self.fit(
            self._feed(train, seed, training=True),
            steps_per_epoch=1,
            epochs=epochs,
            validation_data=self._feed(validation, None, training=False),
            validation_steps=1,
            callbacks=list(callbacks),
            shuffle=False,  # the orders are shuffled already
            verbose=0,
        )

    def _build_all(self, train: Rows) -> None:
        """Build optimizer, loss and metrics from one ordinary row, before Keras could guess from an epoch's shape."""
        x, y = train[0][:1], train[1][:1]
        predicted = self(x)
        self.optimizer.build(self.trainable_variables)
        self.compute_loss(x, y, predicted)
        self.compute_metrics(x, y, predicted)
        self.reset_metrics()


class TensorFlowFused(_Fused):
    """The loop as a ``tf.while_loop``; the rows are tensors that the program refers to, not copies in it.

    A step takes a slice of the order, and the last slice is shorter: one traced step serves all batches.
    """

    def _feed(self, rows: Rows, seed: int | None, *, training: bool) -> Any:
        import tensorflow as tf

        tensors = tuple(tf.constant(part) for part in rows)
        if training:
            self._train_rows = tensors
        else:
            self._test_rows = tensors
        count = len(rows[0])
        options = tf.data.Options()
        # The autotune thread sleeps longer and longer, and the end of every `fit` waits for its next wake-up.
        options.autotune.enabled = False
        source = tf.data.Dataset.from_generator(
            lambda: orders(count, seed), output_signature=tf.TensorSpec((count,), tf.int32)
        )
        return source.with_options(options)

    def train_step(self, data: Any) -> Any:
        """Train one epoch; ``data`` is the order of the rows."""
        return self._loop(super().train_step, self._train_rows, data, self.train_batch)

    def test_step(self, data: Any) -> Any:
        """Evaluate all rows; ``data`` is the order of the rows."""
        return self._loop(super().test_step, self._test_rows, data, EVALUATION_BATCH)

    def _loop(self, step: Any, rows: Any, order: Any, batch: int) -> Any:
        import tensorflow as tf

        def body(start: Any) -> tuple[Any]:
            chosen = order[start : start + batch]
            step(tuple(tf.gather(part, chosen) for part in rows))
            return (start + batch,)

        tf.while_loop(lambda start: start < order.shape[0], body, (tf.constant(0),))
        return self.get_metrics_result()


class JaxFused(_Fused):
    """The loop as a ``jax.lax.scan``; the rows come with each element, by reference to the device."""

    def _feed(self, rows: Rows, seed: int | None, *, training: bool) -> Any:  # noqa: ARG002 - TensorFlow's needs it
        import jax

        on_device = tuple(jax.device_put(part) for part in rows)
        return ((*on_device, order) for order in orders(len(rows[0]), seed))

    def train_step(self, state: Any, data: Any) -> Any:
        """Train one epoch; ``data`` is inputs, labels and their order."""
        return self._loop(super().train_step, state, data, self.train_batch)

    def test_step(self, state: Any, data: Any) -> Any:
        """Evaluate all rows; ``data`` is inputs, labels and their order."""
        return self._loop(super().test_step, state, data, EVALUATION_BATCH)

    def _loop(self, step: Any, state: Any, data: Any, batch: int) -> Any:
        import jax

        x, y, order = data

        def body(state: Any, chosen: Any) -> tuple[Any, Any]:
            logs, state = step(state, (x[chosen], y[chosen]))
            return tuple(tuple(part) for part in state), logs  # scan wants the same containers in and out

        state = tuple(tuple(part) for part in state)
        whole = order.size - order.size % batch
        logs: Any = {}
        if whole:
            state, history = jax.lax.scan(body, state, order[:whole].reshape(-1, batch))
            logs = {
                name: values[-1] for name, values in history.items()
            }  # metrics accumulate: the last are the epoch's
        if whole < order.size:
            state, logs = body(state, order[whole:])
        return logs, state


FusedModel = JaxFused if keras.backend.backend() == "jax" else TensorFlowFused
