"""``tuner --help`` answers at once, because the command line loads nothing that it does not need."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.recipes import small_recipe
from tests.runs import run_scripted

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


def test_reading_verbs_import_no_tensorflow(home: Path) -> None:
    """Looking at a study never waits for TensorFlow, and the list not even for Optuna."""
    run_scripted(home, small_recipe())
    for words in (["study", "list"], ["study", "show", "small"], ["study", "trials", "small"],
                  ["study", "best", "small"], ["report", "small"], ["space", "list"], ["data", "list"],
                  ["storage", "check"], ["doctor", "--quick"],
                  ["study", "export-archive", "small", str(home / "small.zip")]):  # fmt: skip
        where = ["--home", str(home)] if words[0] in {"study", "report", "storage", "doctor"} else []
        script = f"from tuner.cli.main import main; main({[*words, *where]!r}, standalone_mode=False)"
        loaded = set(run_python("-c", f"{script}; import sys; print(); print(*sys.modules)").splitlines()[-1].split())

        assert loaded.isdisjoint({"tensorflow", "keras", "jax"}), words
        assert words != ["study", "list"] or "optuna" not in loaded
