"""A search space draws only what exists, in an order that conditions allow, and enumerates itself without repeats."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tuner.entries import contains
from tuner.errors import RecipeError
from tuner.records import ParamValue
from tuner.space import AnyDimension, Choice, Float, Int, SearchSpace

NAMES = ("a", "b", "c", "d")
BOUNDS = st.integers(1, 6)


@st.composite
def finite_dimensions(draw: st.DrawFn, conditions: Mapping[str, ParamValue]) -> AnyDimension:
    """A dimension with a few values that exists under ``conditions``."""
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
    """Up to four dimensions, each perhaps under a condition on another one, in any order; one may repeat per unit."""
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
        dimensions |= {"many": Int(low=0, high=2), "each": draw(finite_dimensions({}))}
        per = {"each": "many"}
    order = draw(st.permutations(sorted(dimensions)))
    return SearchSpace({name: dimensions[name] for name in order}, per=per)


def points(dimension: AnyDimension) -> tuple[ParamValue, ...]:
    """Return the values of a finite dimension."""
    found = dimension.points()
    assert found is not None
    return found


def is_possible(space: SearchSpace, params: Mapping[str, ParamValue]) -> bool:
    """Tell, without the code under test, whether each parameter of a configuration exists and no other is missing."""
    expected = set()
    for name, dimension in space.dimensions.items():
        if all(other in params and params[other] == value for other, value in dimension.when.items()):
            expected |= {f"each_{i}" for i in range(int(params["many"]))} if name == "each" else {name}
    return set(params) == expected


@given(spaces())
def test_every_grid_configuration_is_possible_and_distinct(space: SearchSpace) -> None:
    """The grid never repeats itself, never holds a parameter whose condition fails, and stays inside the ranges."""
    grid = list(space.grid())

    assert len({tuple(sorted((name, repr(value)) for name, value in params.items())) for params in grid}) == len(grid)
    assert all(is_possible(space, params) for params in grid)
    assert all(
        contains(space.dimensions["each" if name.startswith("each_") else name], value)
        for params in grid
        for name, value in params.items()
    )


@given(spaces(), st.randoms(use_true_random=False))
def test_a_draw_never_holds_a_parameter_whose_condition_fails(space: SearchSpace, chance: random.Random) -> None:
    """Each parameter that exists is drawn once; no other is; and the grid holds the same configuration."""
    asked: list[str] = []

    def draw(name: str, dimension: AnyDimension) -> ParamValue:
        asked.append(name)
        return chance.choice(points(dimension))

    params = space.draw(draw)

    assert sorted(asked) == sorted(params)
    assert is_possible(space, params)
    assert params in list(space.grid())


@given(spaces())
def test_whatever_a_dimension_depends_on_comes_before_it(space: SearchSpace) -> None:
    """The order of the file does not matter."""
    order = list(space.dimensions)

    assert all(order.index(other) < order.index(name) for name in order for other in space.dimensions[name].when)
    assert "each" not in order or order.index("many") < order.index("each")


def test_dimensions_without_conditions_keep_the_order_of_the_file() -> None:
    """Samplers see parameters as the person wrote them."""
    space = SearchSpace({name: Int(low=0, high=1) for name in ("z", "a", "m")})

    assert list(space.dimensions) == ["z", "a", "m"]


def test_a_dimension_is_repeated_per_unit() -> None:
    """Two layers have two widths of their own, none has none."""
    space = SearchSpace({"units": Int(low=4, high=5), "layers": Int(low=0, high=2)}, per={"units": "layers"})

    assert space.draw(lambda _, dimension: dimension.ends()[-1]) == {"layers": 2, "units_0": 5, "units_1": 5}
    assert space.draw(lambda _, dimension: dimension.ends()[0]) == {"layers": 0}
    assert len(list(space.grid())) == 1 + 2 + 4


def test_conditions_see_fixed_values_and_defaults() -> None:
    """A fixed value or a default switches a dimension on as a drawn one does; only drawn values are returned."""
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
    """A list in ``when`` means any of them; several keys must all hold."""
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
    """A circle, a dimension on itself, and one on a parameter that does not exist."""
    with pytest.raises(RecipeError, match=message) as caught:
        SearchSpace({name: Int(low=0, high=1, when=dict(when)) for name, when in conditions.items()})

    assert "circle" in str(caught.value.hint)


def test_a_grid_over_a_continuous_range_is_refused() -> None:
    """The message names the parameter and the hint says what to do."""
    space = SearchSpace({"rate": Float(low=0.1, high=0.5)})

    with pytest.raises(RecipeError, match=r"'rate' is any number from 0\.1 to 0\.5") as caught:
        list(space.grid())

    assert "`step`" in str(caught.value.hint)


@given(low=st.integers(-50, 50), count=st.integers(0, 40), step=st.sampled_from([0.1, 0.25, 0.05, 1.0, 3.0]))
def test_a_stepped_range_holds_both_of_its_ends(low: int, count: int, step: float) -> None:
    """Rounding neither loses the last point nor adds one behind it."""
    dimension = Float(low=low, high=low + count * step, step=step)
    found = points(dimension)

    assert (found[0], len(found)) == (low, count + 1)
    assert found[-1] == pytest.approx(dimension.high)
    assert all(contains(dimension, value) for value in found)


def test_a_logarithmic_range_of_whole_numbers_doubles() -> None:
    """Its grid is short, however wide it is."""
    assert Int(low=16, high=100, log=True).points() == (16, 32, 64)
    assert Float(low=0.5, high=0.5).points() == (0.5,)
    assert Float(low=0.1, high=0.5).points() is None


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        (Float, {"low": 1, "high": 0.5}, r"low <= high must hold, got low=1\.0, high=0\.5"),
        (Int, {"low": 3, "high": 2}, r"low <= high must hold, got low=3, high=2"),
        (Float, {"low": 0, "high": 1, "log": True}, r"a log range must not touch 0, got low=0\.0"),
        (Int, {"low": -1, "high": 1, "log": True}, r"a log range must not touch 0, got low=-1"),
        (Int, {"low": 1, "high": 9, "log": True, "step": 2}, r"log and step exclude each other, got step=2"),
        (Float, {"low": 0, "high": 1, "step": 0}, r"greater than 0"),
        (Int, {"low": 0, "high": 1, "step": 0}, r"greater than or equal to 1"),
        (Float, {"low": 0, "high": float("inf")}, r"finite number"),
        (Float, {"low": float("nan"), "high": 1}, r"finite number"),
        (Choice, {"choices": []}, r"at least 1 item"),
        (Choice, {"choices": ["a", "b", "a"]}, r"choices must differ, got \['a', 'b', 'a'\]"),
        (Choice, {"choices": ["a"], "log": True}, r"Extra inputs"),
    ],
)
def test_impossible_ranges_are_refused(kind: type[AnyDimension], settings: dict[str, Any], message: str) -> None:
    """Each rule states itself and the values seen."""
    with pytest.raises(ValidationError, match=message):
        kind.model_validate(settings)


def test_choices_of_different_types_are_different() -> None:
    """``true``, ``1`` and ``1.0`` compare equal in Python and are still three choices."""
    assert Choice(choices=(True, 1, 1.0)).choices == (True, 1, 1.0)
