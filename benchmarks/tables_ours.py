"""Runs the commands that a user runs on a table: search, export, predict. For `tables.py`."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tomlkit
from numpy.typing import NDArray
from tables_split import Split, write_csv

from tuner.config.hyperparameters import Hyperparameters

NAME = "table"  # of the study


def ours(
    folder: Path, data: Split, *, minutes: float, workers: int, seed: int, without: Sequence[str] = ()
) -> tuple[NDArray[Any], float]:
    """Search for a model, export it, and predict the test rows.

    Args:
        folder: An empty folder.
        data: The table.
        minutes: Time of the search.
        workers: Processes that train at the same time.
        seed: Seed of the search.
        without: Hyperparameters that are switched off for all trials.

    Returns:
        Probabilities of the classes in alphabetical order, shape ``(rows, classes)``, or numbers, shape ``(rows,)``;
        and the seconds of the search.

    Raises:
        SystemExit: If a command fails.
    """
    train, test = folder / "train.csv", folder / "test.csv"
    write_csv(train, data.columns, data.train)
    write_csv(test, data.columns, data.test)
    home = ("--home", folder / "home")
    search = ("--name", NAME, "--timeout", f"{minutes:g}m", "--workers", workers, "--seed", seed, *home)
    if without:
        recipe = folder / "recipe.toml"
        text = _run("space", "init", train, "--target", data.target)
        recipe.write_text(changed_recipe(text, test, without), encoding="utf-8")
        source: tuple[object, ...] = (recipe,)
    else:
        source = (train, "--target", data.target, "--test", test)
    began = time.perf_counter()
    _run("study", "start", *source, *search)
    seconds = time.perf_counter() - began
    _run("export", NAME, "-o", folder / "model", *home)
    proba = ("--proba",) if data.classes else ()
    _run("predict", folder / "model", test, "-o", folder / "predictions.csv", *proba)
    return read_predictions(folder / "predictions.csv", data.classes), seconds


def changed_recipe(recipe: str, test: Path, without: Sequence[str]) -> str:
    """Return a recipe for a table with a file of test rows, in which hyperparameters are off for all trials.

    A hyperparameter that is off has the value of a plain MLP, the default of its field. What depends on it is left out.

    Raises:
        SystemExit: If ``[space]`` has no hyperparameter of such a name.
    """
    document: Any = tomlkit.parse(recipe)
    document["table"]["test"] = str(test)
    space = document["space"]
    for name in without:
        if name not in space:
            raise SystemExit(f"there is no ingredient {name!r}: choose of {', '.join(space)}")
        space[name] = Hyperparameters.model_fields[name].default
    useless = [
        name
        for name, entry in space.items()
        if isinstance(entry, dict) and any(space[other] != value for other, value in entry.get("when", {}).items()
                                           if other in without)
    ]  # fmt: skip
    for name in useless:
        del space[name]
    for start in document.get("start", ()):
        for name in (*without, *useless):
            start["params"].pop(name, None)
    return tomlkit.dumps(document)


def read_predictions(path: Path, classes: Sequence[str]) -> NDArray[Any]:
    """Return the predictions of `tuner predict`."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    if not classes:
        return np.array([float(row["prediction"]) for row in rows])
    return np.array([[float(row[f"p_{name}"]) for name in classes] for row in rows])


def _run(*arguments: object) -> str:
    """Run a command of tuner; returns what it printed."""
    command = [sys.executable, "-m", "tuner", *map(str, arguments)]
    environment = {**os.environ, "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)  # noqa: S603
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stderr}")
    return done.stdout
