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


def orders(rows: int, batch_size: int, seed: int | None) -> Iterator[tuple[npt.NDArray[np.int32], ...]]:
    """Yield the order of the rows for one epoch after the other, without end.

    Args:
        rows: How many rows there are.
        batch_size: Rows per batch.
        seed: Shuffles each epoch anew; ``None`` keeps the rows in order.

    Yields:
        Row numbers of the full batches, shape ``(steps, batch_size)``, and of the rest, shape ``(rows % batch_size,)``.
    """
    rng = np.random.default_rng(seed)
    full = rows - rows % batch_size
    while True:
        order = (np.arange(rows) if seed is None else rng.permutation(rows)).astype(np.int32)
        yield order[:full].reshape(-1, batch_size), order[full:]


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
        batch_size = min(batch_size, len(train[0]))
        return self.fit(
            self._feed(train, batch_size, seed, training=True),
            steps_per_epoch=1,
            epochs=epochs,
            validation_data=self._feed(validation, min(EVALUATION_BATCH, len(validation[0])), None, training=False),
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

    def _feed(self, rows: Rows, batch_size: int, seed: int | None, *, training: bool) -> Any:
        raise NotImplementedError


class TensorFlowFused(_Fused):
    """The loop as a ``tf.while_loop``; the rows are tensors that the program refers to, not copies in it."""

    def _feed(self, rows: Rows, batch_size: int, seed: int | None, *, training: bool) -> Any:
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
        return tf.data.Dataset.from_generator(
            lambda: orders(count, batch_size, seed),
            output_signature=(
                tf.TensorSpec((count // batch_size, batch_size), tf.int32),
                tf.TensorSpec((count % batch_size,), tf.int32),
            ),
        ).with_options(options)

    def train_step(self, data: Any) -> Any:
        """Train one epoch; ``data`` is one element of :func:`orders`."""
        return self._loop(super().train_step, self._train_rows, data)

    def test_step(self, data: Any) -> Any:
        """Evaluate all rows; ``data`` is one element of :func:`orders`."""
        return self._loop(super().test_step, self._test_rows, data)

    def _loop(self, step: Any, rows: Any, data: Any) -> Any:
        import tensorflow as tf

        full, rest = data

        def take(order: Any) -> tuple[Any, ...]:
            return tuple(tf.gather(part, order) for part in rows)

        def body(i: Any) -> tuple[Any]:
            step(take(full[i]))
            return (i + 1,)

        tf.while_loop(lambda i: i < full.shape[0], body, (tf.constant(0),))
        if rest.shape[0]:
            step(take(rest))
        return self.get_metrics_result()


class JaxFused(_Fused):
    """The loop as a ``jax.lax.scan``; the rows come with each element, by reference to the device."""

    def _feed(self, rows: Rows, batch_size: int, seed: int | None, *, training: bool) -> Any:  # noqa: ARG002
        import jax

        on_device = tuple(jax.device_put(part) for part in rows)
        return ((*on_device, *order) for order in orders(len(rows[0]), batch_size, seed))

    def train_step(self, state: Any, data: Any) -> Any:
        """Train one epoch; ``data`` is the rows and one element of :func:`orders`."""
        return self._loop(super().train_step, state, data)

    def test_step(self, state: Any, data: Any) -> Any:
        """Evaluate all rows; ``data`` is the rows and one element of :func:`orders`."""
        return self._loop(super().test_step, state, data)

    def _loop(self, step: Any, state: Any, data: Any) -> Any:
        import jax

        x, y, full, rest = data

        def body(state: Any, order: Any) -> tuple[Any, Any]:
            logs, state = step(state, (x[order], y[order]))
            return tuple(tuple(part) for part in state), logs

        state = tuple(tuple(part) for part in state)  # scan wants the same containers in and out
        state, logs = jax.lax.scan(body, state, full)
        logs = {name: values[-1] for name, values in logs.items()}  # metrics accumulate: the last are the epoch's
        if rest.shape[0]:
            state, logs = body(state, rest)
        return logs, state


FusedModel = JaxFused if keras.backend.backend() == "jax" else TensorFlowFused
