"""Copies of rows that the store returns. Changing a copy does not change the database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from tuner_storage.tables import AttemptRow, ModelRow, RefitRow, StudyRow


@dataclass(frozen=True, slots=True)
class StudyRecord:
    """The recipe, data and environment of a study."""

    id: int  # our row of the study
    optuna_id: int
    recipe: Mapping[str, Any]
    data_fingerprint: str
    environment: Mapping[str, Any]
    created: datetime  # UTC

    @classmethod
    def of(cls, row: StudyRow) -> Self:
        """Copy a row."""
        return cls(row.id, row.optuna_id, dict(row.recipe), row.data_fingerprint, dict(row.environment), row.created)


@dataclass(frozen=True, slots=True)
class KeptData:
    """What a study stores of its data: see :mod:`tuner.data.schema` and :mod:`tuner.data.settle`."""

    description: Mapping[str, Any]
    sample: str


@dataclass(frozen=True, slots=True)
class KeptCheckpoint:
    """The checkpoint of a trial after ``epochs`` epochs. The file may be missing or damaged."""

    epochs: int
    path: str  # relative to the artifact folder
    sha256: str
    size: int  # bytes


@dataclass(frozen=True, slots=True)
class KeptModel:
    """The model of trial ``number`` on disk."""

    number: int
    path: str  # relative to the artifact folder
    sha256: str
    size: int  # bytes
    test: Mapping[str, float] | None  # metrics on the test split, None before the evaluation
    outputs: str | None = None  # for the study's sample of rows, None in models of older versions

    @classmethod
    def of(cls, row: ModelRow) -> Self:
        """Copy a row."""
        return cls(row.trial_number, row.path, row.sha256, row.size, row.test, row.outputs)


@dataclass(frozen=True, slots=True)
class KeptRefit:
    """The refit: the winner, trial ``number``, trained again on the training and validation rows."""

    number: int
    epochs: int
    rows: int  # how many it was trained on
    path: str  # relative to the artifact folder
    sha256: str
    size: int  # bytes
    metrics: Mapping[str, float]  # of the last epoch, on the rows that it was trained on
    seconds: float
    test: Mapping[str, float] | None  # metrics on the test split, None before the evaluation
    outputs: str | None = None  # for the study's sample of rows, None in models of older versions

    @classmethod
    def of(cls, row: RefitRow) -> Self:
        """Copy a row."""
        names = [name for name in cls.__dataclass_fields__ if name != "number"]
        return cls(number=row.trial_number, **{name: getattr(row, name) for name in names})


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt at trial ``number``. ``ended`` and ``outcome`` are null while it runs. Times are UTC."""

    number: int
    attempt: int
    owner: str
    device: str | None
    started: datetime
    ended: datetime | None
    outcome: str | None
    reason: str | None
    first_epoch: int
    traceback: str | None

    @classmethod
    def of(cls, row: AttemptRow) -> Self:
        """Copy a row."""
        names = [name for name in cls.__dataclass_fields__ if name != "number"]
        return cls(number=row.trial_number, **{name: getattr(row, name) for name in names})
