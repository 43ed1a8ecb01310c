"""What the coordinator sends to its trainers: jobs and instructions. All can cross process borders."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tuner.config.hyperparameters import Hyperparameters
from tuner.config.objectives import Metric
from tuner.config.tables import Precision, PrecisionSetting, Start
from tuner.data.schema import DataSchema
from tuner.records import ParamValue


class Instruction(enum.Enum):
    """An instruction to a running trial. Without one, the trial continues. At a rung, it waits for one.

    They are sorted by strength: a trial that has been told to stop does not continue.
    ``COMPLETE`` ends the trial as complete, with its model, before its last epoch.
    """

    CONTINUE = "continue"
    COMPLETE = "complete"
    PAUSE = "pause"
    PRUNE = "prune"
    INTERRUPT = "interrupt"

    def or_stronger(self, other: Instruction | None) -> Instruction:
        """Return the stronger one of this instruction and another one that has not been read yet."""
        order = list(Instruction)
        return self if other is None or order.index(self) >= order.index(other) else other


# Returns the instruction for a trial, or None. Called with True, at a rung, it waits until there is one.
AskInstruction = Callable[[bool], Instruction | None]


@dataclass(frozen=True, slots=True)
class TrainerSetup:
    """What all trials of a study share; sent once to each trainer.

    ``validation`` is a share of the training rows if it is below 1, else a number of rows. ``split_seed`` chooses them.
    ``metric`` is the first objective, ``maximize`` its direction. ``fingerprint`` is that of the data when the run
    began; if it is ``None``, the data are not compared. ``schema`` is what the study stored
    of its data; if it is ``None``, it is made from the data as for a new study. ``rows`` is the folder of the rows of a
    table: see :func:`tuner.data.training_rows.encoded_rows`. Unless ``precision`` is ``float32``, a trainer measures
    whether bfloat16 is faster; each job says in which precision it trains.
    """

    data: str
    data_dir: Path | None
    validation: float
    split_seed: int | Literal["last"]
    metric: str
    maximize: bool
    device: str = "auto"
    precision: PrecisionSetting = "float32"
    fingerprint: str | None = None
    schema: DataSchema | None = None
    rows: Path | None = None


@dataclass(frozen=True, slots=True)
class CheckpointFile:
    """The state of a trial after ``epochs`` epochs, written atomically."""

    epochs: int
    path: Path
    sha256: str
    size: int  # bytes


@dataclass(frozen=True, slots=True)
class TrialSpec:
    """What one trial trains: its configuration, its seed and its epochs.

    ``repeats`` is the first trial with the same configuration, if there is one: this trial is another seed of it.
    ``rungs`` are the numbers of epochs after which the trial is compared with others. ``promoted`` is the rung at which
    it was paused before. ``confirms`` is the trial whose configuration it trains again. ``start`` is the start
    configuration that the trial itself was made from.
    """

    number: int
    hyperparameters: Hyperparameters
    seed: int
    epochs: int
    label: str | None
    repeats: int | None = None
    rungs: tuple[int, ...] = ()
    promoted: int | None = None
    confirms: int | None = None
    start: Start | None = None

    @property
    def params(self) -> dict[str, ParamValue]:
        """The configuration as flat parameters."""
        return self.hyperparameters.as_params()


@dataclass(frozen=True, slots=True)
class TrialJob:
    """One attempt at one trial: everything that a trainer needs, and nothing about the database.

    ``patience`` is the number of epochs without improvement after which the trial stops early; ``None`` never stops it.
    ``model_path`` is where the model with the weights of the best epoch is written, as a complete ``.keras`` file.
    ``checkpoint`` is the state to continue from, if there is one. A new one is written after at least
    ``checkpoint_seconds`` of training: see :class:`tuner.training.checkpoint.Keeper`. ``rungs`` are the numbers of
    epochs after which the trial waits for an instruction. With ``latency``, the trainer also measures how long the
    model takes for one row. ``precision`` is that of the study: see :mod:`tuner.training.products`.
    """

    number: int
    attempt: int
    seed: int
    hyperparameters: Hyperparameters
    epochs: int
    patience: int | None
    model_path: Path
    checkpoint: CheckpointFile | None = None
    checkpoint_seconds: float = 2.0
    rungs: tuple[int, ...] = ()
    latency: bool = False
    precision: Precision = "float32"

    def checkpoint_path(self, epochs: int) -> Path:
        """Return where the checkpoint after so many epochs is written."""
        return self.model_path.with_name(f"{self.model_path.stem}.after-{epochs:05d}.npz")


@dataclass(frozen=True, slots=True)
class TestJob:
    """Evaluate a kept model on the test split, which no other job reads."""

    __test__ = False  # not a pytest class

    number: int
    model_path: Path
    sha256: str


@dataclass(frozen=True, slots=True)
class RefitJob:
    """Train the winner again, on the training and the validation rows together. No rows are left to validate on.

    ``epochs`` is how many epochs it trains: as many as the trial had after its best epoch. ``schedule_epochs`` is the
    length of the learning rate's schedule: the epochs that the trial was given. ``model_path`` is where the model is
    written. ``precision`` is that of the study.
    """

    number: int
    seed: int
    hyperparameters: Hyperparameters
    epochs: int
    schedule_epochs: int
    model_path: Path
    precision: Precision = "float32"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A kept model that may become a member of the ensemble."""

    number: int
    path: Path
    sha256: str


@dataclass(frozen=True, slots=True)
class AssessJob:
    """Measure the winner, trial ``number``, and select the ensemble by ``metric``.

    ``candidates`` are the models of which it is selected, the winner first.
    """

    number: int
    candidates: tuple[Candidate, ...]
    metric: Metric


FinalJob = TestJob | RefitJob | AssessJob  # what follows a search
Job = TrialJob | FinalJob
