"""Which trials get their parameters without the sampler, and which parameters."""

from __future__ import annotations

from typing import Any

import optuna
import pytest

from tests.recipes import small_recipe
from tuner.config.recipe import Recipe
from tuner.config.tables import Start
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
    """Return a search over three dimensions."""
    search = {"sampler": sampler, "pruner": "none", "seed": 3}
    return small_recipe(**{"space": SPACE, "search": search, "objective": {"metric": metric}} | changes)


def initial_params_of(
    recipe: Recipe,
    values: list[float],
    confirms: dict[int, int] | None = None,
    starts: dict[int, Start] | None = None,
) -> InitialParams:
    """Return the initial parameters of a study with one complete trial per value, at points of the Sobol sequence."""
    study = optuna.create_study(direction="maximize" if recipe.objective.maximize else "minimize")
    for number, value in enumerate(values):
        params = sobol_point(recipe, number, {})
        space = {name: distribution(recipe.search_space.dimensions[name]) for name in params}
        study.add_trial(optuna.trial.create_trial(params=params, distributions=space, value=value))
    state = StudyState(make_rungs(recipe))
    for number, original in (confirms or {}).items():
        state.add_confirmation(number, original)
    for number, start in (starts or {}).items():
        state.record_start(number, start)
    return InitialParams(recipe, study, state)


def differences(one: dict[str, ParamValue], other: Any) -> set[str]:
    """Return the names of the parameters whose values differ."""
    return {name for name in one if one[name] != other[name]}


@pytest.mark.parametrize(("metric", "best"), [("val_accuracy", 11), ("val_loss", 0)])
def test_every_fourth_trial_is_a_neighbour_of_the_best(metric: str, best: int) -> None:
    """If the good trials agree in a choice, TPE hardly proposes another one. So the search does."""
    recipe = recipe_for(metric=metric)
    initial_params = initial_params_of(recipe, [number / 100 for number in range(12)])

    for number in (13, 17, 21, 25):
        changed = differences(sobol_point(recipe, best, {}), initial_params.params(number))
        assert changed in ({"batch_norm"}, {"activation"})


def test_every_eighth_trial_covers_the_space_and_the_sampler_proposes_the_others() -> None:
    recipe = recipe_for()
    initial_params = initial_params_of(recipe, [number / 100 for number in range(12)])

    assert [initial_params.params(number) for number in (15, 23)] == [
        sobol_point(recipe, number, {}) for number in (15, 23)
    ]
    assert [initial_params.params(number) for number in (12, 14, 16, 18, 19, 20, 22)] == [None] * 7


def test_the_first_trials_cover_the_space() -> None:
    recipe = recipe_for()
    initial_params = initial_params_of(recipe, [0.5] * (STARTUP - 1))

    assert initial_params.params(STARTUP - 1) == sobol_point(recipe, STARTUP - 1, {})


def test_if_all_neighbours_were_tried_the_sampler_proposes_the_trial() -> None:
    recipe = recipe_for(space={"layers": 0, "batch_norm": SPACE["batch_norm"], "activation": SPACE["activation"]})

    assert initial_params_of(recipe, [number / 100 for number in range(12)]).params(13) is None


def test_a_sampler_that_does_not_learn_proposes_every_trial() -> None:
    assert initial_params_of(recipe_for("random"), [0.5] * 12).params(13) is None


def test_confirmations_do_not_count_in_the_sequence() -> None:
    """Trials 12 and 13 are confirmations, so trial 15 is the fourteenth of the search."""
    recipe = recipe_for()
    initial_params = initial_params_of(recipe, [number / 100 for number in range(12)], {12: 0, 13: 0})

    assert len(differences(sobol_point(recipe, 11, {}), initial_params.params(15))) == 1
    assert initial_params.params(17) == sobol_point(recipe, 15, {})


def test_start_configurations_come_before_the_sobol_points() -> None:
    params: dict[str, ParamValue] = {"activation": "elu", "batch_norm": True, "dropout": 0.25}
    recipe = recipe_for(start=[{"label": "mine", "params": params}])
    initial_params = initial_params_of(recipe, [])
    start = initial_params.start(0)

    assert initial_params.params(0) == params
    assert start is not None
    assert start.label == "mine"
    assert initial_params_of(recipe, [0.5], starts={0: start}).start(1) is None


def test_a_changed_list_of_start_configurations_is_tried_as_far_as_it_is_new() -> None:
    """What was tried is not tried again, whatever its new place or label. What is listed twice is tried twice."""
    tried, new = ({"label": f"{rate}", "params": {"dropout": rate}} for rate in (0.1, 0.2))
    state = {0: Start.model_validate(tried)}

    def next_label(*starts: dict[str, Any]) -> str | None:
        start = initial_params_of(recipe_for(start=list(starts)), [0.5], starts=state).start(1)
        return start.label if start else None

    assert next_label(new, tried) == "0.2"
    assert next_label({**tried, "label": "renamed"}, new) == "0.2"
    assert next_label(tried) is None
    assert next_label(tried, {**tried, "label": "again"}) == "again"


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_one_width_of_a_start_configuration_is_that_of_all_its_layers(sampler: str) -> None:
    """Not only of the first, whatever proposes the parameters that it leaves open."""
    space = {"layers": {"type": "int", "low": 1, "high": 4}, "units": {"type": "choice", "choices": [8, 16, 64]}}
    start = {"label": "wide", "params": {"layers": 3, "units": 64}}

    params = initial_params_of(recipe_for(sampler, space=space, start=[start]), []).params(0)

    assert params is not None
    assert {name: value for name, value in params.items() if name.startswith("units")} == {
        "units_0": 64, "units_1": 64, "units_2": 64,
    }  # fmt: skip
