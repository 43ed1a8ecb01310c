"""Describes the environment that training results depend on: versions, backend, CPU and number of cores."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tuner import __version__
from tuner.distribution import REINSTALL, install
from tuner.errors import UsageError

BACKENDS = ("tensorflow", "jax")  # those that can train
_VERSIONED = ("keras", "tensorflow", "optuna", "numpy")


@dataclass(frozen=True, slots=True)
class Change:
    """A difference from the recorded environment.

    ``then`` can come from an archive, so characters that can control a terminal are removed.
    """

    name: str
    then: str
    now: str

    def __post_init__(self) -> None:
        """Remove characters that are not printable."""
        object.__setattr__(self, "then", "".join(char for char in self.then if char.isprintable()))

    def __str__(self) -> str:
        return f"{self.name}: {self.then} then, {self.now} now"


def backend() -> str:
    """Return the backend that Keras would choose: from its environment variable, its file, or else TensorFlow."""
    variable = os.environ.get("KERAS_BACKEND")
    if variable:
        return variable
    try:
        return str(json.loads(_keras_file().read_text(encoding="utf-8"))["backend"])
    except (OSError, RuntimeError, ValueError, KeyError, TypeError):
        return "tensorflow"


def check_backend() -> None:
    """Check the backend of Keras without importing it.

    Raises:
        UsageError: If it is none that this package supports, or is not installed.
    """
    name = backend()
    if name not in BACKENDS:
        where = "KERAS_BACKEND" if os.environ.get("KERAS_BACKEND") else str(_keras_file())
        raise UsageError(
            f"the Keras backend '{name}' in {where} cannot be used",
            hint=f"tuner works with {' and '.join(BACKENDS)}: export KERAS_BACKEND={BACKENDS[0]}",
        )
    if find_spec(name) is None:
        raise UsageError(
            f"the Keras backend '{name}' is not installed", hint=install("jax") if name == "jax" else REINSTALL
        )


def _keras_file() -> Path:
    return Path(os.environ.get("KERAS_HOME") or "~/.keras").expanduser() / "keras.json"


def environment() -> dict[str, str]:
    """Return the environment that a study records at its start. This imports no backend."""
    packages = (*_VERSIONED, "jax") if backend() == "jax" else _VERSIONED
    return {
        "python": platform.python_version(),
        "tuner": __version__,
        **{name: version(name) for name in packages},
        "backend": backend(),
        "cpu": _cpu(),
        "cores": str(available_cores()),
    }


def changes(then: Mapping[str, Any]) -> list[Change]:
    """Return the differences from a recorded environment. Values that an older study did not record are left out."""
    now = environment()
    return [Change(name, str(then[name]), now[name]) for name in now if name in then and str(then[name]) != now[name]]


def available_cores() -> int:
    """Return the number of CPU cores that this process can use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def has_bfloat16() -> bool:
    """Return whether the CPU has instructions for products in bfloat16. If the system does not say, it has none."""
    flags = {flag for name in ("flags", "Features") for flag in _cpu_field(name).split()}  # of x86 and of ARM
    return not flags.isdisjoint({"amx_bf16", "avx512_bf16", "bf16"})


def _cpu() -> str:
    """Return the model of the CPU, or its architecture if the system does not report a model."""
    return _cpu_field("model name") or platform.processor() or platform.machine()


def _cpu_field(name: str) -> str:
    """Return what the system says of the first core; empty if it does not."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    return next((line.partition(":")[2].strip() for line in lines if line.partition(":")[0].strip() == name), "")
