"""The trainer with real Keras models on the embedded digits."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tuner.config.hyperparameters import Hyperparameters
from tuner.data.lookup import load_dataset
from tuner.errors import DataError, RunError
from tuner.events import EpochEnd, TrialEnd
from tuner.jobs import Instruction, TestJob, TrainerSetup, TrialJob
from tuner.records import Outcome
from tuner.training.runtime import prepare
from tuner.training.trainer import Trainer

SETUP = TrainerSetup("digits", None, 0.2, 0, "val_accuracy", maximize=True, device="cpu")


@pytest.fixture(scope="module")
def trainer() -> Trainer:
    return Trainer(SETUP, threads=1)


def job(folder: Path, *, epochs: int = 4, patience: int | None = None, seed: int = 3, **params: Any) -> TrialJob:
    """Return a job for a small network."""
    values = {"layers": 1, "units_0": 32, "batch_size": 32, "learning_rate": 0.01, **params}
    return TrialJob(0, 0, seed, Hyperparameters.from_params(values), epochs, patience, folder / "trial-0.keras")


def train(
    trainer: Trainer, job: TrialJob, instructions: dict[int, Instruction] | None = None
) -> tuple[list[EpochEnd], TrialEnd]:
    """Train a job; ``instructions`` maps epochs to the instructions after them."""
    epochs: list[EpochEnd] = []
    end = trainer.execute(job, epochs.append, lambda _: (instructions or {}).get(epochs[-1].epoch))
    assert isinstance(end, TrialEnd)
    return epochs, end


def test_a_trial_learns_the_digits_and_keeps_its_model(trainer: Trainer, tmp_path: Path) -> None:
    """Every epoch is reported with all metrics. The end has the metrics of the best epoch."""
    epochs, end = train(trainer, job(tmp_path))

    assert [event.epoch for event in epochs] == [0, 1, 2, 3]
    assert set(epochs[0].metrics) == {"loss", "accuracy", "val_loss", "val_accuracy", "learning_rate"}
    assert end.outcome is Outcome.COMPLETE
    assert end.metrics["val_accuracy"] > 0.9
    assert end.parameters == 64 * 32 + 32 + 32 * 10 + 10
    assert end.model is not None
    assert end.model.size == (tmp_path / "trial-0.keras").stat().st_size


def test_the_value_and_the_weights_are_those_of_the_best_epoch(trainer: Trainer, tmp_path: Path) -> None:
    """If the loss explodes late, the earlier best epoch counts."""
    import keras

    from tuner.data.split import split_rows

    epochs, end = train(trainer, job(tmp_path, epochs=12, optimizer="sgd", learning_rate=1.5, momentum=0.9))
    values = [event.metrics["val_accuracy"] for event in epochs]
    assert end.best_epoch == values.index(max(values))
    assert end.metrics["val_accuracy"] == max(values)

    data = load_dataset("digits")
    _, validation = split_rows(data.y_train, 0.2, 0)
    model = keras.models.load_model(tmp_path / "trial-0.keras")
    predicted = model.predict(data.x_train[validation], verbose=0).argmax(1)
    assert float((predicted == data.y_train[validation]).mean()) == pytest.approx(max(values), abs=1e-6)


def test_the_same_seed_gives_the_same_trial_in_a_used_and_in_a_new_trainer(trainer: Trainer, tmp_path: Path) -> None:
    """Results do not depend on the earlier trials of a worker."""
    again = job(tmp_path, dropout=0.3, batch_norm=True)
    _, first = train(trainer, again)
    _, used = train(trainer, again)
    _, new = train(Trainer(SETUP, threads=1), again)
    _, other = train(trainer, job(tmp_path, seed=4, dropout=0.3, batch_norm=True))

    assert first.metrics == pytest.approx(used.metrics, abs=1e-6)
    assert first.metrics == pytest.approx(new.metrics, abs=1e-6)
    assert other.metrics["loss"] != pytest.approx(first.metrics["loss"], abs=1e-6)


def test_patience_stops_a_trial_that_no_longer_improves(trainer: Trainer, tmp_path: Path) -> None:
    """It is complete, with fewer epochs than planned."""
    _, end = train(trainer, job(tmp_path, epochs=60, patience=2, learning_rate=0.03))

    assert end.outcome is Outcome.COMPLETE
    assert end.best_epoch is not None
    assert end.epochs == end.best_epoch + 3


def test_the_rate_is_lowered_after_epochs_without_a_lower_loss(trainer: Trainer, tmp_path: Path) -> None:
    """By the factor that was asked for, and only then."""
    plateau: dict[str, Any] = {
        "schedule": "plateau",
        "plateau_patience": 1,
        "plateau_factor": 0.25,
        "learning_rate": 0.5,
    }
    epochs, _ = train(trainer, job(tmp_path, epochs=8, **plateau))
    losses = [epoch.metrics["val_loss"] for epoch in epochs]
    rates = [epoch.metrics["learning_rate"] for epoch in epochs]

    for epoch in range(1, 7):
        fell = losses[epoch] < min(losses[:epoch]) - 1e-4
        assert rates[epoch + 1] == pytest.approx(rates[epoch] if fell else rates[epoch] / 4)
    assert rates[-1] < rates[0]


def test_a_loss_that_is_no_number_fails_the_trial_with_its_reason(trainer: Trainer, tmp_path: Path) -> None:
    """The trial ends at once, and no file is left (fault 23)."""
    epochs, end = train(trainer, job(tmp_path, epochs=20, optimizer="sgd", learning_rate=1e30))

    assert end.outcome is Outcome.FAILED
    assert end.reason is not None
    assert "loss was" in end.reason  # "loss was nan in epoch 1", or inf
    assert len(epochs) < 20
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("instruction", "outcome"),
    [
        (Instruction.PRUNE, Outcome.PRUNED),
        (Instruction.INTERRUPT, Outcome.INTERRUPTED),
        (Instruction.PAUSE, Outcome.PAUSED),
    ],
)
def test_an_instruction_ends_a_trial_after_its_epoch(
    trainer: Trainer, tmp_path: Path, instruction: Instruction, outcome: Outcome
) -> None:
    """A trial that an instruction ended has no model."""
    epochs, end = train(trainer, job(tmp_path), {1: instruction})

    assert (len(epochs), end.outcome, end.model) == (2, outcome, None)
    assert [path.suffix for path in tmp_path.iterdir()] == ([] if instruction is Instruction.PRUNE else [".npz"])


def test_an_instruction_after_the_last_epoch_comes_too_late(trainer: Trainer, tmp_path: Path) -> None:
    """A trial with all its epochs is complete."""
    _, end = train(trainer, job(tmp_path), {3: Instruction.INTERRUPT})
    assert end.outcome is Outcome.COMPLETE


def test_an_impossible_configuration_is_a_failed_trial(trainer: Trainer, tmp_path: Path) -> None:
    """An error in a trial becomes its result and does not end the trainer."""
    nonsense = Hyperparameters.model_construct(layers=1, units=32, activation="nonsense")  # type: ignore[arg-type]
    _, end = train(trainer, dataclasses.replace(job(tmp_path), hyperparameters=nonsense))

    assert end.outcome is Outcome.FAILED
    assert end.reason is not None
    assert end.reason.startswith("error: ValueError")


@pytest.mark.parametrize("error", ["MemoryError", "ResourceExhaustedError"])
def test_running_out_of_memory_is_named(
    trainer: Trainer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: str
) -> None:
    """The errors of Python and TensorFlow become the same reason (fault 25)."""
    import tensorflow as tf

    def exhaust(*_: object, **__: object) -> None:
        raise MemoryError if error == "MemoryError" else tf.errors.ResourceExhaustedError(None, None, "OOM")

    monkeypatch.setattr("tuner.training.model.build", exhaust)
    _, end = train(trainer, job(tmp_path))
    assert (end.outcome, end.reason) == (Outcome.FAILED, "out of memory")


def test_a_kept_model_is_evaluated_on_the_test_split(trainer: Trainer, tmp_path: Path) -> None:
    """Loss and accuracy are computed from the file."""
    _, end = train(trainer, job(tmp_path))
    assert end.model is not None
    tested = trainer.test(TestJob(0, end.model.path, end.model.sha256))

    assert tested.reason is None
    assert tested.metrics["accuracy"] > 0.85
    assert set(tested.metrics) == {"loss", "accuracy"}


def test_a_damaged_model_is_not_loaded(trainer: Trainer, tmp_path: Path) -> None:
    """The checksum is compared first."""
    _, end = train(trainer, job(tmp_path))
    assert end.model is not None
    end.model.path.write_bytes(end.model.path.read_bytes()[:-1] + b"x")
    tested = trainer.test(TestJob(0, end.model.path, end.model.sha256))

    assert tested.reason is not None
    assert "checksum mismatch" in tested.reason


def test_a_gpu_that_is_not_there_is_refused() -> None:
    """`--device gpu` never falls back to the CPU (fault 26)."""
    if prepare("auto") != "cpu":
        pytest.skip("this machine has a GPU")
    with pytest.raises(RunError, match="no GPU was found") as error:
        prepare("gpu")
    assert error.value.exit_code == 1


FRESH_SCRIPT = """
import json, pathlib, sys
from tuner.config.hyperparameters import Hyperparameters
from tuner.jobs import TrainerSetup, TrialJob
from tuner.training.trainer import Trainer
trainer = Trainer(TrainerSetup("digits", None, 0.2, 0, "val_accuracy", maximize=True, device="cpu"), threads=1)
number, attempt, seed, params, epochs, patience, path = json.loads(sys.argv[1])
job = TrialJob(number, attempt, seed, Hyperparameters.from_params(params), epochs, patience, pathlib.Path(path))
print(json.dumps(trainer.train(job, lambda event: None, lambda wait: None).metrics))
"""


@pytest.mark.slow
def test_the_tenth_trial_of_a_worker_is_what_it_would_be_in_a_fresh_process(trainer: Trainer, tmp_path: Path) -> None:
    """Using a traced program again does not change results."""
    for number in range(9):
        train(
            trainer, job(tmp_path, epochs=1, seed=number, units_0=20 + number, dropout=0.05 * number, batch_norm=True)
        )
    tenth = job(tmp_path, dropout=0.3, batch_norm=True, weight_decay=1e-4, input_dropout=0.1)
    _, end = train(trainer, tenth)

    fields = [
        tenth.number,
        tenth.attempt,
        tenth.seed,
        tenth.hyperparameters.as_params(),
        tenth.epochs,
        tenth.patience,
        str(tenth.model_path),
    ]
    command = [sys.executable, "-c", FRESH_SCRIPT, json.dumps(fields)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.splitlines()[-1]) == pytest.approx(end.metrics, abs=1e-3)


def test_a_trainer_refuses_data_that_changed_since_the_run_began() -> None:
    """Workers are replaced during a run, and read the data again. Trials on other rows cannot be compared."""
    fingerprint = load_dataset("digits").fingerprint
    Trainer(dataclasses.replace(SETUP, fingerprint=fingerprint), threads=1)

    with pytest.raises(DataError, match="the data of 'digits' have changed while the study ran"):
        Trainer(dataclasses.replace(SETUP, fingerprint="0" * 64), threads=1)


def test_a_trainer_on_the_cpu_does_not_hide_the_gpu_from_the_program(trainer: Trainer, tmp_path: Path) -> None:
    """`device="cpu"` inline is for one study. Later code of a notebook, and processes that it starts, use the GPU."""
    names = ("CUDA_VISIBLE_DEVICES", "JAX_PLATFORMS", "XLA_PYTHON_CLIENT_PREALLOCATE", "NPROC")
    before = {name: os.environ.get(name) for name in names}
    _, end = train(Trainer(SETUP, threads=1), job(tmp_path))

    assert end.outcome is Outcome.COMPLETE
    assert {name: os.environ.get(name) for name in names} == before


JAX_SCRIPT = """
import sys, tempfile, pathlib
from tuner.config.hyperparameters import Hyperparameters
from tuner.jobs import *
from tuner.training.trainer import Trainer
trainer = Trainer(TrainerSetup("digits", None, 0.2, 0, "val_accuracy", maximize=True, device="cpu"))
import keras
assert keras.backend.backend() == "jax"
folder = pathlib.Path(tempfile.mkdtemp())
params = {"layers": 1, "units_0": 32, "batch_size": 32, "dropout": 0.1, "schedule": "cosine", "learning_rate": 0.01}
job = TrialJob(0, 0, 1, Hyperparameters.from_params(params), 5, None, folder / "m.keras")
end = trainer.execute(job, lambda e: None, lambda wait: None)
test = trainer.test(TestJob(0, end.model.path, end.model.sha256))
print(end.outcome, end.metrics["val_accuracy"], test.metrics["accuracy"])
assert end.outcome == "complete" and test.metrics["accuracy"] > 0.85, (end, test)
"""


@pytest.mark.slow
def test_the_jax_backend_trains_too() -> None:
    """`KERAS_BACKEND=jax` uses the same code."""
    pytest.importorskip("jax", reason="jax is not installed: pip install 'mlp-tuner[jax]'")
    env = {**os.environ, "KERAS_BACKEND": "jax"}
    done = subprocess.run([sys.executable, "-c", JAX_SCRIPT], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
