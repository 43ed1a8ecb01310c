"""What the trainers of a run may use."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Resources:
    """What the trainers of a run may use.

    Attributes:
        workers: Number of trials that are trained at the same time; ``None`` lets the executor decide.
        threads: Number of threads of each trainer; ``None`` lets the executor decide.
        address: Address of a cluster, for executors that use one.
        gpus_per_worker: GPUs of each trainer on a cluster; a fraction shares a GPU.
    """

    workers: int | None = None
    threads: int | None = None
    address: str | None = None
    gpus_per_worker: float = 0.0
