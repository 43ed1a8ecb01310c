"""Incumbents: who is best while a study runs, and whose models stay on disk."""

from __future__ import annotations

from tests.recipes import small_recipe
from tuner.config.objectives import objective_table
from tuner.run.incumbents import Incumbents
from tuner.search.samplers import make_rungs
from tuner.search.study_state import StudyState


def state_with(confirmations: dict[int, int]) -> StudyState:
    """Return the state of a study with these confirmations."""
    state = StudyState(make_rungs(small_recipe()))
    for number, original in confirmations.items():
        state.add_confirmation(number, original)
    return state


def leaders(
    values: dict[int, float], confirms: dict[int, int] | None = None, **changes: dict[str, object]
) -> Incumbents:
    """Return the leaders of a study that maximises, after these complete trials; trial n took n seconds."""
    recipe = small_recipe().changed(**changes)
    found = Incumbents(recipe, state_with(confirms or {}))
    for number, value in values.items():
        found.add(number, (value,), float(number))
    return found


def test_nobody_leads_before_a_trial_is_complete() -> None:
    found = leaders({})

    assert (found.best(), found.winner(), found.seeds_of_winner(), found.seconds_of_best()) == (None, None, [], [])


def test_the_earlier_of_equals_is_best_in_whatever_order_they_end() -> None:
    assert leaders({3: 0.9, 1: 0.9, 2: 0.8}).best() == (1, 0.9)


def test_the_winner_is_who_has_the_best_mean_of_further_seeds() -> None:
    """Trial 0 was lucky: its further seeds 2 and 3 are worse than 4 and 5, those of trial 1."""
    found = leaders({0: 0.99, 1: 0.98, 2: 0.90, 3: 0.91, 4: 0.95, 5: 0.96}, {2: 0, 3: 0, 4: 1, 5: 1})

    assert found.best() == (0, 0.99)
    assert found.winner() == 1
    assert found.seeds_of_winner() == [1, 4, 5]


def test_a_further_seed_that_begins_later_counts_too() -> None:
    state = state_with({})
    found = Incumbents(small_recipe(), state)
    for number, value in {0: 0.9, 1: 0.8}.items():
        found.add(number, (value,), 1.0)
    state.add_confirmation(2, 0)
    found.add(2, (0.95,), 1.0)

    assert found.winner() == 2


def test_seconds_are_those_of_the_trials_to_be_confirmed() -> None:
    assert leaders({1: 0.7, 2: 0.9, 3: 0.8}, winner={"confirm": 2, "seeds": 1}).seconds_of_best() == [2.0, 3.0]


def test_models_stay_of_the_best_of_the_winner_and_of_the_front() -> None:
    budget: dict[str, object] = {"keep": 1}
    assert leaders({0: 0.7, 1: 0.9, 2: 0.8}, budget=budget).superfluous([0, 1, 2, 9]) == [2, 0, 9]
    assert leaders({0: 0.7, 1: 0.9, 2: 0.8}, {2: 0}, budget=budget).superfluous([0, 1, 2]) == []

    several = Incumbents(
        small_recipe().changed(objective=objective_table("val_accuracy,parameters"), budget=budget), state_with({})
    )
    for number, values in enumerate([(0.9, 900.0), (0.8, 100.0), (0.7, 500.0)]):
        several.add(number, values, 1.0)
    assert several.superfluous([0, 1, 2]) == [2]
