"""Divides the GPUs of this machine among the workers: each process sees one of them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass

from tuner.environment import available_cores

MOST_WORKERS = 8  # by default: with too many trials at the same time, the sampler has fewer results to learn from
_PLACE = re.compile(r"(?: #\S+)?(?: on \S+)?$")


@dataclass(frozen=True, slots=True)
class Gpu:
    """The GPU of a worker.

    Attributes:
        id: Its number or UUID, as ``CUDA_VISIBLE_DEVICES`` takes it.
        workers: How many workers share it.
    """

    id: str
    workers: int = 1


def find_gpus() -> tuple[str, ...]:
    """Return the ids of the GPUs that this process may use: those of ``CUDA_VISIBLE_DEVICES``, else all.

    No library that could occupy a GPU is loaded for it.
    """
    allowed = os.environ.get("CUDA_VISIBLE_DEVICES")
    if allowed is not None:
        ids = [part.strip() for part in allowed.split(",") if part.strip()]
        return tuple(ids[: ids.index("-1")] if "-1" in ids else ids)  # CUDA ignores what follows -1
    program = shutil.which("nvidia-smi")
    if program is None:
        return ()
    try:
        listed = subprocess.run(  # noqa: S603 - found on the PATH
            [program, "--query-gpu=index", "--format=csv,noheader"],
            capture_output=True, text=True, timeout=10, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return ()
    return tuple(line.strip() for line in listed.stdout.splitlines() if line.strip().isdecimal())


def shared_out(gpus: tuple[str, ...], workers: int) -> list[Gpu | None]:
    """Return the GPU of each worker; ``None`` without GPUs. They get as many workers each, to within one."""
    if not gpus:
        return [None] * workers
    places = [i % len(gpus) for i in range(workers)]
    return [Gpu(gpus[place], places.count(place)) for place in places]


def default_workers(gpus: tuple[str, ...] = ()) -> int:
    """Return the default number of workers: one per core, at most 8; with GPUs, as many on each of them.

    For small batches, a second thread gains little, but a second process almost doubles the throughput.
    """
    workers = min(MOST_WORKERS, available_cores())
    return -(-workers // len(gpus)) * len(gpus) if gpus else workers


def placed(device: str, *, gpu: Gpu | None = None, node: str | None = None) -> str:
    """Return the name of a device with its number and its node, such as ``NVIDIA H100 #1 on node-3``."""
    number = "" if gpu is None or device == "cpu" else f" #{gpu.id}"
    return f"{device}{number}" + ("" if node is None else f" on {node}")


def kind_of(device: str) -> str:
    """Return the kind of a device without its number and its node."""
    return _PLACE.sub("", device)
