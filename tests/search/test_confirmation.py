"""Confirming the best configurations: which are chosen, how they are ranked, and when a lead is within noise."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner.search.confirmation import chosen, lead, standings


def test_the_best_different_configurations_of_the_search_are_chosen() -> None:
    """No configuration is chosen twice, and no confirming trial is chosen."""
    values = {0: 0.9, 1: 0.95, 2: 0.95, 3: 0.99, 4: 0.8}
    identities = {0: "a", 1: "b", 2: "b", 3: "a", 4: "c"}

    assert chosen(values, {3: 0}, identities, best=3, maximize=True) == [1, 0, 4]
    assert chosen(values, {3: 0}, identities, best=2, maximize=False) == [4, 0]


def test_the_value_for_which_a_configuration_was_chosen_does_not_count() -> None:
    """It may have been the luckiest of many trials. The further seeds decide."""
    values = {0: 0.99, 1: 0.98, 2: 0.90, 3: 0.92, 4: 0.95, 5: 0.97}
    ranking = standings(values, {2: 0, 3: 0, 4: 1, 5: 1}, maximize=True)

    assert [standing.trial for standing in ranking] == [1, 0]
    assert ranking[0].mean == pytest.approx(0.96)
    assert ranking[0].values == (0.95, 0.97)
    assert ranking[0].representative == 1
    assert ranking[1].representative == 0


def test_the_standard_error_is_the_pooled_one() -> None:
    """By hand, for two configurations with two seeds: the variance is (2e-4 + 8e-4) / 2, that of a mean half of it."""
    ranking = standings({0: 1, 1: 1, 2: 0.50, 3: 0.52, 4: 0.70, 5: 0.74}, {2: 0, 3: 0, 4: 1, 5: 1}, maximize=True)

    assert [standing.error for standing in ranking] == [pytest.approx(math.sqrt(5e-4 / 2))] * 2


def test_with_one_seed_per_configuration_there_is_a_mean_and_no_error() -> None:
    """The spread between seeds is unknown, so there is no statement about the lead either."""
    ranking = standings({0: 0.9, 1: 0.8, 2: 0.85, 3: 0.86}, {2: 0, 3: 1}, maximize=False)

    assert [(standing.trial, standing.error) for standing in ranking] == [(0, None), (1, None)]
    assert lead(ranking) is None
    assert lead(ranking[:1]) is None


def test_a_seed_that_failed_is_left_out() -> None:
    """Only complete trials have values."""
    assert standings({0: 0.9}, {1: 0}, maximize=True) == []


@pytest.mark.parametrize(("second", "noise"), [(0.955, True), (0.90, False)])
def test_a_lead_below_two_standard_errors_is_within_noise(second: float, noise: bool) -> None:
    """Other seeds might reverse it."""
    values = {0: 1.0, 1: 1.0, 2: 0.95, 3: 0.97, 4: second - 0.01, 5: second + 0.01}
    result = lead(standings(values, {2: 0, 3: 0, 4: 1, 5: 1}, maximize=True))

    assert result is not None
    assert (result.first, result.second) == (0, 1)
    assert result.difference == pytest.approx(0.96 - second)
    assert result.within_noise is noise


@given(st.lists(st.tuples(st.floats(-1, 1), st.integers(0, 3)), min_size=4, max_size=20))
def test_the_best_mean_comes_first_in_both_directions(trials: list[tuple[float, int]]) -> None:
    """Negated values that are minimised have the same order as the values that are maximised."""
    values = dict(enumerate(value for value, _ in trials))
    confirms = {number: original for number, (_, original) in enumerate(trials) if number > 3}
    up = standings(values, confirms, maximize=True)
    down = standings({number: -value for number, value in values.items()}, confirms, maximize=False)

    assert [standing.trial for standing in up] == [standing.trial for standing in down]
    assert [standing.mean for standing in up] == sorted((standing.mean for standing in up), reverse=True)
