"""The winner is trained again on training and validation rows: real Keras models on the embedded digits."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.schemas import pixels
from tuner.config.hyperparameters import Hyperparameters
from tuner.data.lookup import load_dataset
from tuner.data.split import split_rows
from tuner.events import ASKED_TO_STOP, EpochEnd, RefitEnd
from tuner.jobs import Instruction, RefitJob, TestJob, TrainerSetup, TrialJob
from tuner.training.trainer import Trainer

SETUP = TrainerSetup("digits", None, 0.2, 0, "val_accuracy", maximize=True, device="cpu")


@pytest.fixture(scope="module")
def trainer() -> Trainer:
    return Trainer(SETUP, threads=1)


def job(folder: Path, *, epochs: int = 3, schedule_epochs: int | None = None, seed: int = 3, **params: Any) -> RefitJob:
    """Return a refit of a small network."""
    values = {"layers": 1, "units_0": 16, "batch_size": 64, "learning_rate": 0.01, **params}
    return RefitJob(
        4, seed, Hyperparameters.from_params(values), epochs, schedule_epochs or epochs, folder / "refit.keras"
    )


def refit(
    trainer: Trainer, job: RefitJob, instructions: dict[int, Instruction] | None = None
) -> tuple[list[EpochEnd], RefitEnd]:
    """Do a refit; ``instructions`` maps epochs to the instructions after them."""
    epochs: list[EpochEnd] = []
    end = trainer.execute(job, epochs.append, lambda _: (instructions or {}).get(epochs[-1].epoch))
    assert isinstance(end, RefitEnd)
    return epochs, end


def weights_of(end: RefitEnd) -> list[np.ndarray]:
    """Return the weights of the model of a refit."""
    import keras

    assert end.model is not None, end.reason
    weights: list[np.ndarray] = keras.models.load_model(end.model.path).get_weights()
    return weights


def test_a_refit_learns_from_every_row_and_keeps_its_model(trainer: Trainer, tmp_path: Path) -> None:
    """Each epoch is reported without validation metrics, because there are no validation rows."""
    epochs, end = refit(trainer, job(tmp_path, epochs=6))

    assert [(event.number, event.epoch) for event in epochs] == [(4, epoch) for epoch in range(6)]
    assert all(set(event.metrics) == {"loss", "accuracy"} and event.seconds > 0 for event in epochs)
    assert (end.number, end.epochs, end.reason) == (4, 6, None)
    assert end.rows == len(load_dataset("digits").y_train)
    assert end.metrics == epochs[-1].metrics
    assert end.metrics["accuracy"] > 0.9
    assert end.model is not None
    assert end.model.size == (tmp_path / "refit.keras").stat().st_size
    assert [path.name for path in tmp_path.iterdir()] == ["refit.keras"]
    assert trainer.test(TestJob(4, end.model.path, end.model.sha256)).metrics["accuracy"] > 0.85


def test_a_refit_equals_plain_training_on_all_rows(trainer: Trainer, tmp_path: Path) -> None:
    """With the same batches, Keras' own code learns the same weights, also with a schedule longer than the training."""
    import keras

    from tuner.training.model import build
    from tuner.training.rows import order_of

    data = load_dataset("digits")
    rows = np.concatenate(split_rows(data.y_train, 0.2, 0))
    assert sorted(rows) == list(range(len(data.y_train)))
    x, y = data.x_train[rows], data.y_train[rows]
    again = job(tmp_path, epochs=2, schedule_epochs=5, schedule="cosine")
    hp = again.hyperparameters
    _, plain = build(hp, pixels((8, 8), 10, data.scale), seed=again.seed)
    rate = keras.optimizers.schedules.CosineDecay(hp.learning_rate, -(-len(rows) // hp.batch_size) * 5)
    plain.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy")
    for epoch in range(2):
        order = order_of(len(rows), again.seed, epoch)
        for start in range(0, len(rows), hp.batch_size):
            chosen = order[start : start + hp.batch_size]
            plain.train_on_batch(x[chosen], y[chosen])
    _, end = refit(trainer, again)

    for got, expected in zip(weights_of(end), plain.get_weights(), strict=True):
        assert got == pytest.approx(expected, abs=1e-4)


def test_the_same_seed_gives_the_same_weights(trainer: Trainer, tmp_path: Path) -> None:
    """Trainings in between change nothing. Another seed gives other weights."""
    first = weights_of(refit(trainer, job(tmp_path, dropout=0.2, batch_norm=True))[1])
    other = weights_of(refit(trainer, job(tmp_path, dropout=0.2, batch_norm=True, seed=4))[1])
    again = weights_of(refit(trainer, job(tmp_path, dropout=0.2, batch_norm=True))[1])

    assert all(np.allclose(one, two, atol=1e-6) for one, two in zip(first, again, strict=True))
    assert not np.allclose(first[0], other[0], atol=1e-3)


def test_a_refit_changes_no_trial_that_follows(trainer: Trainer, tmp_path: Path) -> None:
    """The validation rows stay validation rows."""
    values = job(tmp_path).hyperparameters
    trial = TrialJob(0, 0, 3, values, 2, None, tmp_path / "trial.keras")
    before = trainer.train(trial, lambda _: None, lambda _: None)
    refit(trainer, job(tmp_path))
    after = trainer.train(trial, lambda _: None, lambda _: None)

    assert after.metrics == pytest.approx(before.metrics, abs=1e-6)
    assert "val_loss" in after.metrics


def test_only_an_interruption_ends_a_refit(trainer: Trainer, tmp_path: Path) -> None:
    """Pruning and pausing do not apply to a refit. An interrupted refit leaves no model."""
    others = {0: Instruction.PRUNE, 1: Instruction.PAUSE, 2: Instruction.CONTINUE}
    assert refit(trainer, job(tmp_path, epochs=4), others)[1].epochs == 4

    (tmp_path / "refit.keras").unlink()
    epochs, end = refit(trainer, job(tmp_path, epochs=4), {1: Instruction.INTERRUPT})
    assert (len(epochs), end.epochs, end.reason, end.model) == (2, 2, ASKED_TO_STOP, None)
    assert list(tmp_path.iterdir()) == []


def test_an_interruption_with_the_last_epoch_comes_too_late(trainer: Trainer, tmp_path: Path) -> None:
    """All epochs are trained, so there is a model."""
    _, end = refit(trainer, job(tmp_path), {2: Instruction.INTERRUPT})
    assert (end.epochs, end.reason) == (3, None)
    assert end.model is not None


def test_a_loss_that_is_no_number_is_the_reason(trainer: Trainer, tmp_path: Path) -> None:
    """The training ends at once, and no file is left."""
    epochs, end = refit(trainer, job(tmp_path, epochs=20, optimizer="sgd", learning_rate=1e30))

    assert end.reason is not None
    assert "loss was" in end.reason
    assert end.model is None
    assert len(epochs) == end.epochs < 20
    assert list(tmp_path.iterdir()) == []


def test_every_error_becomes_the_result(trainer: Trainer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An impossible configuration, a path below a file, and too little memory."""
    unknown = Hyperparameters.model_construct(layers=1, units=16, activation="nonsense")  # type: ignore[arg-type]
    _, nonsense = refit(trainer, dataclasses.replace(job(tmp_path), hyperparameters=unknown))
    (tmp_path / "file").write_text("in the way")
    placed = dataclasses.replace(job(tmp_path, epochs=1), model_path=tmp_path / "file" / "refit.keras")
    _, unwritten = refit(trainer, placed)

    def exhaust(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr("tuner.training.model.build", exhaust)
    _, exhausted = refit(trainer, job(tmp_path))

    assert str(nonsense.reason).startswith("error: ValueError")
    assert str(unwritten.reason).startswith("error: ")
    assert exhausted.reason == "out of memory"
    assert [end.model for end in (nonsense, unwritten, exhausted)] == [None] * 3


JAX_SCRIPT = """
import pathlib, tempfile
from tests.schemas import pixels
from tuner.config.hyperparameters import Hyperparameters
from tuner.jobs import *
from tuner.training.trainer import Trainer
trainer = Trainer(TrainerSetup("digits", None, 0.2, 0, "val_accuracy", maximize=True, device="cpu"))
import keras
assert keras.backend.backend() == "jax"
params = {"layers": 1, "units_0": 32, "batch_size": 32, "dropout": 0.1, "schedule": "cosine", "learning_rate": 0.01}
epochs = []
job = RefitJob(4, 1, Hyperparameters.from_params(params), 5, 7, pathlib.Path(tempfile.mkdtemp(), "m.keras"))
end = trainer.execute(job, epochs.append, lambda wait: None)
assert (end.epochs, end.reason, len(epochs)) == (5, None, 5), end
assert set(end.metrics) == {"loss", "accuracy"}, end
assert end.rows == len(trainer._train[0]) + len(trainer._validation[0]), end
assert trainer.test(TestJob(4, end.model.path, end.model.sha256)).metrics["accuracy"] > 0.85
stopped = trainer.execute(job, epochs.append, lambda wait: Instruction.INTERRUPT)
assert (stopped.epochs, stopped.model) == (1, None), stopped
"""


@pytest.mark.slow
def test_the_jax_backend_refits_too() -> None:
    """`KERAS_BACKEND=jax` uses the same code."""
    pytest.importorskip("jax", reason="jax is not installed: pip install 'mlp-tuner[jax]'")
    env = {**os.environ, "KERAS_BACKEND": "jax"}
    done = subprocess.run([sys.executable, "-c", JAX_SCRIPT], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
