"""The number of workers: its limits, and its default on machines of different sizes."""

from __future__ import annotations

import os

import pytest

from tests.runs import SETUP
from tuner.environment import available_cores
from tuner.errors import UsageError
from tuner.executors import LocalExecutor
from tuner.executors.local import default_workers


@pytest.mark.parametrize("workers", [0, -1, 65])
def test_an_impossible_number_of_workers_is_refused(workers: int) -> None:
    """The message names the range and the value."""
    with pytest.raises(UsageError, match=rf"workers must lie in \[1, 64\], got {workers}"):
        LocalExecutor(SETUP, workers)


@pytest.mark.parametrize(("cores", "workers"), [(1, 1), (3, 3), (8, 8), (9, 8), (64, 8)])
def test_by_default_there_is_one_worker_per_usable_core_up_to_eight(
    monkeypatch: pytest.MonkeyPatch, cores: int, workers: int
) -> None:
    """A process that is bound to some of the machine's cores counts only those."""
    monkeypatch.setattr(os, "cpu_count", lambda: 128)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(100, 100 + cores)), raising=False)

    assert (available_cores(), default_workers()) == (cores, workers)


@pytest.mark.parametrize(("reported", "cores"), [(6, 6), (None, 1)])
def test_without_affinity_every_core_of_the_machine_counts(
    monkeypatch: pytest.MonkeyPatch, reported: int | None, cores: int
) -> None:
    """MacOS and Windows have no affinity, and a system may not report its cores at all."""
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: reported)

    assert (available_cores(), default_workers()) == (cores, cores)
