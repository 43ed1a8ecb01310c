"""InitialParams: which trials begin with what was decided before any sampler is asked."""

from __future__ import annotations

from typing import Any

import optuna
import pytest

from tests.recipes import small_recipe
from tuner.config.recipe import Recipe
from tuner.records import ParamValue
from tuner.search.initial_params import InitialParams
from tuner.search.samplers import STARTUP, distribution, make_rungs, sobol_point
from tuner.search.study_state import StudyState

SPACE: dict[str, Any] = {
    "layers": 0,
    "dropout": {"type": "float", "low": 0.0, "high": 0.5},
    "batch_norm": {"type": "choice", "choices": [False, True]},
    "activation": {"type": "choice", "choices": ["relu", "elu"]},
}


def recipe_for(sampler: str = "tpe", metric: str = "val_accuracy", **changes: Any) -> Recipe:
    """Return a recipe with three dimensions."""
    search = {"sampler": sampler, "pruner": "none", "seed": 3}
    return small_recipe(**{"space": SPACE, "search": search, "objective": {"metric": metric}} | changes)


def openings(recipe: Recipe, values: list[float], confirms: dict[int, int] | None = None) -> InitialParams:
    """Return the openings of a study with a complete trial per value: points of the Sobol sequence."""
    study = optuna.create_study(direction="maximize" if recipe.objective.maximize else "minimize")
    for number, value in enumerate(values):
        params = sobol_point(recipe, number, {})
        space = {name: distribution(recipe.search_space.dimensions[name]) for name in params}
        study.add_trial(optuna.trial.create_trial(params=params, distributions=space, value=value))
    state = StudyState(make_rungs(recipe))
    for number, original in (confirms or {}).items():
        state.add_confirmation(number, original)
    return InitialParams(recipe, study, state)


def differences(one: dict[str, ParamValue], other: Any) -> set[str]:
    return {name for name in one if one[name] != other[name]}


@pytest.mark.parametrize(("metric", "best"), [("val_accuracy", 11), ("val_loss", 0)])
def test_every_fourth_trial_is_a_neighbour_of_the_best(metric: str, best: int) -> None:
    """TPE asks for no other choice where the good trials agree in one: so the search does."""
    recipe = recipe_for(metric=metric)
    found = openings(recipe, [number / 100 for number in range(12)])

    for number in (13, 17, 21, 25):
        changed = differences(sobol_point(recipe, best, {}), found.params(number))
        assert changed in ({"batch_norm"}, {"activation"})


def test_every_eighth_trial_goes_on_covering_the_space_and_the_model_proposes_the_others() -> None:
    recipe = recipe_for()
    found = openings(recipe, [number / 100 for number in range(12)])

    assert [found.params(number) for number in (15, 23)] == [sobol_point(recipe, number, {}) for number in (15, 23)]
    assert [found.params(number) for number in (12, 14, 16, 18, 19, 20, 22)] == [None] * 7


def test_the_first_trials_cover_the_space() -> None:
    recipe = recipe_for()
    found = openings(recipe, [0.5] * (STARTUP - 1))

    assert found.params(STARTUP - 1) == sobol_point(recipe, STARTUP - 1, {})


def test_neighbours_that_were_all_tried_are_left_to_the_model() -> None:
    recipe = recipe_for(space={"layers": 0, "batch_norm": SPACE["batch_norm"], "activation": SPACE["activation"]})

    assert openings(recipe, [number / 100 for number in range(12)]).params(13) is None


def test_a_sampler_that_learns_nothing_is_left_alone() -> None:
    assert openings(recipe_for("random"), [0.5] * 12).params(13) is None


def test_trials_that_confirm_another_one_take_no_place() -> None:
    """Trials 12 and 13 are further seeds: trial 15 is the fourteenth of the search."""
    recipe = recipe_for()
    found = openings(recipe, [number / 100 for number in range(12)], {12: 0, 13: 0})

    assert len(differences(sobol_point(recipe, 11, {}), found.params(15))) == 1
    assert found.params(17) == sobol_point(recipe, 15, {})


def test_what_the_recipe_names_comes_before_everything_else() -> None:
    params: dict[str, ParamValue] = {"activation": "elu", "batch_norm": True, "dropout": 0.25}
    found = openings(recipe_for(start=[{"label": "mine", "params": params}]), [])
    start = found.start(0)

    assert found.params(0) == params
    assert start is not None
    assert start.label == "mine"
    assert found.start(1) is None
