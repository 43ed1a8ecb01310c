"""What a study may be judged by, as files, command lines and snapshots say it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from storage import locate
from tests.recipes import small_recipe
from tests.runs import run_scripted
from tuner import studies
from tuner.config.objectives import Objective, objective_table
from tuner.config.recipe import load_recipe, parse_recipe
from tuner.errors import RecipeError

BOTH = ["val_accuracy", "parameters"]


def test_a_list_of_objectives_is_read_from_a_file(tmp_path: Path) -> None:
    """The first one is the metric; more of an accuracy is better, less of everything else."""
    file = tmp_path / "my.toml"
    file.write_text(
        'data = "digits"\nobjectives = ["val_accuracy", "parameters", "latency_ms"]\n[space]\nlearning_rate = 0.1\n',
        encoding="utf-8",
    )
    objective = load_recipe(str(file)).objective

    assert objective == Objective(metric="val_accuracy", also=("parameters", "latency_ms"))
    assert objective.names == ("val_accuracy", "parameters", "latency_ms")
    assert objective.directions == ("maximize", "minimize", "minimize")


def test_one_objective_is_stored_as_ever() -> None:
    """Whichever way it is written: snapshots of studies that exist are equal to new ones."""
    old = small_recipe(objective={"metric": "val_loss"})
    new = small_recipe(objectives=["val_loss"])

    assert old == new
    assert new.model_dump(mode="json")["objective"] == {"metric": "val_loss"}


def test_several_objectives_come_back_from_a_snapshot() -> None:
    """What was written is what is read, and changing something else keeps them."""
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
        (["parameters", "val_loss"], "must be val_accuracy or val_loss, got 'parameters'", "pruned by the first one"),
        (["val_loss", "val_loss"], "must be different, got val_loss, val_loss", "once"),
    ],
)
def test_impossible_objectives_are_refused(objectives: Any, message: str, hint: str) -> None:
    """In a line that names the file and the value, with a hint."""
    with pytest.raises(RecipeError, match=message) as error:
        small_recipe(objectives=objectives)
    assert str(error.value).endswith("(test)")
    assert hint in (error.value.hint or "")


def test_two_different_answers_are_refused() -> None:
    """A file that says it twice may say the same twice."""
    with pytest.raises(RecipeError, match="say different things") as error:
        small_recipe(objective={"metric": "val_loss"}, objectives=BOTH)
    assert error.value.hint == "leave [objective] out"
    assert small_recipe(objective={"metric": "val_accuracy"}, objectives=BOTH).objective.several


def test_the_table_itself_is_checked_too() -> None:
    """Whoever edits a snapshot, or writes `also` into a file."""
    with pytest.raises(RecipeError, match="objectives must be different"):
        small_recipe(objective={"metric": "val_loss", "also": ["val_loss"]})


@pytest.mark.parametrize(("setting", "name"), [("sampler", "cmaes"), ("pruner", "optuna-hyperband")])
def test_what_cannot_take_several_objectives_is_refused(setting: str, name: str) -> None:
    """Before any trial, with the name of one that can."""
    search = {"sampler": "tpe", "pruner": "none", setting: name}
    with pytest.raises(RecipeError, match=f"{setting} '{name}' does not work with .* val_accuracy, par") as error:
        small_recipe(objectives=BOTH, search=search)
    assert f"use --{setting}" in (error.value.hint or "")


def test_the_command_line_writes_them_with_commas() -> None:
    """Blanks do not matter."""
    assert objective_table("val_accuracy, seconds") == {"metric": "val_accuracy", "also": ["seconds"]}
    assert objective_table("val_loss") == {"metric": "val_loss", "also": []}


@pytest.mark.parametrize("other", [["val_accuracy"], ["val_accuracy", "seconds"], ["val_loss", "parameters"]])
def test_a_study_that_exists_refuses_other_objectives(home: Path, other: list[str]) -> None:
    """Its trials could not be compared."""
    run_scripted(home, small_recipe(objectives=BOTH, budget={"trials": 1, "epochs": 1}))
    with (
        studies.opened(locate(home=home)) as store,
        pytest.raises(RecipeError, match="the objective of 'small' changed since the study began"),
    ):
        studies.create_or_resume(store, "small", small_recipe(objectives=other), "0" * 64)


def test_a_study_goes_on_with_the_objectives_that_it_began_with() -> None:
    """Whoever gave them as an option need not give them again; a file that names others is another search."""
    began, plain = small_recipe(objectives=BOTH), small_recipe()

    assert plain.continuing(began).objective == began.objective
    assert small_recipe(objectives=["val_accuracy", "seconds"]).continuing(began).objective != began.objective
    assert small_recipe(objectives=["val_loss"]).continuing(began).objective != began.objective
