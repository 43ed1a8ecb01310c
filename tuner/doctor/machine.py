"""Checks the machine: data sets, device and versions. Another process imports TensorFlow."""

from __future__ import annotations

import platform
import sqlite3
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from tuner_storage.engine import Database
from tuner_storage.overview import read_lines

from tuner.command_line import command
from tuner.data.catalog import CATALOG
from tuner.data.lookup import find, places
from tuner.distribution import DISTRIBUTION, REINSTALL, install
from tuner.doctor.checks import Examination, Status
from tuner.environment import check_backend
from tuner.errors import DataError, UsageError
from tuner.executors.interpreter import child_environment, python_command

PACKAGES = (DISTRIBUTION, "keras", "tensorflow", "optuna", "numpy", "sqlalchemy")
DEVICE_LIMIT = 180.0  # seconds; importing TensorFlow takes 15 on a slow machine
_MARK = "device: "
_PRINT_DEVICE = f"from tuner.training.runtime import prepare; print({_MARK!r} + prepare())"


def examine_data(examination: Examination, data_dir: Path | None, database: Database | None) -> None:
    """Look for the data sets of the catalog and those that the studies need; nothing is downloaded."""
    if data_dir is not None and not data_dir.is_dir():
        examination.add(
            "data", "warning", f"there is no folder {data_dir}", "name another with --data-dir or TUNER_DATA"
        )
    lines, available = [], []
    try:
        for entry in CATALOG.values():
            path = None if entry.embedded else find(entry, data_dir)
            if entry.embedded or path is not None:
                available.append(entry.name)
            lines.append(f"{entry.name}: {'embedded' if entry.embedded else path or 'not here'}")
    except DataError as error:
        examination.add("data", "warning", str(error), error.hint)
        return
    needed = set() if database is None else {str(line.recipe.get("data")) for line in read_lines(database)}
    missing = sorted(name for name in needed if name not in available and not _is_found(name, data_dir))
    if missing:
        restore = "restore the file, or name its folder with --data-dir"
        hint = command("data fetch", missing[0]) if missing[0] in CATALOG else restore
        message = f"studies need {', '.join(missing)}, which is not on this machine"
        examination.add("data", "warning", message, hint, lines)
    else:
        examination.add("data", "ok", f"{', '.join(available)} can be used without a download", cases=lines)


def _is_found(name: str, data_dir: Path | None) -> bool:
    """Return whether a user's file is at its path, or under its name in the data folder or the current folder."""
    try:
        return bool(places(name, data_dir, [Path(Path(name).name)]))
    except DataError:
        return False


def examine_device(examination: Examination) -> None:
    """Find the device that a trainer would use."""
    try:
        check_backend()
    except UsageError as error:
        examination.add("device", "problem", str(error), error.hint)
        return
    try:
        done = subprocess.run(  # noqa: S603 - the code is a constant
            python_command(_PRINT_DEVICE),
            env=child_environment(),
            capture_output=True,
            text=True,
            timeout=DEVICE_LIMIT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        examination.add(
            "device", "problem", f"TensorFlow did not start within {DEVICE_LIMIT:.0f} s", "check the GPU driver"
        )
        return
    except OSError as error:
        examination.add("device", "problem", f"no process can be started: {error.strerror}")
        return
    devices = [line.removeprefix(_MARK) for line in done.stdout.splitlines() if line.startswith(_MARK)]
    if done.returncode or not devices:
        reason = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        examination.add("device", "problem", f"no trainer can start: {reason}", REINSTALL)
    elif devices[-1] == "cpu":
        examination.add("device", "ok", "the CPU; no GPU was found")
    else:
        examination.add("device", "ok", f"GPU: {devices[-1]}")


def examine_versions(examination: Examination) -> None:
    """List the versions of Python, SQLite and the packages."""
    lines = [f"python {platform.python_version()}", f"sqlite {sqlite3.sqlite_version}"]
    missing = []
    for name in PACKAGES:
        try:
            lines.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            missing.append(name)
    status: Status = "problem" if missing else "ok"
    message = f"not installed: {', '.join(missing)}" if missing else ", ".join(lines)
    examination.add("versions", status, message, install() if missing else None, lines)
