"""A trainer that trains nothing. It has a module of its own, which the processes of `executors.py` can import."""

from __future__ import annotations

from collections.abc import Callable

from tuner.events import End, EpochEnd, TrialEnd
from tuner.jobs import AskInstruction, Job, TrainerSetup, TrialJob
from tuner.records import Outcome

METRICS = dict.fromkeys(("loss", "accuracy", "val_loss", "val_accuracy", "learning_rate"), 1 / 3)


class IdleTrainer:
    """Reports the epochs of a job, and trains nothing."""

    device = "none"
    bfloat16: bool | None = None

    def __init__(self, setup: TrainerSetup, threads: int | None) -> None:
        """Take the arguments of a trainer."""

    def execute(self, job: Job, on_epoch: Callable[[EpochEnd], None], instruction: AskInstruction) -> End:
        """Report all epochs at once."""
        assert isinstance(job, TrialJob)  # noqa: S101 - there are no others
        for epoch in range(job.epochs):
            on_epoch(EpochEnd(job.number, epoch, METRICS, 0.0))
            instruction(epoch + 1 in job.rungs)
        return TrialEnd(job.number, Outcome.COMPLETE, metrics=METRICS, epochs=job.epochs)
