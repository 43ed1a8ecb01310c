"""Finds the workers of an executor: those that can take a job, and the one that does a trial."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeVar

from tuner.jobs import Job


class Worker(Protocol):
    """A trainer elsewhere. ``device`` is known once it is ready, ``job`` is what it does."""

    device: str | None
    job: Job | None


W = TypeVar("W", bound=Worker)


def idle(workers: Iterable[W]) -> list[W]:
    """Return the workers that are ready and have no job, in order."""
    return [worker for worker in workers if worker.device is not None and worker.job is None]


def training(workers: Iterable[W], number: int) -> list[W]:
    """Return the workers whose job is about trial ``number``."""
    return [worker for worker in workers if worker.job is not None and worker.job.number == number]
