"""Types of the values that the store accepts. They are protocols, so that `storage` imports no class of `tuner`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol


class FinishedFile(Protocol):
    """A file that is complete on disk."""

    @property
    def path(self) -> Path:
        """The path, inside the artifact folder."""

    @property
    def sha256(self) -> str:
        """The SHA-256 checksum in hexadecimal."""

    @property
    def size(self) -> int:
        """The size in bytes."""


class FinishedModel(FinishedFile, Protocol):
    """A model."""

    @property
    def outputs(self) -> str | None:
        """Its probabilities for the study's sample of rows, or ``None`` if they were not computed."""


class FinishedCheckpoint(FinishedFile, Protocol):
    """A checkpoint of a trial."""

    @property
    def epochs(self) -> int:
        """The number of epochs after which it was written."""


class FinishedEpoch(Protocol):
    """One finished epoch of a trial."""

    @property
    def number(self) -> int:
        """The trial."""

    @property
    def epoch(self) -> int:
        """The number of the epoch, from 0."""

    @property
    def metrics(self) -> Mapping[str, float]:
        """The metrics after the epoch, by name."""

    @property
    def seconds(self) -> float:
        """The wall time of training and validation."""

    @property
    def checkpoint(self) -> FinishedCheckpoint | None:
        """The checkpoint after the epoch, or ``None`` if none was written."""


class FinishedAttempt(Protocol):
    """The end of an attempt at a trial."""

    @property
    def number(self) -> int:
        """The trial."""

    @property
    def outcome(self) -> str:
        """The outcome, such as ``complete``."""

    @property
    def reason(self) -> str | None:
        """The reason for the outcome, or ``None``."""

    @property
    def traceback(self) -> str | None:
        """Python's traceback, if the attempt failed with an exception."""

    @property
    def checkpoint(self) -> FinishedCheckpoint | None:
        """The checkpoint to continue from, if the trial is paused."""

    @property
    def model(self) -> FinishedModel | None:
        """The model, if the trial is complete."""


class FinishedRefit(Protocol):
    """The end of a refit."""

    @property
    def number(self) -> int:
        """The trial."""

    @property
    def epochs(self) -> int:
        """The number of epochs that it trained."""

    @property
    def rows(self) -> int:
        """The number of rows that it trained on."""

    @property
    def metrics(self) -> Mapping[str, float]:
        """The metrics of the last epoch on these rows, by name."""

    @property
    def seconds(self) -> float:
        """The wall time."""

    @property
    def model(self) -> FinishedModel | None:
        """The model, or ``None`` if the refit failed."""

    @property
    def reason(self) -> str | None:
        """The reason why there is no model, or ``None``."""
