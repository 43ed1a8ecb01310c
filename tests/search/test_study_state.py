"""The state of a running study: which transitions it records, what it counts, and why it stops."""

from __future__ import annotations

from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.trial import TrialState

from tests.recipes import small_recipe
from tuner.config.recipe import Recipe
from tuner.jobs import TrialSpec
from tuner.search.samplers import make_rungs
from tuner.search.stopping import PLATEAU, TARGET, TIMEOUT
from tuner.search.study_state import StudyState

RECIPE: Recipe = small_recipe(
    budget={"trials": 9, "epochs": 9}, search={"sampler": "random", "pruner": "asha"}
)  # rungs after 1 and 3 epochs
HYPERPARAMETERS = RECIPE.hyperparameters({"learning_rate": 0.1})


@pytest.fixture
def state() -> StudyState:
    """The state of a study that has no trial yet."""
    return StudyState(make_rungs(RECIPE))


def spec(number: int) -> TrialSpec:
    """Return what a trial trains; only its number matters here."""
    return TrialSpec(number, HYPERPARAMETERS, seed=number, epochs=9, label=None)


def run(state: StudyState, number: int) -> None:
    """Let a trial run in a worker."""
    state.add_running(spec(number), [])
    state.begin_attempt(number)


# Trials by state


def test_a_trial_is_counted_in_its_current_state_only(state: StudyState) -> None:
    state.set_trial_state(0, TrialState.WAITING)
    state.set_trial_state(1, TrialState.RUNNING)
    state.set_trial_state(0, TrialState.RUNNING)
    state.set_trial_state(1, TrialState.COMPLETE)

    assert len(state) == 2
    assert (state.trial_state(0), state.trial_state(1)) == (TrialState.RUNNING, TrialState.COMPLETE)
    assert [state.count(kind) for kind in (TrialState.WAITING, TrialState.RUNNING, TrialState.COMPLETE)] == [0, 1, 1]


def test_trials_are_listed_in_order_by_one_or_several_states(state: StudyState) -> None:
    states = [TrialState.PRUNED, TrialState.COMPLETE, TrialState.FAIL, TrialState.PRUNED]
    for number, trial_state in enumerate(states):
        state.set_trial_state(number, trial_state)

    assert state.trials_in(TrialState.PRUNED) == [0, 3]
    assert state.trials_in(TrialState.COMPLETE, TrialState.PRUNED) == [0, 1, 3]
    assert state.trials_in(TrialState.WAITING) == []


@given(changes=st.lists(st.tuples(st.integers(0, 20), st.sampled_from(TrialState)), max_size=60))
def test_after_any_changes_the_counts_equal_the_states(changes: list[tuple[int, TrialState]]) -> None:
    """Each change concerns an existing trial, or the next new one."""
    state = StudyState(make_rungs(RECIPE))
    expected: dict[int, TrialState] = {}
    for choice, trial_state in changes:
        number = min(choice, len(expected))
        state.set_trial_state(number, trial_state)
        expected[number] = trial_state

    assert len(state) == len(expected)
    assert {number: state.trial_state(number) for number in expected} == expected
    for trial_state in TrialState:
        numbers = [number for number in expected if expected[number] is trial_state]
        assert state.trials_in(trial_state) == numbers
        assert state.count(trial_state) == len(numbers)


# Configurations


def test_rungs_do_not_apply_to_a_confirmation(state: StudyState) -> None:
    """It trains to its end, even if it is worse than every trial before it."""
    state.add_confirmation(4, 1)

    assert dict(state.confirmations) == {4: 1}
    assert state.rungs.ahead(4) == ()
    assert state.rungs.reach(4, [0.0]) is None
    assert state.rungs.ahead(1) == (1, 3)


def test_the_first_trial_with_a_configuration_is_remembered(state: StudyState) -> None:
    """The order of the parameters does not matter."""
    assert state.record_params({"units": 8, "layers": 1}, 0) == 0
    assert state.record_params({"units": 9, "layers": 1}, 1) == 1
    assert state.record_params({"layers": 1, "units": 8}, 2) == 0
    assert state.record_params({"layers": 1, "units": 9}, 3) == 1


# Running trials and their attempts


def test_retries_are_the_running_trials_without_an_attempt(state: StudyState) -> None:
    run(state, 0)
    run(state, 1)
    assert state.to_retry == []

    state.end_attempt(1)
    assert state.to_retry == [spec(1)]
    state.begin_attempt(1)
    assert state.to_retry == []


def test_a_worker_may_still_be_busy_with_a_trial_that_has_a_result(state: StudyState) -> None:
    """A pruned trial has its result before its trainer reads the instruction. It is no longer running and no retry."""
    run(state, 0)
    state.remove_running(0)

    assert 0 not in state.running
    assert set(state.attempts) == {0}
    state.end_attempt(0)
    assert state.to_retry == []
    assert not state.attempts


def test_each_attempt_starts_without_the_marks_of_the_last_one(state: StudyState) -> None:
    """The attempt that ends is returned with its marks."""
    run(state, 0)
    state.mark_timed_out(0)
    state.mark_pausing(0, epochs=3)
    last = state.end_attempt(0)
    state.begin_attempt(0)

    assert (last.timed_out, last.paused_after) == (True, 3)
    assert (state.attempts[0].timed_out, state.attempts[0].paused_after) == (False, None)
    assert state.attempts[0].began >= last.began


def test_a_running_trial_has_the_values_of_the_epochs_that_count(state: StudyState) -> None:
    """A new attempt starts with the values before its checkpoint; what the last attempt reported later is dropped."""
    state.add_running(spec(0), [0.1])
    assert state.add_value(0, 0.2) == [0.1, 0.2]
    state.reset_values(0, [0.1])

    assert state.add_value(0, 0.3) == [0.1, 0.3]
    assert state.running[0].values == [0.1, 0.3]


def test_the_state_does_not_share_a_list_of_values_with_its_caller(state: StudyState) -> None:
    values = [0.1]
    state.add_running(spec(0), values)
    state.add_value(0, 0.2)

    assert values == [0.1]


@pytest.mark.parametrize("view", ["running", "attempts", "confirmations"])
def test_what_other_objects_read_cannot_be_written(state: StudyState, view: str) -> None:
    """Only the methods of the state change it. The views show those changes."""
    mapping: Any = getattr(state, view)
    run(state, 1)
    state.add_confirmation(1, 0)

    with pytest.raises(TypeError):
        mapping[0] = 1
    with pytest.raises(TypeError):
        del mapping[1]
    assert set(mapping) == set(getattr(state, view)) == {1}


def test_the_paused_trials_that_are_read_cannot_be_changed(state: StudyState) -> None:
    state.rungs.restore(0, [0.5], paused=True, complete=False)

    assert state.paused == {0}
    with pytest.raises(AttributeError):
        cast("set[int]", state.paused).clear()


# Why the run stops


@pytest.mark.parametrize("reason", [TIMEOUT, TARGET, PLATEAU])
def test_after_a_reason_of_the_study_the_run_may_still_finish(state: StudyState, reason: str) -> None:
    """It confirms, refits and tests the winner."""
    assert state.stop_reason is None
    assert state.may_run_final_jobs
    state.request_stop(reason)

    assert state.stop_reason == reason
    assert state.may_run_final_jobs


@pytest.mark.parametrize("reason", ["stop", "interrupt", "terminate"])
def test_a_request_to_stop_at_once_leaves_no_time_to_finish(state: StudyState, reason: str) -> None:
    state.request_stop(reason)

    assert state.stop_reason == reason
    assert not state.may_run_final_jobs


@pytest.mark.parametrize(
    ("reasons", "expected"),
    [
        ([TARGET, TIMEOUT], TARGET),
        ([TIMEOUT, PLATEAU, TIMEOUT], TIMEOUT),
        (["stop", "interrupt"], "stop"),
        (["interrupt", TIMEOUT], "interrupt"),
    ],
)
def test_the_first_reason_to_stop_counts(state: StudyState, reasons: list[str], expected: str) -> None:
    for reason in reasons:
        state.request_stop(reason)

    assert state.stop_reason == expected


def test_a_request_to_stop_at_once_replaces_a_reason_that_lets_the_run_finish(state: StudyState) -> None:
    """Ctrl-C while the winner is confirmed after a timeout ends the run at once, as `interrupt`."""
    state.request_stop(TIMEOUT)
    state.request_stop("interrupt")
    state.request_stop("stop")

    assert state.stop_reason == "interrupt"
    assert not state.may_run_final_jobs
