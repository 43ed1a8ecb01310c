"""The interfaces of executors and trainers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from tuner.errors import TunerError
from tuner.events import End, EpochEnd, Event, TrainerUnavailable
from tuner.jobs import AskInstruction, Instruction, Job, TrainerSetup

if TYPE_CHECKING:
    from tuner.data.schema import DataSchema
    from tuner.data.training_rows import TrainingRows


class TrainerLike(Protocol):
    """Does one job after the other. The implementation with Keras is :class:`tuner.training.trainer.Trainer`.

    Attributes:
        device: Name of the device, for people.
        bfloat16: Whether bfloat16 is faster there: see :class:`tuner.events.TrainerReady`.
    """

    device: str
    bfloat16: bool | None

    def execute(self, job: Job, on_epoch: Callable[[EpochEnd], None], instruction: AskInstruction) -> End:
        """Do one job. An error in it becomes part of the result, not an exception."""


MakeTrainer = Callable[[TrainerSetup, int | None], TrainerLike]


def keras_trainer(
    setup: TrainerSetup, threads: int | None, given: tuple[TrainingRows, DataSchema] | None = None
) -> TrainerLike:
    """Create the trainer that uses Keras. This imports TensorFlow. See :class:`tuner.training.trainer.Trainer`.

    Raises:
        TunerError: If the data or the device is missing.
    """
    from tuner.training.trainer import Trainer

    return Trainer(setup, threads=threads, given=given)


def unavailable(error: BaseException) -> TrainerUnavailable:
    """Return the event for an error that ends a trainer or keeps it from starting."""
    if isinstance(error, TunerError):
        return TrainerUnavailable(str(error), error.hint)
    hint = "see why with tuner --debug"
    if isinstance(error, FileNotFoundError) and "temporary directory" in str(error):  # of tempfile
        hint = "name a folder that you may write: export TMPDIR=FOLDER"
    return TrainerUnavailable(f"the trainer cannot start: {type(error).__name__}: {error}".rstrip(": "), hint)


class Executor(Protocol):
    """Runs jobs and returns events. Only the coordinator's thread uses it."""

    @property
    def slots(self) -> int:
        """Largest number of jobs at the same time. It can change while the executor runs."""

    @property
    def free(self) -> int:
        """Number of jobs that can start now; 0 until the first trainer is ready."""

    @property
    def next_device(self) -> str | None:
        """The device that the next job will run on, for people; ``None`` while no trainer is free."""

    def warm_up(self) -> None:
        """Start slow imports in the background and return at once. Optional: it makes ``start`` faster."""

    def start(self) -> None:
        """Start the trainers in the background and return at once. ``TrainerReady`` events follow."""

    def submit(self, jobs: Sequence[Job]) -> None:
        """Start jobs, at most ``free`` of them."""

    def poll(self, timeout: float) -> list[Event]:
        """Return new events. Wait up to ``timeout`` seconds for the first one."""

    def instruct(self, number: int, instruction: Instruction) -> None:
        """Send an instruction to the trainer of trial ``number``. It takes effect after the current epoch."""

    def kill(self, number: int) -> None:
        """End trial ``number`` at once, if the executor can. ``WorkerLost`` follows, or the end of the trial."""

    def close(self) -> None:
        """End every trainer, even during a job. No process and no connection is left.

        It may be called before ``start``, and more than once.
        """
