"""Single dimensions: which values they have, and how a share of [0, 1) maps to a value."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.config.test_space import points
from tuner.config.dimensions import AnyDimension, Choice, Float, Int, contains


@given(low=st.integers(-50, 50), count=st.integers(0, 40), step=st.sampled_from([0.1, 0.25, 0.05, 1.0, 3.0]))
def test_a_range_with_steps_contains_both_ends(low: int, count: int, step: float) -> None:
    """Rounding does not remove the last point or add one after it."""
    dimension = Float(low=low, high=low + count * step, step=step)
    values = points(dimension)

    assert (values[0], len(values)) == (low, count + 1)
    assert values[-1] == pytest.approx(dimension.high)
    assert all(contains(dimension, value) for value in values)


def test_the_grid_of_a_logarithmic_int_doubles() -> None:
    """So it is short even for a wide range. A real number has a grid only if its range has one value."""
    assert Int(low=16, high=100, log=True).points() == (16, 32, 64)
    assert Float(low=0.5, high=0.5).points() == (0.5,)
    assert Float(low=0.1, high=0.5).points() is None


SHARES = st.integers(0, 2**30 - 1).map(lambda i: i / 2**30)  # the numbers of a Sobol sequence


@st.composite
def ranges(draw: st.DrawFn) -> Float | Int:
    """Generate a range of real or whole numbers, logarithmic, with steps, or neither."""
    log: bool = draw(st.booleans())
    if draw(st.booleans()):
        whole = st.integers(1 if log else -1000, 10_000)
        start, end = sorted((draw(whole), draw(whole)))
        return Int(low=start, high=end, log=log, step=1 if log else draw(st.integers(1, 50)))
    numbers = st.floats(1e-8 if log else -1e6, 1e6)
    low, high = sorted((draw(numbers), draw(numbers)))
    return Float(low=low, high=high, log=log, step=None if log else draw(st.sampled_from([None, 0.05, 0.1, 0.25, 3.0])))


@given(ranges(), SHARES, SHARES)
def test_a_number_between_0_and_1_maps_to_a_value_of_the_range(dimension: Float | Int, u: float, v: float) -> None:
    """The value is inside the range and on a step, and it does not decrease as the number grows."""
    lower, upper = sorted((u, v))

    assert contains(dimension, dimension.at(u))
    assert type(dimension.at(u)) is type(dimension.low)
    assert dimension.at(0.0) == pytest.approx(dimension.low, abs=1e-11)  # steps are rounded to 12 digits
    assert dimension.at(lower) <= dimension.at(upper)


@given(low=st.integers(1, 500), extra=st.integers(0, 500), log=st.booleans(), step=st.integers(1, 7))
def test_both_ends_of_an_int_can_be_reached(low: int, extra: int, log: bool, step: int) -> None:
    """The first and the last share map to them. Without a logarithm, all values have equal shares."""
    dimension = Int(low=low, high=low + extra, log=log, step=1 if log else step)
    last = low + extra if log else points(dimension)[-1]
    size = dimension.size()

    assert (dimension.at(0.0), dimension.at(1 - 2**-30)) == (low, last)
    assert log or tuple(dimension.at((i + 0.5) / size) for i in range(size)) == points(dimension)


@given(st.integers(1, 40))
def test_all_choices_have_equal_shares(count: int) -> None:
    """The shares are in the order of the list."""
    dimension = Choice(choices=tuple(range(count)))

    assert tuple(dimension.at((i + 0.5) / count) for i in range(count)) == dimension.choices
    assert (dimension.at(0.0), dimension.at(1 - 2**-30)) == (0, count - 1)


def test_the_middle_of_a_logarithmic_range_is_the_geometric_mean() -> None:
    """All orders of magnitude have equal shares."""
    assert Float(low=1e-5, high=1e-1, log=True).at(0.5) == pytest.approx(1e-3)
    assert Int(low=16, high=256, log=True).at(0.5) == pytest.approx(64, abs=1)
    assert [Float(low=0.0, high=0.5, step=0.1).at(u) for u in (0.0, 0.5, 0.99)] == [0.0, 0.3, 0.5]


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        (Float, {"low": 1, "high": 0.5}, r"low <= high must hold, got low=1\.0, high=0\.5"),
        (Int, {"low": 3, "high": 2}, r"low <= high must hold, got low=3, high=2"),
        (Float, {"low": 0, "high": 1, "log": True}, r"the low end of a log range must be above 0, got low=0\.0"),
        (Int, {"low": -1, "high": 1, "log": True}, r"the low end of a log range must be above 0, got low=-1"),
        (Int, {"low": 1, "high": 9, "log": True, "step": 2}, r"log and step cannot be combined, got step=2"),
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
    """The message states the rule and the value."""
    with pytest.raises(ValidationError, match=message):
        kind.model_validate(settings)


def test_choices_of_different_types_are_different() -> None:
    """``true``, ``1`` and ``1.0`` are equal in Python, but they are three choices."""
    assert Choice(choices=(True, 1, 1.0)).choices == (True, 1, 1.0)
