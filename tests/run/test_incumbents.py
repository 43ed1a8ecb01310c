"""The incumbent, the winner, and which models are kept while a study runs."""

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


def incumbents_of(
    values: dict[int, float], confirms: dict[int, int] | None = None, **changes: dict[str, object]
) -> Incumbents:
    """Rank these complete trials by accuracy; trial n took n seconds."""
    recipe = small_recipe().changed(**changes)
    incumbents = Incumbents(recipe, state_with(confirms or {}))
    for number, value in values.items():
        incumbents.add(number, (value,), float(number))
    return incumbents


def test_there_is_no_incumbent_before_a_trial_is_complete() -> None:
    incumbents = incumbents_of({})

    assert (incumbents.best(), incumbents.winner(), incumbents.seeds_of_winner(), incumbents.seconds_of_best()) == (
        None,
        None,
        [],
        [],
    )


def test_of_equal_trials_the_one_with_the_lower_number_is_best_in_whatever_order_they_end() -> None:
    assert incumbents_of({3: 0.9, 1: 0.9, 2: 0.8}).best() == (1, 0.9)


def test_the_winner_has_the_best_mean_of_its_confirmations() -> None:
    """Trial 0 was lucky: its confirmations 2 and 3 are worse than 4 and 5, which confirm trial 1."""
    incumbents = incumbents_of({0: 0.99, 1: 0.98, 2: 0.90, 3: 0.91, 4: 0.95, 5: 0.96}, {2: 0, 3: 0, 4: 1, 5: 1})

    assert incumbents.best() == (0, 0.99)
    assert incumbents.winner() == 1
    assert incumbents.seeds_of_winner() == [1, 4, 5]


def test_a_confirmation_that_is_added_later_counts_too() -> None:
    state = state_with({})
    incumbents = Incumbents(small_recipe(), state)
    for number, value in {0: 0.9, 1: 0.8}.items():
        incumbents.add(number, (value,), 1.0)
    state.add_confirmation(2, 0)
    incumbents.add(2, (0.95,), 1.0)

    assert incumbents.winner() == 2


def test_the_seconds_of_the_best_are_those_of_the_trials_to_be_confirmed() -> None:
    assert incumbents_of({1: 0.7, 2: 0.9, 3: 0.8}, winner={"confirm": 2, "seeds": 1}).seconds_of_best() == [2.0, 3.0]


def test_the_models_of_the_best_of_the_confirmed_and_of_the_front_are_kept() -> None:
    budget: dict[str, object] = {"keep": 1}
    assert incumbents_of({0: 0.7, 1: 0.9, 2: 0.8}, budget=budget).superfluous([0, 1, 2, 9]) == [2, 0, 9]
    assert incumbents_of({0: 0.7, 1: 0.9, 2: 0.8}, {2: 0}, budget=budget).superfluous([0, 1, 2]) == []

    several = Incumbents(
        small_recipe().changed(objective=objective_table("val_accuracy,parameters"), budget=budget), state_with({})
    )
    for number, values in enumerate([(0.9, 900.0), (0.8, 100.0), (0.7, 500.0)]):
        several.add(number, values, 1.0)
    assert several.superfluous([0, 1, 2]) == [2]
