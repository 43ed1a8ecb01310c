"""The grid sampler, and `auto` if it is a grid."""

from __future__ import annotations

from tests.recipes import small_recipe
from tests.search.conftest import CONDITIONAL, Starter, recipe_for, run_trial, stored_params
from tuner.records import ParamValue


def test_the_grid_visits_every_configuration_once(start: Starter) -> None:
    """In a shuffled order, even if the study is resumed. Then the search is exhausted, whatever the budget."""
    recipe = recipe_for("grid", space={**CONDITIONAL, "layers": 1, "units": {"type": "int", "low": 8, "high": 9}})
    grid = list(recipe.search_space.grid())
    ask_tell = start(recipe)
    for _ in range(3):
        run_trial(ask_tell)
    ask_tell = start(recipe.changed(budget={"trials": 1000}))
    while ask_tell.ask():
        pass
    visited = [stored_params(ask_tell, number) for number in range(len(grid))]

    assert ask_tell.queue.limit == len(grid) == ask_tell.queue.counts().total
    assert ask_tell.queue.exhausted
    assert visited != grid
    assert sorted(visited, key=repr_of) == sorted(grid, key=repr_of)


def test_the_grid_skips_no_configuration_for_the_start_configurations(start: Starter) -> None:
    """A start configuration on the grid is visited once. One between the points is visited in addition."""
    space = {"units": {"type": "int", "low": 8, "high": 64, "log": True}, "layers": 1}
    starts = [{"label": "on", "params": {"units_0": 32}}, {"label": "between", "params": {"units_0": 20}}]
    recipe = small_recipe(space=space, start=starts, search={"sampler": "grid", "pruner": "none"})
    ask_tell = start(recipe)
    visited = []
    while spec := ask_tell.ask():
        visited.append(spec.params["units_0"])

    assert visited[:2] == [32, 20]
    assert sorted(visited) == [8, 16, 20, 32, 64]


def test_auto_is_a_grid_if_the_budget_covers_the_space(start: Starter) -> None:
    """It tries every configuration once and then stops, even if the budget allows more trials."""
    space = {"layers": 1, "units": 8, "batch_size": {"type": "choice", "choices": [16, 32, 64]}}
    ask_tell = start(small_recipe(space=space, search={"sampler": "auto", "pruner": "none"}))
    visited = []
    while spec := ask_tell.ask():
        visited.append(spec.params["batch_size"])

    assert sorted(visited) == [16, 32, 64]
    assert ask_tell.queue.exhausted


def repr_of(params: dict[str, ParamValue]) -> str:
    """Return a key that sorts configurations of different shapes."""
    return repr(sorted(params.items()))
