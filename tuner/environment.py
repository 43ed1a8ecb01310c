"""What the numbers of a training depend on beside its job: versions, backend, CPU, and how many cores there are."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

_VERSIONED = ("tuner", "keras", "tensorflow", "optuna", "numpy")


@dataclass(frozen=True, slots=True)
class Change:
    """Something that is not as it was; ``then`` may come out of an archive, so nothing of it steers a terminal."""

    name: str
    then: str
    now: str

    def __post_init__(self) -> None:
        """Drop what is not printable."""
        object.__setattr__(self, "then", "".join(each for each in self.then if each.isprintable()))

    def __str__(self) -> str:
        return f"{self.name}: {self.then} then, {self.now} now"


def environment() -> dict[str, str]:
    """Return what a study notes as it begins; imports no backend."""
    backend = _backend()
    packages = (*_VERSIONED, "jax") if backend == "jax" else _VERSIONED
    return {
        "python": platform.python_version(),
        **{name: version(name) for name in packages},
        "backend": backend,
        "cpu": _cpu(),
        "cores": str(available_cores()),
    }


def changes(then: Mapping[str, Any]) -> list[Change]:
    """Return what differs now from what a study noted; what an older study did not note is left out."""
    now = environment()
    return [Change(name, str(then[name]), now[name]) for name in now if name in then and str(then[name]) != now[name]]


def available_cores() -> int:
    """Return how many CPU cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _backend() -> str:
    """Return what Keras would choose: the variable, else its file, else TensorFlow."""
    named = os.environ.get("KERAS_BACKEND")
    if named:
        return named
    try:
        file = Path(os.environ.get("KERAS_HOME") or "~/.keras").expanduser() / "keras.json"
        return str(json.loads(file.read_text(encoding="utf-8"))["backend"])
    except (OSError, RuntimeError, ValueError, KeyError, TypeError):
        return "tensorflow"


def _cpu() -> str:
    """Return the model of the CPU where the system tells it, else its kind."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, "") or platform.processor() or platform.machine()
