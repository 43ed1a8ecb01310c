"""What the store accepts: files and results described by their attributes, so that it depends on no class of a run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol


class FinishedFile(Protocol):
    """A file that is complete on disk."""

    @property
    def path(self) -> Path:
        """Where it is, below the artifact folder."""

    @property
    def sha256(self) -> str:
        """Its checksum in hexadecimal."""

    @property
    def size(self) -> int:
        """Its size in bytes."""


class FinishedCheckpoint(FinishedFile, Protocol):
    """The state of a trial after some epochs."""

    @property
    def epochs(self) -> int:
        """How many epochs it holds."""


class FinishedEpoch(Protocol):
    """One epoch of a trial."""

    @property
    def number(self) -> int:
        """The trial."""

    @property
    def epoch(self) -> int:
        """The epoch, from 0."""

    @property
    def metrics(self) -> Mapping[str, float]:
        """What was measured."""

    @property
    def seconds(self) -> float:
        """Wall time of training and validation."""

    @property
    def checkpoint(self) -> FinishedCheckpoint | None:
        """The state after it, if one was written."""


class FinishedAttempt(Protocol):
    """The end of an attempt at a trial."""

    @property
    def number(self) -> int:
        """The trial."""

    @property
    def outcome(self) -> str:
        """How it ended, such as ``complete``."""

    @property
    def reason(self) -> str | None:
        """Why it ended this way."""

    @property
    def traceback(self) -> str | None:
        """What Python printed, if it failed with an exception."""

    @property
    def checkpoint(self) -> FinishedCheckpoint | None:
        """The state it left, if it is to be continued."""

    @property
    def model(self) -> FinishedFile | None:
        """The model it left, if it is complete."""


class FinishedRefit(Protocol):
    """The winner, trained on all rows."""

    @property
    def number(self) -> int:
        """The trial."""

    @property
    def epochs(self) -> int:
        """How many it trained."""

    @property
    def rows(self) -> int:
        """How many rows it trained on."""

    @property
    def metrics(self) -> Mapping[str, float]:
        """Those of the last epoch, on these rows."""

    @property
    def seconds(self) -> float:
        """Wall time."""

    @property
    def model(self) -> FinishedFile | None:
        """The model, or ``None`` if it failed."""

    @property
    def reason(self) -> str | None:
        """Why there is no model."""
