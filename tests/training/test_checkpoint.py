"""An interrupted trial continues from its last epoch with the same result."""

from __future__ import annotations

import dataclasses
import io
import json
import math
import os
import pickle
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import keras
import numpy as np
import pytest

from tests.training.test_trainer import SETUP, job
from tuner.clock import Clock
from tuner.errors import RunError
from tuner.events import EpochEnd, TrialEnd
from tuner.files import sha256_of
from tuner.jobs import CheckpointFile, Instruction, TrialJob
from tuner.records import Outcome
from tuner.training.checkpoint import Keeper, State, read, write
from tuner.training.trainer import Trainer


@pytest.fixture(scope="module")
def trainer() -> Trainer:
    return Trainer(SETUP, threads=1)


def run(trainer: Trainer, job: TrialJob, *, stop_after: int | None = None) -> tuple[list[EpochEnd], TrialEnd]:
    """Train a job and interrupt it when ``stop_after`` epochs are finished."""
    seen: list[EpochEnd] = []
    end = trainer.train(job, seen.append, lambda _: Instruction.INTERRUPT if seen[-1].epoch + 1 == stop_after else None)
    return seen, end


CONFIGURATIONS = [
    {"optimizer": "adam", "dropout": 0.3, "batch_norm": True, "schedule": "cosine"},
    {"optimizer": "adamw", "weight_decay": 0.01, "input_dropout": 0.1},
    {"optimizer": "rmsprop", "label_smoothing": 0.1, "layers": 0},
    {"optimizer": "adadelta", "schedule": "cosine"},
    {"optimizer": "sgd", "momentum": 0.9, "dropout": 0.2},
    {"optimizer": "sgd"},
    {"optimizer": "adam", "schedule": "plateau", "plateau_patience": 1, "learning_rate": 0.1},
]


@pytest.mark.parametrize("params", CONFIGURATIONS, ids=lambda params: "-".join(map(str, params.values())))
def test_a_continued_trial_equals_one_that_was_never_interrupted(
    trainer: Trainer, tmp_path: Path, params: dict[str, Any]
) -> None:
    """The metrics of all epochs, the best epoch and the saved weights are equal to within 1e-4."""
    if params.get("layers") == 0:
        params = {**params, "units_0": 1, "layers": 1}
    whole = job(tmp_path / "whole", epochs=7, **params)
    epochs, end = run(trainer, whole)
    first, interrupted = run(trainer, job(tmp_path / "parts", epochs=7, **params), stop_after=3)
    assert interrupted.checkpoint is not None
    again = dataclasses.replace(job(tmp_path / "parts", epochs=7, **params), checkpoint=interrupted.checkpoint)
    rest, resumed = run(trainer, again)

    assert (interrupted.outcome, interrupted.checkpoint.epochs) == (Outcome.INTERRUPTED, 3)
    assert [event.epoch for event in first + rest] == list(range(7))
    for ours, theirs in zip(first + rest, epochs, strict=True):
        assert ours.metrics == pytest.approx(theirs.metrics, abs=1e-4)
    assert resumed.metrics == pytest.approx(end.metrics, abs=1e-4)
    assert (resumed.best_epoch, resumed.epochs) == (end.best_epoch, end.epochs)
    models = [keras.models.load_model(folder / "trial-0.keras") for folder in (tmp_path / "parts", tmp_path / "whole")]
    for one, other in zip(*(model.get_weights() for model in models), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)


def test_the_best_epoch_of_an_earlier_attempt_is_not_forgotten(trainer: Trainer, tmp_path: Path) -> None:
    """If a trial gets worse after it continued, the earlier weights stay, and its patience counts all epochs."""
    wild: dict[str, Any] = {"optimizer": "sgd", "learning_rate": 1.5, "momentum": 0.9}
    _, end = run(trainer, job(tmp_path / "whole", epochs=12, patience=4, **wild))
    _, interrupted = run(trainer, job(tmp_path / "parts", epochs=12, patience=4, **wild), stop_after=3)
    again = job(tmp_path / "parts", epochs=12, patience=4, **wild)
    _, resumed = run(trainer, dataclasses.replace(again, checkpoint=interrupted.checkpoint))

    assert (resumed.best_epoch, resumed.epochs) == (end.best_epoch, end.epochs)
    assert resumed.metrics == pytest.approx(end.metrics, abs=1e-4)


def test_checkpoints_come_with_the_epochs_and_hold_only_numbers(
    trainer: Trainer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file of an epoch exists when the epoch is reported. The last epoch of a trial has no file."""
    monkeypatch.setattr("tuner.training.checkpoint.WRITING_SHARE", math.inf)
    seen: list[EpochEnd] = []

    def look(event: EpochEnd) -> None:
        seen.append(event)
        assert (event.checkpoint is not None and event.checkpoint.path.stat().st_size == event.checkpoint.size) or (
            event.epoch == 3
        )

    trainer.train(dataclasses.replace(job(tmp_path), checkpoint_seconds=0.0), look, lambda _: None)
    assert [event.checkpoint.epochs if event.checkpoint else None for event in seen] == [1, 2, 3, None]
    with np.load(tmp_path / "trial-0.after-00002.npz", allow_pickle=False) as archive:
        assert all(archive[name].dtype.kind in "fiu" for name in archive.files)


def test_no_checkpoint_is_written_before_its_time(trainer: Trainer, tmp_path: Path) -> None:
    """The disk does not slow down short epochs."""
    epochs, _ = run(trainer, dataclasses.replace(job(tmp_path), checkpoint_seconds=60.0))
    assert [event.checkpoint for event in epochs] == [None] * 4
    assert [path.name for path in tmp_path.iterdir()] == ["trial-0.keras"]


@pytest.mark.parametrize("cost", [0.001, 0.5, 3.0])
def test_checkpoints_take_a_fiftieth_of_the_training_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cost: float
) -> None:
    """The longer a write takes, the rarer it is. Only the first one may take more."""
    now = 0.0
    spent: list[float] = []
    monkeypatch.setattr(time, "monotonic", lambda: now)

    def write(state: object, job: TrialJob) -> None:
        nonlocal now
        now += cost
        spent.append(cost)
        if len(spent) > 1:
            assert sum(spent) <= 0.021 * now

    monkeypatch.setattr("tuner.training.checkpoint.write", write)
    model, best = Mock(state=lambda: ([], [])), Mock(best=0.0)
    keeper = Keeper(dataclasses.replace(job(tmp_path), epochs=1001), model, best, Clock())
    for epoch in range(1000):  # of one second
        now += 1.0
        keeper.keep_if_due([{}] * epoch)

    assert len(spent) == pytest.approx({0.001: 500, 0.5: 40, 3.0: 7}[cost], abs=1)


class _Bomb:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("executed",)


def test_a_tampered_checkpoint_is_refused_unread(
    trainer: Trainer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hash is compared first. Even with the right hash, pickled objects are not loaded (fault 38)."""
    monkeypatch.chdir(tmp_path)
    _, interrupted = run(trainer, job(tmp_path), stop_after=2)
    kept = interrupted.checkpoint
    assert kept is not None
    kept.path.write_bytes(kept.path.read_bytes()[:-1] + b"x")
    _, end = run(trainer, dataclasses.replace(job(tmp_path), checkpoint=kept))
    assert (end.outcome, end.reason) == (
        Outcome.FAILED,
        "error: RunError: checksum mismatch: trial-0.after-00002.npz",
    )

    np.savez(kept.path, facts=np.array([_Bomb()], dtype=object))
    forged = CheckpointFile(2, kept.path, sha256_of(kept.path), kept.path.stat().st_size)
    _, end = run(trainer, dataclasses.replace(job(tmp_path), checkpoint=forged))
    assert end.outcome is Outcome.FAILED
    assert not Path("executed").exists()
    pickle.loads(pickle.dumps(_Bomb()))  # noqa: S301 - shows that the bomb works
    assert Path("executed").exists()


def _bomb(path: Path) -> None:
    """Write a few kilobytes that unpack to 64 megabytes."""
    np.savez_compressed(path, weights_0=np.zeros(64 * 10**6, np.uint8))


def _promise(path: Path) -> None:
    """Write an array of 16 bytes that declares a terabyte."""
    content = io.BytesIO()
    np.lib.format.write_array_header_1_0(content, {"descr": "|u1", "fortran_order": False, "shape": (10**12,)})
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("weights_0.npy", content.getvalue() + bytes(16))


@pytest.mark.parametrize(
    ("forge", "message"), [(_bomb, "unpacks to 64.0 MB"), (_promise, "is damaged: 'weights_0.npy' declares 1000.0 GB")]
)
def test_a_checkpoint_cannot_take_more_memory_than_it_has_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, forge: Callable[[Path], None], message: str
) -> None:
    """The declared sizes are compared with the file before NumPy reserves memory, even if the checksum is right."""
    path = tmp_path / "trial-0.after-00002.npz"
    forge(path)
    monkeypatch.setattr(np, "load", lambda *_, **__: pytest.fail("loaded"))
    with pytest.raises(RunError, match=rf"trial-0\.after-00002\.npz {message}"):
        read(CheckpointFile(2, path, sha256_of(path), path.stat().st_size))


def test_a_checkpoint_that_is_replaced_after_its_check_has_no_effect(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is read is what was checked."""
    state = State([np.ones(3)], [], [], best_epoch=0, best=0.5, wait=0, history=[{"loss": 1.0}])
    file = write(state, job(tmp_path))

    def replace(*_: object) -> None:
        write(dataclasses.replace(state, weights=[np.zeros(3)]), job(tmp_path))

    monkeypatch.setattr("tuner.training.checkpoint.check_arrays", replace)

    np.testing.assert_array_equal(read(file).weights[0], np.ones(3))
    assert sha256_of(file.path) != file.sha256


JAX_SCRIPT = """
import dataclasses, json, pathlib, sys, tempfile
from tuner.config.hyperparameters import Hyperparameters
from tuner.jobs import *
from tuner.training.trainer import Trainer
trainer = Trainer(TrainerSetup("digits", None, 0.2, 0, "val_accuracy", maximize=True, device="cpu"))
params = {"layers": 1, "units_0": 32, "batch_size": 32, "dropout": 0.2, "schedule": "cosine", "batch_norm": True}
def run(job, stop=None):
    seen = []
    end = trainer.train(job, seen.append, lambda _: Instruction.INTERRUPT if seen[-1].epoch + 1 == stop else None)
    return end, seen
folder = pathlib.Path(tempfile.mkdtemp())
job = TrialJob(0, 0, 1, Hyperparameters.from_params(params), 5, None, folder / "m.keras")
whole, all_epochs = run(job)
part, first = run(job, 2)
resumed, rest = run(dataclasses.replace(job, checkpoint=part.checkpoint))
print(json.dumps([[e.metrics for e in all_epochs], [e.metrics for e in first + rest], resumed.reason]))
"""


@pytest.mark.slow
def test_a_trial_continues_on_jax_too() -> None:
    """The other backend gives the same guarantee."""
    pytest.importorskip("jax", reason="jax is not installed: pip install 'mlp-tuner[jax]'")
    env = {**os.environ, "KERAS_BACKEND": "jax"}
    done = subprocess.run([sys.executable, "-c", JAX_SCRIPT], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    whole, parts, reason = json.loads(done.stdout.splitlines()[-1])
    assert reason is None
    for one, other in zip(whole, parts, strict=True):
        assert one == pytest.approx(other, abs=1e-4)
