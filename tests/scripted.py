"""A trainer that follows a script instead of training: fast, exact, and free of TensorFlow."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from tuner.files import atomic_path, sha256_of
from tuner.jobs import (
    ASKED_TO_STOP,
    OUT_OF_MEMORY,
    AskInstruction,
    CheckpointFile,
    End,
    EpochEnd,
    Instruction,
    Job,
    ModelFile,
    RefitEnd,
    RefitJob,
    TestEnd,
    TestJob,
    TrainerSetup,
    TrialEnd,
    TrialJob,
)
from tuner.records import Outcome

ENDED = {
    Instruction.PRUNE: Outcome.PRUNED,
    Instruction.PAUSE: Outcome.PAUSED,
    Instruction.INTERRUPT: Outcome.INTERRUPTED,
}

REFIT_ROWS = 1000  # that a refit says it trained on


class ScriptedTrainer:
    """Learns as a formula says: accuracy ``(1 - rate) * (1 - 0.5 ** epoch)``; files are a few bytes of text.

    Parameters steer it: ``batch_size`` 1 fails, 2 kills its process (once per trial), 3 takes 0.2 s per epoch, 4 hangs,
    5 runs out of memory, 6 kills its process after 2 epochs of each attempt; 3 and 6 keep a checkpoint of each epoch.
    A model has 125 weights per unit, and takes a nanosecond for each where its latency is asked for.
    A refit fails with 1, kills its process with 2, takes 0.2 s per epoch with 3 and runs out of memory with 5.
    """

    def __init__(self, setup: TrainerSetup, threads: int | None = None) -> None:
        self.device = "script"
        self.threads = threads
        self._setup = setup

    def execute(self, job: Job, on_epoch: Callable[[EpochEnd], None], instruction: AskInstruction) -> End:
        if isinstance(job, TestJob):
            assert sha256_of(job.model_path) == job.sha256
            return TestEnd(job.number, {"loss": 0.1, "accuracy": 0.9})
        if isinstance(job, RefitJob):
            return self._refit(job, on_epoch, instruction)
        return self._train(job, on_epoch, instruction)

    def _train(self, job: TrialJob, on_epoch: Callable[[EpochEnd], None], instruction: AskInstruction) -> TrialEnd:
        kind = job.hyperparameters.batch_size
        if kind == 1:
            return TrialEnd(job.number, Outcome.FAILED, reason="loss was nan in epoch 1")
        if kind == 2 and job.attempt == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        if kind == 4:
            time.sleep(600)
        if kind == 5:
            return TrialEnd(job.number, Outcome.FAILED, reason=OUT_OF_MEMORY, traceback="MemoryError")
        metrics: dict[str, float] = {}
        first = job.checkpoint.epochs if job.checkpoint else 0
        for epoch in range(first, job.epochs):
            if kind == 3:
                time.sleep(0.2)
            if kind == 6 and epoch == first + 2:
                os.kill(os.getpid(), signal.SIGKILL)
            accuracy = (1 - job.hyperparameters.learning_rate) * (1 - 0.5 ** (epoch + 1))
            metrics = {"loss": 1 - accuracy, "accuracy": accuracy, "val_loss": 1 - accuracy, "val_accuracy": accuracy}
            kept = write_checkpoint(job, epoch + 1) if kind in {3, 6} else None
            on_epoch(EpochEnd(job.number, epoch, metrics, 0.01, kept))
            said = instruction(epoch + 1 in job.rungs)
            if said in ENDED and epoch + 1 < job.epochs:
                if said is Instruction.PAUSE and kept is None:
                    kept = write_checkpoint(job, epoch + 1)
                return TrialEnd(job.number, ENDED[said], None, metrics, epoch, epoch + 1, checkpoint=kept)
        model = write_model(job.model_path, f"{job.number} {job.seed}")
        parameters = weights(job)
        return TrialEnd(
            job.number,
            Outcome.COMPLETE,
            None,
            metrics,
            job.epochs - 1,
            job.epochs,
            parameters,
            (0.2 if kind == 3 else 0.01) * job.epochs,
            model,
            latency_ms=parameters / 1e6 if job.latency else None,
        )

    def _refit(self, job: RefitJob, on_epoch: Callable[[EpochEnd], None], instruction: AskInstruction) -> RefitEnd:
        kind = job.hyperparameters.batch_size
        if kind in {1, 5}:
            return RefitEnd(job.number, reason=OUT_OF_MEMORY if kind == 5 else "loss was nan in epoch 1")
        if kind == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        metrics: dict[str, float] = {}
        for epoch in range(job.epochs):
            if kind == 3:
                time.sleep(0.2)
            accuracy = (1 - job.hyperparameters.learning_rate) * (1 - 0.5 ** (epoch + 1))
            metrics = {"loss": 1 - accuracy, "accuracy": accuracy}
            on_epoch(EpochEnd(job.number, epoch, metrics, 0.01))
            if instruction(False) is Instruction.INTERRUPT and epoch + 1 < job.epochs:  # noqa: FBT003
                return RefitEnd(job.number, metrics, epoch + 1, REFIT_ROWS, reason=ASKED_TO_STOP)
        model = write_model(job.model_path, f"refit {job.number} {job.seed} {job.epochs}")
        return RefitEnd(job.number, metrics, job.epochs, REFIT_ROWS, model, seconds=0.01 * job.epochs)


def weights(job: TrialJob) -> int:
    """Return how many weights a model is said to have: 1000 with 8 units in all, or with no hidden layer."""
    return 125 * sum(job.hyperparameters.hidden) or 1000


def write_checkpoint(job: TrialJob, epochs: int) -> CheckpointFile:
    """Write a stand-in for a checkpoint."""
    path = job.checkpoint_path(epochs)
    with atomic_path(path) as temporary:
        temporary.write_text(f"{job.number} {epochs}")
    return CheckpointFile(epochs, path, sha256_of(path), path.stat().st_size)


def write_model(path: Path, text: str) -> ModelFile:
    """Write a stand-in for a model file."""
    with atomic_path(path) as temporary:
        temporary.write_text(text)
    return ModelFile(path, sha256_of(path), path.stat().st_size)
