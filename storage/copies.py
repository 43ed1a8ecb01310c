"""What the store hands out: copies of rows, so that changing one changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from storage.tables import AttemptRow, RefitRow


@dataclass(frozen=True, slots=True)
class StudyRecord:
    """What a study was started with; a copy, so changing it changes nothing."""

    id: int
    optuna_id: int
    recipe: Mapping[str, Any]
    data_fingerprint: str
    environment: Mapping[str, Any]
    created: datetime  # UTC


@dataclass(frozen=True, slots=True)
class KeptCheckpoint:
    """The state of a trial after ``epochs`` epochs, as a row names it; whether the file is sound is not known."""

    epochs: int
    path: Path
    sha256: str
    size: int  # bytes


@dataclass(frozen=True, slots=True)
class KeptModel:
    """A model on disk; ``path`` is relative to the artifact folder, ``test`` holds loss and accuracy once evaluated."""

    number: int
    path: str
    sha256: str
    size: int  # bytes
    test: Mapping[str, float] | None


@dataclass(frozen=True, slots=True)
class KeptRefit:
    """The winner, trial ``number``, trained again on all ``rows`` rows but those of the test split; as a kept model.

    ``metrics`` are those of the last of its ``epochs`` epochs, on the rows that it trained on.
    """

    number: int
    epochs: int
    rows: int
    path: str
    sha256: str
    size: int  # bytes
    metrics: Mapping[str, float]
    seconds: float
    test: Mapping[str, float] | None

    @classmethod
    def of(cls, row: RefitRow) -> Self:
        """Copy a row."""
        names = [name for name in cls.__dataclass_fields__ if name != "number"]
        return cls(number=row.trial_number, **{name: getattr(row, name) for name in names})


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt at a trial; ``ended`` and ``outcome`` are null while it runs. Times are UTC."""

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
