"""The machine: data sets, devices, versions. TensorFlow is imported by a process of its own."""

from __future__ import annotations

import platform
import sqlite3
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from storage.engine import Database
from storage.overview import read_lines
from tuner.data.catalog import CATALOG
from tuner.data.lookup import find
from tuner.doctor.findings import Examination, Status
from tuner.errors import DataError

PACKAGES = ("tuner", "keras", "tensorflow", "optuna", "numpy", "sqlalchemy")
DEVICE_LIMIT = 180.0  # seconds; importing TensorFlow takes 15 on a slow machine
_MARK = "device: "
_LOOK = f"from tuner.training.runtime import prepare; print({_MARK!r} + prepare())"


def examine_data(found: Examination, data_dir: Path | None, database: Database | None) -> None:
    """Find the data sets that are known by name, and those that the studies need; nothing is downloaded."""
    if data_dir is not None and not data_dir.is_dir():
        found.add("data", "warning", f"there is no folder {data_dir}", "name another with --data-dir or TUNER_DATA")
    lines, here = [], []
    try:
        for entry in CATALOG.values():
            path = None if entry.embedded else find(entry, data_dir)
            if entry.embedded or path is not None:
                here.append(entry.name)
            lines.append(f"{entry.name}: {'embedded' if entry.embedded else path or 'not here'}")
    except DataError as error:
        found.add("data", "warning", str(error), error.hint)
        return
    needed = set() if database is None else {str(line.recipe.get("data")) for line in read_lines(database)}
    missing = sorted(name for name in needed if name not in here and not Path(name).expanduser().is_file())
    if missing:
        hint = f"tuner data fetch {missing[0]}" if missing[0] in CATALOG else "put it back, or name it by --data-dir"
        said = f"studies need {', '.join(missing)}, which is not on this machine"
        found.add("data", "warning", said, hint, lines)
    else:
        found.add("data", "ok", f"{', '.join(here)} can be used at once", cases=lines)


def examine_device(found: Examination) -> None:
    """Look for a GPU as a trainer does."""
    try:
        done = subprocess.run(  # noqa: S603 - our own code
            [sys.executable, "-c", _LOOK], capture_output=True, text=True, timeout=DEVICE_LIMIT, check=False
        )
    except subprocess.TimeoutExpired:
        found.add(
            "device", "problem", f"TensorFlow did not start within {DEVICE_LIMIT:.0f} s", "look at the GPU driver"
        )
        return
    except OSError as error:
        found.add("device", "problem", f"no process can be started: {error.strerror}")
        return
    last = [line.removeprefix(_MARK) for line in done.stdout.splitlines() if line.startswith(_MARK)]
    if done.returncode or not last:
        reason = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        found.add("device", "problem", f"no trainer can start: {reason}", "make set-up again, or pip install tuner")
    elif last[-1] == "cpu":
        found.add("device", "ok", "the CPU; no GPU was found")
    else:
        found.add("device", "ok", f"GPU: {last[-1]}")


def examine_versions(found: Examination) -> None:
    """Look at Python, the packages and SQLite."""
    lines = [f"python {platform.python_version()}", f"sqlite {sqlite3.sqlite_version}"]
    missing = []
    for name in PACKAGES:
        try:
            lines.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            missing.append(name)
    status: Status = "problem" if missing else "ok"
    said = f"not installed: {', '.join(missing)}" if missing else ", ".join(lines)
    found.add("versions", status, said, "pip install tuner" if missing else None, lines)
