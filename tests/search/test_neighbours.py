"""Neighbours of a configuration: what a search tries beside what its model proposes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner.config.dimensions import AnyDimension, Choice, Float, Int
from tuner.config.recipe import load_recipe
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
    return {name for name in {*BEST, *other} if BEST.get(name) != other.get(name)}


@given(seed=st.integers(0, 2**31 - 1))
def test_a_neighbour_differs_in_one_choice_and_in_what_follows_from_it(seed: int) -> None:
    found = list(neighbours(SPACE, BEST, seed))
    differences = {frozenset(names_that_differ(each)) for each in found}

    assert len(found) == 3
    assert differences == {
        frozenset({"layers", "units_1"}),  # one layer: there is no second width
        frozenset({"layers", "units_2"}),  # three: the third is drawn
        frozenset({"optimizer", "momentum"}),
    }


@given(seed=st.integers(0, 2**31 - 1), u=st.floats(0, 1, exclude_max=True))
def test_neighbours_in_the_space_for_mnist_could_have_been_drawn(seed: int, u: float) -> None:
    """They have just the parameters that exist with their choices, each in its range."""
    space = load_recipe("mnist").search_space

    def check(name: str, dim: AnyDimension) -> ParamValue:
        value = neighbour[name]
        assert value in dim.choices if isinstance(dim, Choice) else dim.low <= value <= dim.high  # type: ignore[operator]
        return value

    for neighbour in neighbours(space, space.draw(lambda _, dim: dim.at(u)), seed):
        assert space.draw(check) == neighbour


def test_every_parameter_is_exchanged_once_before_any_again() -> None:
    space = SearchSpace({"a": Choice(choices=(1, 2, 3)), "b": Choice(choices=(1, 2, 3)), "c": Choice(choices=(1,))})
    changed = [next(n for n in "ab" if each[n] != 1) for each in neighbours(space, {"a": 1, "b": 1, "c": 1}, 0)]

    assert [set(changed[:2]), set(changed[2:])] == [{"a", "b"}, {"a", "b"}]


def test_the_order_follows_from_the_seed() -> None:
    assert list(neighbours(SPACE, BEST, 1)) == list(neighbours(SPACE, BEST, 1))
    assert len({str(next(neighbours(SPACE, BEST, seed))) for seed in range(20)}) > 1


@pytest.mark.parametrize("missing", range(3))
def test_what_was_tried_is_not_tried_again(missing: int) -> None:
    found = list(neighbours(SPACE, BEST, 0))
    tried = {identity(each) for each in found if each is not found[missing]}

    assert untried_neighbour(SPACE, BEST, 0, tried=tried) == found[missing]
    assert untried_neighbour(SPACE, BEST, 0, tried={*tried, identity(found[missing])}) is None


def test_a_space_without_choices_has_no_neighbours() -> None:
    assert list(neighbours(SearchSpace({"dropout": Float(low=0, high=1)}), {"dropout": 0.5}, 0)) == []
    assert list(neighbours(SearchSpace({}), {}, 0)) == []
