"""``tuner --help`` answers at once, because the command line loads nothing that it does not need."""

from __future__ import annotations

import subprocess
import sys

HEAVY = {"alembic", "keras", "numpy", "optuna", "plotly", "pydantic", "sklearn", "sqlalchemy", "tensorflow"}


def run_python(*arguments: str) -> str:
    """Return what a fresh interpreter prints."""
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_the_cli_loads_no_heavy_library() -> None:
    """Training, storage and validation libraries are imported by the verbs that use them."""
    loaded = run_python("-c", "import sys, tuner.cli.main; print(*sys.modules)").split()

    assert HEAVY & set(loaded) == set()


def test_the_package_runs_as_a_module() -> None:
    """``python -m tuner`` is the same command, for where the script is not on the PATH."""
    help_text = run_python("-m", "tuner", "--help")

    assert "Find, train and hand over" in help_text
    assert "study" in help_text
