"""A trainer that follows a script instead of training: fast, exact, and free of TensorFlow."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from tests.assessments import assessment_of
from tests.evaluations import evaluation_of_task
from tuner.events import ASKED_TO_STOP, OUT_OF_MEMORY, AssessEnd, End, EpochEnd, ModelFile, RefitEnd, TestEnd, TrialEnd
from tuner.files import atomic_path, sha256_of
from tuner.jobs import (
    AskInstruction,
    AssessJob,
    CheckpointFile,
    Instruction,
    Job,
    RefitJob,
    TestJob,
    TrainerSetup,
    TrialJob,
)
from tuner.records import Outcome

OUTCOMES = {  # how a trial ends after an instruction
    Instruction.PRUNE: Outcome.PRUNED,
    Instruction.PAUSE: Outcome.PAUSED,
    Instruction.INTERRUPT: Outcome.INTERRUPTED,
}

REFIT_ROWS = 1000  # reported by every refit


class ScriptedTrainer:
    """Pretends to train. The accuracy follows a formula, and files are a few bytes of text.

    After ``epoch`` epochs the accuracy is ``(1 - learning_rate) * (1 - 0.5 ** epoch)``. A model has 125 weights per
    unit. Its latency is a nanosecond per weight, if the job requests it.

    ``batch_size`` chooses what happens to a trial:

    - 1: it fails.
    - 2: it kills its process in the first attempt.
    - 3: every epoch takes 0.2 s; all but the last write a checkpoint.
    - 4: it hangs.
    - 5: it runs out of memory.
    - 6: it kills its process after 2 epochs of every attempt; every epoch writes a checkpoint.
    - any other number: it succeeds at once.

    In a refit, 1, 3 and 5 do the same, and 2 always kills the process.
    """

    def __init__(self, setup: TrainerSetup, threads: int | None = None) -> None:
        self.device = "script"
        self.bfloat16: bool | None = None
        self.threads = threads
        self._setup = setup

    def execute(self, job: Job, on_epoch: Callable[[EpochEnd], None], instruction: AskInstruction) -> End:
        if isinstance(job, TestJob):
            assert sha256_of(job.model_path) == job.sha256
            return TestEnd(job.number, {"loss": 0.1, "accuracy": 0.9}, evaluation_of_task("multiclass"))
        if isinstance(job, RefitJob):
            return self._refit(job, on_epoch, instruction)
        if isinstance(job, AssessJob):
            return AssessEnd(job.number, assessment_of(*(kept.number for kept in job.candidates)))
        return self._train(job, on_epoch, instruction)

    def _train(self, job: TrialJob, on_epoch: Callable[[EpochEnd], None], instruction: AskInstruction) -> TrialEnd:
        kind = job.hyperparameters.batch_size
        if kind == 1:
            return TrialEnd(job.number, Outcome.FAILED, "loss was nan in epoch 1", infeasible=True)
        if kind == 2 and job.attempt == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        if kind == 4:
            time.sleep(600)
        if kind == 5:
            return TrialEnd(job.number, Outcome.FAILED, OUT_OF_MEMORY, traceback="MemoryError", infeasible=True)
        metrics: dict[str, float] = {}
        first = epochs = job.checkpoint.epochs if job.checkpoint else 0
        for epoch in range(first, job.epochs):
            _during_epoch(kind, epoch - first)
            accuracy = (1 - job.hyperparameters.learning_rate) * (1 - 0.5 ** (epoch + 1))
            metrics = {"loss": 1 - accuracy, "accuracy": accuracy, "val_loss": 1 - accuracy, "val_accuracy": accuracy}
            checkpoint = write_checkpoint(job, epoch + 1) if kind in {3, 6} and epoch + 1 < job.epochs else None
            on_epoch(EpochEnd(job.number, epoch, metrics, 0.01, checkpoint))
            epochs = epoch + 1
            received = instruction(epochs in job.rungs)
            if received is Instruction.COMPLETE:
                break
            if received in OUTCOMES and epoch + 1 < job.epochs:
                if received is Instruction.PAUSE and checkpoint is None:
                    checkpoint = write_checkpoint(job, epoch + 1)
                return TrialEnd(job.number, OUTCOMES[received], None, metrics, epoch, epoch + 1, checkpoint=checkpoint)
        model = write_model(job.model_path, f"{job.number} {job.seed}")
        parameters = weights(job)
        return TrialEnd(
            job.number,
            Outcome.COMPLETE,
            None,
            metrics,
            epochs - 1,
            epochs,
            parameters,
            (0.2 if kind == 3 else 0.01) * epochs,
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
    """Return the number of weights that is reported for a model: 125 per unit, and 1000 if there is no hidden layer."""
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


def _during_epoch(kind: int, epoch: int) -> None:
    """Do what the kind of trial says about an epoch, counted from the first one of the attempt."""
    if kind == 3:
        time.sleep(0.2)
    if kind == 6 and epoch == 2:
        os.kill(os.getpid(), signal.SIGKILL)
