"""``tuner --help`` is fast, because the command line imports no heavy library before it needs it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.recipes import small_recipe
from tests.runs import run_scripted

HEAVY = {"alembic", "keras", "numpy", "optuna", "plotly", "polars", "pydantic", "sklearn", "sqlalchemy", "tensorflow"}


def run_python(*arguments: str) -> str:
    """Return the output of a fresh interpreter."""
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def loaded_by(commands: list[list[str]]) -> dict[str, set[str]]:
    """Return the loaded modules after every command; all commands run in one fresh interpreter."""
    script = (
        "import contextlib, json, sys; from tuner.cli.main import main\n"
        f"for words in {commands!r}:\n"
        "    with contextlib.suppress(SystemExit): main(words)\n"
        "    print(); print('loaded:', json.dumps([' '.join(words[:2]), list(sys.modules)]))"
    )
    lines = [line for line in run_python("-c", script).splitlines() if line.startswith("loaded: ")]
    assert len(lines) == len(commands)
    return {words: set(modules) for words, modules in (json.loads(line.removeprefix("loaded: ")) for line in lines)}


def test_importing_the_cli_loads_no_heavy_library() -> None:
    """The commands that use training, storage and validation libraries import them."""
    loaded = run_python("-c", "import sys, tuner.cli.main; print(*sys.modules)").split()

    assert HEAVY & set(loaded) == set()


def test_the_package_runs_as_a_module() -> None:
    """``python -m tuner`` is the same command, for when the script is not on the PATH."""
    help_text = run_python("-m", "tuner", "--help")

    assert "Find, train and export" in help_text
    assert "study" in help_text


def test_reading_commands_import_no_tensorflow(home: Path) -> None:
    """Commands that show a study never import TensorFlow, and the list does not even import Optuna.

    Only the report imports scikit-learn, for the importances: that takes longer than all else.
    """
    run_scripted(home, small_recipe())
    here = ["--home", str(home)]
    assert "optuna" not in loaded_by([["study", "list", *here]])["study list"]
    shown = [["study", "show", "small"], ["study", "trials", "small"], ["study", "best", "small"], ["report", "small"],
             ["storage", "check"], ["doctor", "--quick"],
             ["study", "export-archive", "small", str(home / "small.zip")]]  # fmt: skip
    loaded = loaded_by([*([*words, *here] for words in shown), ["space", "list"], ["data", "list"]])
    assert not any("sklearn" in loaded[words] for words in ("study show", "study trials", "study best"))
    for words, modules in loaded.items():
        assert modules.isdisjoint({"tensorflow", "keras", "jax"}), words
