"""A search space respects its conditions when it draws configurations, and its grid contains each one once."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner.config.dimensions import AnyDimension, Choice, Float, Int, contains
from tuner.config.space import SearchSpace
from tuner.errors import RecipeError
from tuner.records import ParamValue

NAMES = ("a", "b", "c", "d")
BOUNDS = st.integers(1, 6)


@st.composite
def finite_dimensions(draw: st.DrawFn, conditions: Mapping[str, ParamValue]) -> AnyDimension:
    """Generate a dimension with few values that exists under ``conditions``."""
    low, extra = draw(BOUNDS), draw(st.integers(0, 3))
    kinds: list[AnyDimension] = [
        Int(low=low, high=low + extra, when=dict(conditions)),
        Int(low=low, high=low * 2**extra, log=True, when=dict(conditions)),
        Float(low=low / 10, high=(low + extra) / 10, step=0.1, when=dict(conditions)),
        Choice(choices=tuple(range(low, low + extra + 1)), when=dict(conditions)),
        Choice(choices=("x", "y", False)[: extra + 1], when=dict(conditions)),
    ]
    return draw(st.sampled_from(kinds))


@st.composite
def spaces(draw: st.DrawFn) -> SearchSpace:
    """Generate up to four dimensions in any order, some of them conditional, and perhaps one that is in ``per``."""
    dimensions: dict[str, AnyDimension] = {}
    for name in NAMES[: draw(st.integers(1, len(NAMES)))]:
        conditions: dict[str, ParamValue] = {}
        conditional: bool = draw(st.booleans())
        if dimensions and conditional:
            other = draw(st.sampled_from(sorted(dimensions)))
            conditions[other] = draw(st.sampled_from(points(dimensions[other])))
        dimensions[name] = draw(finite_dimensions(conditions))
    per = {}
    if draw(st.booleans()):
        dimensions |= {"count": Int(low=0, high=2), "item": draw(finite_dimensions({}))}
        per = {"item": "count"}
    order = draw(st.permutations(sorted(dimensions)))
    return SearchSpace({name: dimensions[name] for name in order}, per=per)


def points(dimension: AnyDimension) -> tuple[ParamValue, ...]:
    """Return the values of a finite dimension."""
    values = dimension.points()
    assert values is not None
    return values


def is_possible(space: SearchSpace, params: Mapping[str, ParamValue]) -> bool:
    """Return whether a configuration has exactly the parameters that should exist. Does not use the code under test."""
    expected = set()
    for name, dimension in space.dimensions.items():
        if all(other in params and params[other] == value for other, value in dimension.when.items()):
            expected |= {f"item_{i}" for i in range(int(params["count"]))} if name == "item" else {name}
    return set(params) == expected


@given(spaces())
def test_every_grid_configuration_is_possible_and_distinct(space: SearchSpace) -> None:
    """No configuration repeats, no parameter exists if its condition fails, and all values are in their ranges."""
    grid = list(space.grid())

    assert len({tuple(sorted((name, repr(value)) for name, value in params.items())) for params in grid}) == len(grid)
    assert all(is_possible(space, params) for params in grid)
    assert all(
        contains(space.dimensions["item" if name.startswith("item_") else name], value)
        for params in grid
        for name, value in params.items()
    )


@given(spaces(), st.randoms(use_true_random=False))
def test_a_draw_contains_exactly_the_parameters_that_exist(space: SearchSpace, chance: random.Random) -> None:
    """Each of them is drawn once, and the grid contains the configuration."""
    names: list[str] = []

    def draw(name: str, dimension: AnyDimension) -> ParamValue:
        names.append(name)
        return chance.choice(points(dimension))

    params = space.draw(draw)

    assert sorted(names) == sorted(params)
    assert is_possible(space, params)
    assert params in list(space.grid())


@given(spaces())
def test_a_dimension_comes_after_those_that_it_depends_on(space: SearchSpace) -> None:
    """The order in the file does not matter."""
    order = list(space.dimensions)

    assert all(order.index(other) < order.index(name) for name in order for other in space.dimensions[name].when)
    assert "item" not in order or order.index("count") < order.index("item")


def test_dimensions_without_conditions_keep_the_order_of_the_file() -> None:
    """The sampler draws them in that order."""
    space = SearchSpace({name: Int(low=0, high=1) for name in ("z", "a", "m")})

    assert list(space.dimensions) == ["z", "a", "m"]


def test_units_are_drawn_once_per_layer() -> None:
    """Two layers have two widths, zero layers have none."""
    space = SearchSpace({"units": Int(low=4, high=5), "layers": Int(low=0, high=2)}, per={"units": "layers"})

    assert space.draw(lambda _, dimension: dimension.ends()[-1]) == {"layers": 2, "units_0": 5, "units_1": 5}
    assert space.draw(lambda _, dimension: dimension.ends()[0]) == {"layers": 0}
    assert len(list(space.grid())) == 1 + 2 + 4


def test_fixed_values_and_defaults_can_meet_conditions() -> None:
    """They work as drawn values do. Only drawn values are returned."""
    space = SearchSpace(
        {
            "momentum": Float(low=0.5, high=0.9, when={"optimizer": "sgd"}),
            "decay": Float(low=0.1, high=0.2, when={"schedule": "cosine"}),
        },
        fixed={"optimizer": "sgd"},
        defaults={"optimizer": "adam", "schedule": "constant"},
    )

    assert space.draw(lambda _, dimension: dimension.ends()[0]) == {"momentum": 0.5}
    assert space.fixed == {"optimizer": "sgd"}


def test_one_of_several_values_is_enough_for_a_condition() -> None:
    """A list in ``when`` allows any of its values. If ``when`` has several keys, all must hold."""
    dimension = Float(low=0, high=1, when={"optimizer": ("sgd", "rmsprop"), "layers": 2})

    assert dimension.applies({"optimizer": "rmsprop", "layers": 2})
    assert not dimension.applies({"optimizer": "rmsprop", "layers": 1})
    assert not dimension.applies({"optimizer": "adam", "layers": 2})
    assert not dimension.applies({"layers": 2})


@pytest.mark.parametrize(
    ("conditions", "message"),
    [
        ({"a": {"b": 1}, "b": {"a": 1}}, "'a' in .space. depends on 'b'"),
        ({"a": {"b": 1}, "b": {"c": 1}, "c": {"a": 1}}, "'a' in .space. depends on 'b'"),
        ({"a": {"a": 1}}, "'a' in .space. depends on 'a'"),
        ({"a": {"absent": 1}}, "'a' in .space. depends on 'absent'"),
    ],
)
def test_conditions_that_never_hold_are_refused(conditions: dict[str, dict[str, ParamValue]], message: str) -> None:
    """The condition is part of a circle, or names its own parameter or one that does not exist."""
    with pytest.raises(RecipeError, match=message) as caught:
        SearchSpace({name: Int(low=0, high=1, when=dict(when)) for name, when in conditions.items()})

    assert "circle" in str(caught.value.hint)


def test_a_grid_over_a_continuous_range_is_refused() -> None:
    """The message names the parameter and its range, and the hint says what to do."""
    space = SearchSpace({"rate": Float(low=0.1, high=0.5)})

    with pytest.raises(RecipeError, match=r"'rate' is any number from 0\.1 to 0\.5") as caught:
        list(space.grid())

    assert "`step`" in str(caught.value.hint)


@given(spaces())
def test_names_are_the_parameters_of_all_configurations(space: SearchSpace) -> None:
    """Every drawn name is among them, and without conditions every name is drawn at some time."""
    drawn = {name for params in space.grid() for name in params}

    assert drawn <= set(space.names())
    assert space.names() == sorted(set(space.names()))
    if not any(dimension.when for dimension in space.dimensions.values()):
        assert set(space.names()) == drawn


def test_names_include_the_largest_number_of_layers() -> None:
    """The number of layers may be a range, a choice, a fixed value, or the default if a condition fails."""
    units, switch = Int(low=4, high=5), Choice(choices=("on", "off"))

    def names(**settings: Any) -> list[str]:
        dimensions = {"units": units, **settings.pop("dimensions", {})}
        return [
            name for name in SearchSpace(dimensions, per={"units": "layers"}, **settings).names() if "units" in name
        ]

    assert names(dimensions={"layers": Int(low=0, high=2)}) == ["units_0", "units_1"]
    assert names(dimensions={"layers": Choice(choices=(3, 1))}) == ["units_0", "units_1", "units_2"]
    assert names(fixed={"layers": 1}) == ["units_0"]
    conditional = {"layers": Int(low=1, high=1, when={"switch": "on"}), "switch": switch}
    assert names(dimensions=conditional, defaults={"layers": 2}) == ["units_0", "units_1"]


@given(spaces(), st.integers(1, 60))
def test_a_space_fits_only_if_the_grid_contains_all_configurations(space: SearchSpace, limit: int) -> None:
    """A logarithmic range contains more numbers than its grid, so a space with one never fits."""
    whole = all(dimension.size() == len(points(dimension)) for dimension in space.dimensions.values())
    fits = space.fits(limit)

    assert not fits or (whole and len(list(space.grid())) <= limit)
    assert (
        fits
        or not whole
        or len(list(space.grid())) > limit
        or any((dimension.size() or 0) > limit for dimension in space.dimensions.values())
    )


@pytest.mark.parametrize(
    ("dimension", "limit", "fits"),
    [
        (Int(low=1, high=5), 5, True),
        (Int(low=1, high=5), 4, False),
        (Int(low=1, high=2, log=True), 2, True),
        (Int(low=1, high=8, log=True), 1000, False),
        (Float(low=0, high=0.5, step=0.1), 6, True),
        (Float(low=0, high=1, step=1e-9), 100, False),  # the billion values are not listed
        (Float(low=0, high=0.5), 1000, False),
        (Float(low=0.5, high=0.5), 1, True),
    ],
)
def test_a_dimension_fits_if_its_values_are_few(dimension: AnyDimension, limit: int, fits: bool) -> None:
    """All of its values must be on the grid, and at most as many as the limit."""
    assert SearchSpace({"only": dimension}).fits(limit) is fits
