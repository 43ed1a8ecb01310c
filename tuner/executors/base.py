"""What the coordinator expects of an executor, and what an executor expects of a trainer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from tuner.jobs import AskInstruction, End, EpochEnd, Event, Instruction, Job, TrainerSetup


class TrainerLike(Protocol):
    """Does one job after the other; the real one is :class:`tuner.training.trainer.Trainer`."""

    device: str

    def execute(self, job: Job, on_epoch: Callable[[EpochEnd], None], instruction: AskInstruction) -> End:
        """Do one job; whatever goes wrong in it is its result, not an exception."""


MakeTrainer = Callable[[TrainerSetup, int | None], TrainerLike]


def keras_trainer(setup: TrainerSetup, threads: int | None) -> TrainerLike:
    """Make the real trainer; TensorFlow is imported here and not before.

    Raises:
        TunerError: If the data or the device cannot be had.
    """
    from tuner.training.trainer import Trainer

    return Trainer(setup, threads=threads)


class Executor(Protocol):
    """Runs jobs and reports events. Used by one thread, the coordinator's."""

    slots: int  # how many jobs can run at the same time

    @property
    def free(self) -> int:
        """How many more jobs can start at once; 0 until the first trainer is ready."""

    def warm_up(self) -> None:
        """Begin what takes seconds before ``start``; returns at once. Not needed, but a run begins sooner."""

    def start(self) -> None:
        """Begin to start the trainers; returns at once, ``TrainerReady`` events follow."""

    def submit(self, jobs: Sequence[Job]) -> None:
        """Start jobs, at most ``free`` of them."""

    def poll(self, timeout: float) -> list[Event]:
        """Return what has happened, waiting up to ``timeout`` seconds for the first event."""

    def instruct(self, number: int, instruction: Instruction) -> None:
        """Tell the trainer of trial ``number`` what becomes of it; it obeys after the epoch that it is in."""

    def kill(self, number: int) -> None:
        """End trial ``number`` whatever its trainer is doing; ``TrainerLost`` follows, or its end where that is all."""

    def close(self) -> None:
        """End every trainer, whatever it is doing; no process is left behind."""
