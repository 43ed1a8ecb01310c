"""Neighbours of a configuration: they differ from it in one choice."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner.config.dimensions import AnyDimension, Choice, Float, Int
from tuner.config.recipe_files import load_recipe
from tuner.config.space import SearchSpace
from tuner.records import ParamValue
from tuner.search.neighbours import identity, neighbours, untried_neighbour

SPACE = SearchSpace(
    {
        "layers": Int(low=1, high=3),
        "units": Int(low=64, high=512, log=True),
        "optimizer": Choice(choices=("adam", "sgd")),
        "momentum": Float(low=0.8, high=0.98, when={"optimizer": "sgd"}),
        "dropout": Float(low=0.0, high=0.5),
    },
    per={"units": "layers"},
)
BEST: dict[str, ParamValue] = {"layers": 2, "units_0": 100, "units_1": 200, "optimizer": "adam", "dropout": 0.1}


def names_that_differ(other: dict[str, ParamValue]) -> set[str]:
    """Return the parameters in which a configuration differs from ``BEST``."""
    return {name for name in {*BEST, *other} if BEST.get(name) != other.get(name)}


@given(seed=st.integers(0, 2**31 - 1))
def test_a_neighbour_differs_in_one_choice_and_in_the_parameters_that_depend_on_it(seed: int) -> None:
    candidates = list(neighbours(SPACE, BEST, seed))
    differences = {frozenset(names_that_differ(candidate)) for candidate in candidates}

    assert len(candidates) == 3
    assert differences == {
        frozenset({"layers", "units_1"}),  # with one layer there is no second width
        frozenset({"layers", "units_2"}),  # with three layers the third width is drawn
        frozenset({"optimizer", "momentum"}),
    }


@given(seed=st.integers(0, 2**31 - 1), u=st.floats(0, 1, exclude_max=True))
def test_neighbours_in_the_search_space_of_fashion_mnist_are_valid_draws(seed: int, u: float) -> None:
    """They have exactly the parameters that exist with their choices, and all values are in range."""
    space = load_recipe("fashion_mnist").search_space

    def check(name: str, dim: AnyDimension) -> ParamValue:
        value = neighbour[name]
        assert value in dim.choices if isinstance(dim, Choice) else dim.low <= value <= dim.high  # type: ignore[operator]
        return value

    for neighbour in neighbours(space, space.draw(lambda _, dim: dim.at(u)), seed):
        assert space.draw(check) == neighbour


def test_every_parameter_is_changed_once_before_any_is_changed_again() -> None:
    space = SearchSpace({"a": Choice(choices=(1, 2, 3)), "b": Choice(choices=(1, 2, 3)), "c": Choice(choices=(1,))})
    candidates = neighbours(space, {"a": 1, "b": 1, "c": 1}, 0)
    changed = [next(name for name in "ab" if candidate[name] != 1) for candidate in candidates]

    assert [set(changed[:2]), set(changed[2:])] == [{"a", "b"}, {"a", "b"}]


def test_the_order_follows_from_the_seed() -> None:
    assert list(neighbours(SPACE, BEST, 1)) == list(neighbours(SPACE, BEST, 1))
    assert len({str(next(neighbours(SPACE, BEST, seed))) for seed in range(20)}) > 1


@pytest.mark.parametrize("missing", range(3))
def test_a_neighbour_that_was_tried_is_not_returned_again(missing: int) -> None:
    candidates = list(neighbours(SPACE, BEST, 0))
    tried = {identity(candidate) for candidate in candidates if candidate is not candidates[missing]}

    assert untried_neighbour(SPACE, BEST, 0, tried=tried) == candidates[missing]
    assert untried_neighbour(SPACE, BEST, 0, tried={*tried, identity(candidates[missing])}) is None


def test_a_space_without_choices_has_no_neighbours() -> None:
    assert list(neighbours(SearchSpace({"dropout": Float(low=0, high=1)}), {"dropout": 0.5}, 0)) == []
    assert list(neighbours(SearchSpace({}), {}, 0)) == []
