"""Runs a command in a process of its own and measures the memory that it takes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent

# The libraries are imported first, so that only what the command itself takes is measured.
_SCRIPT = """
import sys
import optuna.storages, pydantic, sqlalchemy.orm
import tuner.archive.read, tuner.cli.main, tuner.run.check
from tests.measured import most_memory
before = most_memory()
sys.argv[0] = "tuner"
try:
    tuner.cli.main.main()
finally:
    print(most_memory() - before, file=sys.stderr)
"""


class Measured(NamedTuple):
    """The end of a command."""

    exit_code: int
    stderr: str
    growth: int  # bytes that its largest use of memory is above that of its libraries


def most_memory() -> int:
    """Return the most memory that this process has used, in bytes. ``ru_maxrss`` would count its parent's too."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return 1024 * int(re.findall(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)[0])


def measured(*command: str, folder: Path) -> Measured:
    """Run a command in a folder."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, *command], cwd=folder, env=os.environ | {"PYTHONPATH": path},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    *lines, growth = done.stderr.splitlines()
    return Measured(done.returncode, "\n".join(lines), int(growth))
