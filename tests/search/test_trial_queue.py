"""The queue of a study: how it counts trials, and which paused trial it promotes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.trial import TrialState

from tests.recipes import small_recipe
from tuner.search.samplers import make_rungs
from tuner.search.study_state import StudyState
from tuner.search.trial_queue import TrialQueue

RECIPE = small_recipe(budget={"trials": 9, "epochs": 9}, search={"sampler": "random", "pruner": "asha"})


def pause(state: StudyState, number: int, value: float) -> None:
    """Pause a trial at the first rung."""
    state.set_trial_state(number, TrialState.WAITING)
    state.rungs.restore(number, [value], paused=True, complete=False)


@given(kinds=st.lists(st.sampled_from(["paused", "refused", *TrialState]), max_size=30))
def test_a_paused_trial_does_not_count_as_waiting_and_a_refused_one_not_as_pruned(kinds: list[Any]) -> None:
    """In Optuna's terms a paused trial waits and a refused one is pruned. The queue counts every trial once."""
    state = StudyState(make_rungs(RECIPE))
    for number, kind in enumerate(kinds):
        if kind == "paused":
            pause(state, number, 0.5)
        elif kind == "refused":
            state.set_trial_state(number, TrialState.PRUNED)
            state.refuse(number)
        else:
            state.set_trial_state(number, kind)
    counts = TrialQueue(RECIPE, state).counts()

    assert counts.total == len(kinds)
    assert (counts.paused, counts.refused) == (kinds.count("paused"), kinds.count("refused"))
    assert (counts.waiting, counts.pruned) == (kinds.count(TrialState.WAITING), kinds.count(TrialState.PRUNED))
    assert (counts.complete, counts.failed) == (kinds.count(TrialState.COMPLETE), kinds.count(TrialState.FAIL))
    assert counts.running == kinds.count(TrialState.RUNNING)


@pytest.mark.parametrize(
    ("confirm", "others", "promoted"),
    [
        (0, [], 1),
        (0, [TrialState.COMPLETE], None),
        (0, [TrialState.RUNNING], None),
        (2, [TrialState.COMPLETE], 1),
        (2, [TrialState.COMPLETE, TrialState.RUNNING], None),
    ],
)
def test_late_in_the_search_the_best_paused_trial_is_promoted_if_too_few_are_complete(
    confirm: int, others: list[TrialState], promoted: int | None
) -> None:
    """One complete trial is enough, or as many as are to be confirmed. A running trial may become complete."""
    recipe = RECIPE.changed(winner={"confirm": confirm})
    state = StudyState(make_rungs(recipe))
    pause(state, 0, 0.5)
    pause(state, 1, 0.6)
    for number, trial_state in enumerate(others, start=2):
        state.set_trial_state(number, trial_state)
    queue = TrialQueue(recipe, state)

    assert queue.promotable() is None
    assert queue.promotable(late=True) == promoted


def test_trials_that_finished_later_include_paused_ones_but_no_confirmations_and_no_refused_ones() -> None:
    """A plateau is measured with this number."""
    state = StudyState(make_rungs(RECIPE))
    states = [TrialState.COMPLETE, TrialState.COMPLETE, TrialState.PRUNED, TrialState.COMPLETE, TrialState.PRUNED]
    for number, trial_state in enumerate([*states, TrialState.FAIL, TrialState.RUNNING]):
        state.set_trial_state(number, trial_state)
    state.add_confirmation(3, 0)
    state.refuse(4)
    pause(state, 7, 0.5)

    assert TrialQueue(RECIPE, state).finished_after(0) == 3  # trials 1, 2 and 7
    assert TrialQueue(RECIPE, state).finished_after(2) == 1
