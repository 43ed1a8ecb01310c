"""The winner is the configuration with the best mean of further seeds, and a lead is said to be noise where it is."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner.search.confirmation import chosen, lead, standings


def test_the_best_different_configurations_are_chosen_among_those_that_the_search_found() -> None:
    """Not the same one twice, and none of the further seeds themselves."""
    values = {0: 0.9, 1: 0.95, 2: 0.95, 3: 0.99, 4: 0.8}
    identities = {0: "a", 1: "b", 2: "b", 3: "a", 4: "c"}

    assert chosen(values, {3: 0}, identities, best=3, maximize=True) == [1, 0, 4]
    assert chosen(values, {3: 0}, identities, best=2, maximize=False) == [4, 0]


def test_the_value_that_got_a_configuration_chosen_does_not_count() -> None:
    """It was the luckiest of many: the further seeds decide."""
    values = {0: 0.99, 1: 0.98, 2: 0.90, 3: 0.92, 4: 0.95, 5: 0.97}
    found = standings(values, {2: 0, 3: 0, 4: 1, 5: 1}, maximize=True)

    assert [each.trial for each in found] == [1, 0]
    assert found[0].mean == pytest.approx(0.96)
    assert found[0].values == (0.95, 0.97)
    assert found[0].representative == 1
    assert found[1].representative == 0


def test_the_standard_error_is_the_pooled_one() -> None:
    """Two configurations with two seeds each, by hand: the variance is (2e-4 + 8e-4) / 2, of a mean half of it."""
    found = standings({0: 1, 1: 1, 2: 0.50, 3: 0.52, 4: 0.70, 5: 0.74}, {2: 0, 3: 0, 4: 1, 5: 1}, maximize=True)

    assert [each.error for each in found] == [pytest.approx(math.sqrt(5e-4 / 2))] * 2


def test_one_seed_each_gives_a_mean_without_an_error() -> None:
    """Nothing is known about the noise, so nothing is said about the lead."""
    found = standings({0: 0.9, 1: 0.8, 2: 0.85, 3: 0.86}, {2: 0, 3: 1}, maximize=False)

    assert [(each.trial, each.error) for each in found] == [(0, None), (1, None)]
    assert lead(found) is None
    assert lead(found[:1]) is None


def test_a_seed_that_failed_is_left_out() -> None:
    """Only complete trials have values."""
    assert standings({0: 0.9}, {1: 0}, maximize=True) == []


@pytest.mark.parametrize(("second", "noise"), [(0.955, True), (0.90, False)])
def test_a_lead_below_two_standard_errors_is_noise(second: float, noise: bool) -> None:
    """Other seeds might turn it round."""
    values = {0: 1.0, 1: 1.0, 2: 0.95, 3: 0.97, 4: second - 0.01, 5: second + 0.01}
    found = lead(standings(values, {2: 0, 3: 0, 4: 1, 5: 1}, maximize=True))

    assert found is not None
    assert (found.first, found.second) == (0, 1)
    assert found.difference == pytest.approx(0.96 - second)
    assert found.within_noise is noise


@given(st.lists(st.tuples(st.floats(-1, 1), st.integers(0, 3)), min_size=4, max_size=20))
def test_turning_the_direction_round_turns_the_order_round(drawn: list[tuple[float, int]]) -> None:
    """The best mean comes first, whichever way is better."""
    values = dict(enumerate(value for value, _ in drawn))
    confirms = {number: original for number, (_, original) in enumerate(drawn) if number > 3}
    up = standings(values, confirms, maximize=True)
    down = standings({number: -value for number, value in values.items()}, confirms, maximize=False)

    assert [each.trial for each in up] == [each.trial for each in down]
    assert [each.mean for each in up] == sorted((each.mean for each in up), reverse=True)
