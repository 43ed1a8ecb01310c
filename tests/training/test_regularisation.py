"""Penalties, limits, class weights and averages of weights are those of Keras, for any data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tuner.training.runtime import prepare as prepare_keras

prepare_keras("cpu", threads=1)

import keras  # noqa: E402 - after the backend is set up

from tests.schemas import pixels  # noqa: E402
from tuner.config.hyperparameters import Hyperparameters  # noqa: E402
from tuner.jobs import TrialJob  # noqa: E402
from tuner.training.checkpoint import Best, State, read, write  # noqa: E402
from tuner.training.model import build_for  # noqa: E402
from tuner.training.rows import Rows, order_of, place  # noqa: E402

pytestmark = pytest.mark.slow

SCHEMA = pixels((4, 4), 3, 1 / 255)
BASE: dict[str, Any] = {"layers": 2, "units": 8, "batch_size": 10, "learning_rate": 0.01}


@pytest.fixture(scope="module")
def rows() -> Rows:
    """53 rows, most of them of one class."""
    rng = np.random.default_rng(0)
    y = rng.choice(3, 53, p=[0.7, 0.2, 0.1]).astype(np.int32)
    return (rng.integers(0, 60, (53, 4, 4)) + 60 * y[:, None, None]).astype(np.uint8), y


@pytest.mark.parametrize(
    "params",
    [
        {"l1": 0.01},
        {"l2": 0.01},
        {"l1": 0.003, "l2": 0.01, "clip_norm": 0.1, "optimizer": "sgd", "momentum": 0.9},
        {"max_norm": 0.7},
        {"clip_norm": 0.05, "optimizer": "sgd"},
        {"class_weight": "balanced", "label_smoothing": 0.1},
        {"use_ema": True, "ema_momentum": 0.8},
        {"use_ema": True, "ema_momentum": 0.9, "weight_decay": 0.02, "batch_norm": True},
    ],
    ids="-".join,
)
def test_a_program_trains_what_keras_trains(params: dict[str, Any], rows: Rows) -> None:
    """Its weights are those of an ordinary Keras model with Keras' regularizers, constraints and averages."""
    hp, (x, y) = Hyperparameters(**BASE, **params), rows
    model, _ = build_for(SCHEMA, hp, place(x, y)[0], epochs=3, seed=1)
    plain, _ = build_for(SCHEMA, hp, place(x, y)[0], epochs=3, seed=1)
    model.fit_rows(hp, place(x, y), place(x, y), epochs=3, seed=4)

    dense = [layer for layer, _ in plain.parts.dense]
    for layer in dense:
        layer.kernel.regularizer = keras.regularizers.L1L2(hp.l1, hp.l2)
    for layer in dense[:-1] if hp.max_norm else ():
        layer.kernel.constraint = keras.constraints.MaxNorm(hp.max_norm, axis=0)
    settings: dict[str, Any] = {"global_clipnorm": hp.clip_norm or None, "weight_decay": hp.weight_decay or None}
    if hp.use_ema:
        settings |= {"use_ema": True, "ema_momentum": hp.ema_momentum}
    optimizer = (
        keras.optimizers.SGD(hp.learning_rate, momentum=hp.momentum, **settings)
        if hp.optimizer == "sgd"
        else keras.optimizers.Adam(hp.learning_rate, **settings)
    )
    plain.compile(optimizer, plain.loss)
    counts = np.bincount(y, minlength=3)
    weights = {i: 53 / (3 * counts[i]) for i in range(3)} if hp.class_weight == "balanced" else None
    for epoch in range(3):
        order = order_of(53, 4, epoch)
        for start in range(0, 53, 10):
            chosen = order[start : start + 10]
            plain.train_on_batch(x[chosen], y[chosen], class_weight=weights)
    optimizer.finalize_variable_values(plain.trainable_variables)

    for ours, theirs in zip(model.variables, plain.variables, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=5e-5, err_msg=ours.path)


def test_an_average_changes_only_what_is_evaluated(rows: Rows) -> None:
    """Training goes on from the weights of the last step: the training loss is the same without averages."""
    losses = []
    for use_ema in (False, True):
        hp = Hyperparameters(**BASE, use_ema=use_ema)
        model, _ = build_for(SCHEMA, hp, place(*rows)[0], epochs=4, seed=1)
        losses.append(model.fit_rows(hp, place(*rows), place(*rows), epochs=4, seed=4).history)
    assert losses[0]["loss"] == losses[1]["loss"]
    assert losses[0]["val_loss"] != losses[1]["val_loss"]


class _Stop(keras.callbacks.Callback):  # type: ignore[misc]
    """Writes a checkpoint after the second epoch, and stops."""

    def __init__(self, best: Best, job: TrialJob) -> None:
        super().__init__()
        self._best, self._job = best, job
        self.history: list[dict[str, float]] = []

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Collect the metrics."""
        self.history.append(dict(logs or {}))
        if epoch == 1:
            best, (weights, optimizer) = self._best, self.model.state()
            state = State(weights, optimizer, best.best_weights, best.best_epoch, best.best, best.wait, self.history)
            self.file = write(state, self._job)
            self.model.stop_training = True


def test_averages_survive_a_checkpoint(rows: Rows, tmp_path: Path) -> None:
    """A trial that was interrupted ends with the same weights and metrics as one that was not."""
    hp = Hyperparameters(**BASE, use_ema=True, ema_momentum=0.9, dropout=0.2)
    placed = place(*rows)

    def made() -> Any:
        return build_for(SCHEMA, hp, placed[0], epochs=4, seed=1)[0]

    whole = made()
    history = whole.fit_rows(hp, placed, placed, epochs=4, seed=4).history
    first, best = made(), Best(None, monitor="val_loss")
    job = TrialJob(0, 1, 4, hp, epochs=4, patience=None, model_path=tmp_path / "model.keras")
    stop = _Stop(best, job)
    first.fit_rows(hp, placed, placed, epochs=4, seed=4, callbacks=[best, stop])
    second = made()
    rest = second.fit_rows(hp, placed, placed, epochs=4, seed=4, state=read(stop.file)).history

    assert rest["val_loss"] == history["val_loss"][2:]
    for ours, theirs in zip(second.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
