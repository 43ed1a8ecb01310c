"""What trainers and executors report to the coordinator. All can cross process borders."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from tuner.evaluation.assessment import Assessment
from tuner.evaluation.evaluation import Evaluation
from tuner.jobs import CheckpointFile
from tuner.records import Metrics, Outcome

# Reasons with consequences in the coordinator.
OUT_OF_MEMORY = "out of memory"
DISK_FULL = "no space left on the disk"
ASKED_TO_STOP = "asked to stop"


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
