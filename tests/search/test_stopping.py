"""A study ends early at its target or on a plateau, stores why, and does not start again for nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tests.recipes import small_recipe
from tests.runs import rows, run_scripted, trials_of
from tuner.cli.main import main
from tuner.errors import RecipeError
from tuner.search.stopping import reason_to_end


def budget(**settings: Any) -> dict[str, Any]:
    """Return a budget of 20 short trials."""
    return {"trials": 20, "epochs": 3, **settings}


def test_a_study_ends_when_its_target_is_reached(home: Path) -> None:
    """The best model is still evaluated. The reason is stored and shown."""
    recipe = small_recipe(budget=budget(target=0.7))
    assert run_scripted(home, recipe).stopped_by == "target"

    trials = [trial for trial in trials_of(home, recipe) if trial.value is not None]
    assert len(trials) < 20
    best = max(trials, key=lambda trial: trial.value or 0.0)
    assert best.value is not None
    assert best.value >= 0.7
    assert best.test is not None
    assert rows(home, "SELECT stopped_by FROM tuner_run") == [("target",)]
    result = CliRunner().invoke(main, ["study", "show", "small", "--home", str(home)])
    assert ": target" in result.stdout


def test_a_study_that_has_reached_its_target_does_not_start_again(home: Path) -> None:
    """Starting it again returns at once. With a higher target it continues."""
    run_scripted(home, small_recipe(budget=budget(target=0.6)))
    before = len(trials_of(home, small_recipe()))
    assert run_scripted(home, small_recipe(budget=budget(target=0.6))).stopped_by == "target"
    assert len(trials_of(home, small_recipe())) == before
    assert len(rows(home, "SELECT id FROM tuner_run")) == 1

    run_scripted(home, small_recipe(budget=budget(target=0.99)))
    assert len(trials_of(home, small_recipe())) == 20


def test_a_study_ends_after_a_plateau(home: Path) -> None:
    """Since the best trial, four trials have ended, and none was better."""
    recipe = small_recipe(budget=budget(plateau=4))
    assert run_scripted(home, recipe).stopped_by == "plateau"
    values = [trial.value for trial in trials_of(home, recipe) if trial.value is not None]
    assert len(values) < 20
    assert len(values) - 1 - values.index(max(values)) == 4


@pytest.mark.parametrize(
    ("metric", "value", "reason"),
    [
        ("val_accuracy", 0.8, None),
        ("val_accuracy", 0.9, "target"),
        ("val_loss", 0.91, None),
        ("val_loss", 0.9, "target"),
    ],
)
def test_the_target_depends_on_the_direction_of_the_objective(metric: str, value: float, reason: str | None) -> None:
    """A loss must fall to its target, an accuracy must rise to it."""
    recipe = small_recipe(objective={"metric": metric}, budget=budget(target=0.9))
    assert reason_to_end(recipe, (3, value), lambda _: 0) == reason


def test_without_a_complete_trial_there_is_no_reason_to_end() -> None:
    """Neither the target nor the plateau can be judged."""
    assert reason_to_end(small_recipe(budget=budget(target=0.0, plateau=1)), None, lambda _: 100) is None


def test_an_impossible_plateau_is_refused() -> None:
    """When the recipe is read, before any trial."""
    with pytest.raises(RecipeError, match="plateau"):
        small_recipe(budget=budget(plateau=0))
