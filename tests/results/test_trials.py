"""Copies of trials: which of their parameters are shown."""

from __future__ import annotations

from pathlib import Path

from tests.recipes import small_recipe
from tests.runs import run_scripted, trials_of


def test_only_parameters_that_somebody_chose_are_shown(tmp_path: Path) -> None:
    """The searched ones, the fixed ones that change something, and those that every MLP has."""
    space = {
        "learning_rate": {"type": "float", "low": 0.001, "high": 0.5},
        "momentum": {"type": "choice", "choices": [0.0]},
        "layers": 1,
        "units": 8,
        "weight_decay": 0.01,
        "l1": 0.0,
    }
    recipe = small_recipe(space=space, budget={"trials": 1, "epochs": 1})
    run_scripted(tmp_path, recipe)
    (trial,) = trials_of(tmp_path, recipe)

    assert trial.chosen_params.keys() == {
        "layers", "dropout", "activation", "optimizer", "learning_rate", "batch_size", "units_0",
        "momentum", "weight_decay",
    }  # fmt: skip
    assert trial.all_params.keys() > trial.chosen_params.keys()
