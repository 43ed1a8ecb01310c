"""Facts about this machine that several benchmarks need: the data folder, installed versions, memory of a process."""

from __future__ import annotations

import os
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path


def data_folder() -> Path | None:
    """Return the folder that ``TUNER_DATA`` names as an absolute path, or ``None`` if it is not set."""
    folder = os.environ.get("TUNER_DATA")
    return Path(folder).absolute() if folder else None


def versions(*packages: str) -> dict[str, str | None]:
    """Return the installed version of each package; ``None`` if it is not installed."""
    return {package: _version(package) for package in packages}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def resident(process: int | str = "self", *, peak: bool = False) -> float:
    """Return the resident memory of a process in MiB: that of now, or its highest so far.

    Raises:
        SystemExit: If this system does not have it in ``/proc``.
    """
    status = Path(f"/proc/{process}/status")
    for line in status.read_text(encoding="utf-8").splitlines() if status.is_file() else []:
        if line.startswith("VmHWM:" if peak else "VmRSS:"):
            return int(line.split()[1]) / 1024
    raise SystemExit(f"this system has no resident memory of a process in {status}")
