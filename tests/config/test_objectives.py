"""The objectives of a study: how files, command lines and snapshots write them, and which are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tuner_storage import locate

from tests.recipes import small_recipe
from tests.runs import run_scripted
from tuner import studies
from tuner.config.kept import continuing
from tuner.config.objectives import Objective, objective_table
from tuner.config.recipe import parse_recipe
from tuner.config.recipe_files import load_recipe
from tuner.errors import RecipeError

BOTH = ["val_accuracy", "parameters"]


def test_a_list_of_objectives_is_read_from_a_file(tmp_path: Path) -> None:
    """The first one is the metric. Higher is better for an accuracy, lower for everything else."""
    file = tmp_path / "my.toml"
    file.write_text(
        'data = "digits"\nobjectives = ["val_accuracy", "parameters", "latency_ms"]\n[space]\nlearning_rate = 0.1\n',
        encoding="utf-8",
    )
    objective = load_recipe(str(file)).objective

    assert objective == Objective(metric="val_accuracy", also=("parameters", "latency_ms"))
    assert objective.names == ("val_accuracy", "parameters", "latency_ms")
    assert objective.directions == ("maximize", "minimize", "minimize")


def test_one_objective_is_stored_as_in_older_versions() -> None:
    """However a file writes it, its snapshot equals that of an existing study."""
    old = small_recipe(objective={"metric": "val_loss"})
    new = small_recipe(objectives=["val_loss"])

    assert old == new
    assert new.model_dump(mode="json")["objective"] == {"metric": "val_loss"}


def test_several_objectives_come_back_from_a_snapshot() -> None:
    """They are read as they were written. Changing another setting keeps them."""
    recipe = small_recipe(objectives=["val_loss", "seconds"])

    assert parse_recipe(recipe.model_dump(mode="json"), "the snapshot") == recipe
    assert recipe.changed(budget={"trials": 3}).objective.names == ("val_loss", "seconds")


@pytest.mark.parametrize(
    ("objectives", "message", "hint"),
    [
        ([], r"must be a list of 1 to 3 names, got \[\]", "val_accuracy"),
        (7, "must be a list of 1 to 3 names, got 7", "val_accuracy"),
        (["val_accuracy", "val_loss", "seconds", "parameters"], "must be a list of 1 to 3 names", "val_accuracy"),
        (["val_accuracy", "paramters"], "there is no objective 'paramters'", "did you mean 'parameters'?"),
        (["val_accuracy", []], r"there is no objective \[\]", ""),
        (
            ["parameters", "val_loss"],
            "must be a metric on the validation rows, got 'parameters'",
            "decides which trials are pruned",
        ),
        (["val_loss", "val_loss"], "must be different, got val_loss, val_loss", "once"),
    ],
)
def test_impossible_objectives_are_refused(objectives: Any, message: str, hint: str) -> None:
    """The message names the file and the value, and there is a hint."""
    with pytest.raises(RecipeError, match=message) as error:
        small_recipe(objectives=objectives)
    assert str(error.value).endswith("(test)")
    assert hint in (error.value.hint or "")


def test_objectives_that_contradict_the_table_are_refused() -> None:
    """A file may use both forms if they agree."""
    with pytest.raises(RecipeError, match=r"^\[objective\] and `objectives` differ") as error:
        small_recipe(objective={"metric": "val_loss"}, objectives=BOTH)
    assert error.value.hint == "remove [objective]"
    assert small_recipe(objective={"metric": "val_accuracy"}, objectives=BOTH).objective.several


def test_the_table_is_checked_too() -> None:
    """Snapshots contain the table, and a file may too."""
    with pytest.raises(RecipeError, match="objectives must be different"):
        small_recipe(objective={"metric": "val_loss", "also": ["val_loss"]})


@pytest.mark.parametrize(("setting", "name"), [("sampler", "cmaes"), ("pruner", "optuna-hyperband")])
def test_samplers_and_pruners_for_one_objective_refuse_several(setting: str, name: str) -> None:
    """The recipe is refused, with a hint that names one that works."""
    search = {"sampler": "tpe", "pruner": "none", setting: name}
    with pytest.raises(RecipeError, match=f"{setting} '{name}' does not work with .* val_accuracy, par") as error:
        small_recipe(objectives=BOTH, search=search)
    assert f"use --{setting}" in (error.value.hint or "")


def test_the_command_line_separates_objectives_by_commas() -> None:
    """Spaces are ignored."""
    assert objective_table("val_accuracy, seconds") == {"metric": "val_accuracy", "also": ["seconds"]}
    assert objective_table("val_loss") == {"metric": "val_loss", "also": []}


@pytest.mark.parametrize("other", [["val_accuracy"], ["val_accuracy", "seconds"], ["val_loss", "parameters"]])
def test_a_study_that_exists_refuses_other_objectives(home: Path, other: list[str]) -> None:
    """Its old and new trials could not be compared."""
    run_scripted(home, small_recipe(objectives=BOTH, budget={"trials": 1, "epochs": 1}))
    with (
        studies.opened(locate(home=home)) as store,
        pytest.raises(RecipeError, match="the objective of 'small' changed since the study began"),
    ):
        studies.create_or_resume(store, "small", small_recipe(objectives=other), "0" * 64)


def test_a_study_continues_with_the_objectives_that_it_began_with() -> None:
    """Objectives that were given as an option need not be repeated. A file with other ones is another search."""
    began, plain = small_recipe(objectives=BOTH), small_recipe()

    assert continuing(plain, began, {}).recipe.objective == began.objective
    for other in (["val_accuracy", "seconds"], ["val_loss"]):
        assert continuing(small_recipe(objectives=other), began, {}).recipe.objective != began.objective
