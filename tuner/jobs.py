"""Messages between the coordinator and its trainers: jobs, instructions and events. All can cross process borders."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from tuner.config.hyperparameters import Hyperparameters
from tuner.config.objectives import Metric
from tuner.config.tables import Precision, PrecisionSetting, Start
from tuner.data.schema import DataSchema
from tuner.evaluation.assessment import Assessment
from tuner.evaluation.evaluation import Evaluation
from tuner.records import Metrics, Outcome, ParamValue

# Reasons with consequences in the coordinator.
OUT_OF_MEMORY = "out of memory"
DISK_FULL = "no space left on the disk"
ASKED_TO_STOP = "asked to stop"


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


@dataclass(frozen=True, slots=True)
class TrainerReady:
    """A trainer has loaded its data, found its device and can take a job.

    ``bfloat16`` says whether bfloat16 is faster than float32 on the device; ``None`` if that was not measured.
    """

    device: str
    bfloat16: bool | None = None


@dataclass(frozen=True, slots=True)
class EpochEnd:
    """One finished epoch. ``epoch`` is 0-based, ``seconds`` is the wall time of training and validation.

    ``checkpoint`` is the state after the epoch, if one was written.
    """

    number: int
    epoch: int
    metrics: Metrics
    seconds: float
    checkpoint: CheckpointFile | None = None


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A complete model on disk, written atomically.

    ``outputs`` are its probabilities for the study's sample of rows, computed as in training: see
    :func:`tuner.data.settle.pack`.
    """

    path: Path
    sha256: str
    size: int  # bytes
    outputs: str | None = None


@dataclass(frozen=True, slots=True)
class TrialEnd:
    """The end of one attempt. ``metrics`` are those of ``best_epoch``; ``parameters`` counts the model's weights.

    ``epochs`` includes the epochs before the checkpoint that the attempt continued from; ``seconds`` does not.
    ``phases`` tells where the seconds went, ``traced`` whether a program had to be traced for this trial.
    ``checkpoint`` is the state of an interrupted or paused trial, ``traceback`` Python's traceback of a failed one.
    ``latency_ms`` is how long the model of a complete trial takes for one row, if the job requested it: see
    :mod:`tuner.training.latency`. ``infeasible`` means that a trial failed because of its configuration: it diverged,
    ran out of memory or took too long.
    """

    number: int
    outcome: Outcome
    reason: str | None = None
    metrics: Metrics = field(default_factory=dict)
    best_epoch: int | None = None
    epochs: int = 0
    parameters: int | None = None
    seconds: float = 0.0
    model: ModelFile | None = None
    phases: Metrics = field(default_factory=dict)
    traced: bool = False
    checkpoint: CheckpointFile | None = None
    traceback: str | None = None
    latency_ms: float | None = None
    infeasible: bool = False


@dataclass(frozen=True, slots=True)
class TestEnd:
    """The metrics of a kept model on the test split, or the reason why they are missing.

    ``evaluation`` is what figures show of the test rows; ``None`` if the predictions are too many.
    """

    __test__ = False  # not a pytest class

    number: int
    metrics: Metrics = field(default_factory=dict)
    evaluation: Evaluation | None = None
    reason: str | None = None
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class RefitEnd:
    """The end of a refit: its model, or the reason why it failed.

    ``metrics`` are the ``loss`` and ``accuracy`` of the last epoch on the ``rows`` rows that it trained on.
    """

    number: int
    metrics: Metrics = field(default_factory=dict)
    epochs: int = 0
    rows: int = 0
    model: ModelFile | None = None
    reason: str | None = None
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class AssessEnd:
    """What was measured of the winner and of the ensemble, or the reason why nothing was."""

    number: int
    assessment: Assessment | None = None
    reason: str | None = None
    seconds: float = 0.0


FinalEnd = TestEnd | RefitEnd | AssessEnd
End = TrialEnd | FinalEnd  # how a job ended, whatever its kind


@dataclass(frozen=True, slots=True)
class WorkerLost:
    """A worker died or could not start. ``number`` is the trial of its job, if it had one."""

    number: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class TrainerUnavailable:
    """No trainer can start because the data or the device is missing. The run ends with this message and hint."""

    message: str
    hint: str | None = None


Event = TrainerReady | EpochEnd | End | WorkerLost | TrainerUnavailable
