"""The timeout of a run, and the part of it that is kept for confirmations and the refit."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tests.recipes import small_recipe
from tuner.config.recipe import Recipe
from tuner.run.incumbents import Incumbents
from tuner.run.time_budget import CONFIRM, LARGEST_SHARE, REFIT, TimeBudget, time_to_finish
from tuner.search.samplers import make_rungs
from tuner.search.study_state import StudyState


class FakeClock:
    """Stands for the ``time`` module in the tested module."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """The clock of the run, which stands still unless a test moves it."""
    clock = FakeClock()
    monkeypatch.setattr("tuner.run.time_budget.time", SimpleNamespace(monotonic=clock.monotonic))
    return clock


def recipe_of(timeout: float | None = 100.0, **winner: Any) -> Recipe:
    """Return a search with a timeout in seconds. By default nothing follows the search."""
    budget = {"trials": 50, "epochs": 4} | ({} if timeout is None else {"timeout": timeout})
    return small_recipe(budget=budget, winner={"confirm": 0, "seeds": 1} | winner)


def budget_of(recipe: Recipe, seconds: tuple[float, ...] = (), slots: int = 1) -> TimeBudget:
    """Return the budget of a run that begins now. ``seconds`` are those of the complete trials, best first."""
    incumbents = Incumbents(recipe, StudyState(make_rungs(recipe)))
    for number, training_time in enumerate(seconds):
        incumbents.add(number, (1.0 - number / 100,), training_time)
    return TimeBudget(recipe, incumbents, slots)


def test_without_a_timeout_nothing_is_over(clock: FakeClock) -> None:
    """However long the run takes and whatever follows the search."""
    budget = budget_of(recipe_of(None, confirm=3, seeds=2, refit=True), (10.0,))
    clock.now += 10**6

    assert budget.elapsed == 10**6
    assert budget.remaining is None
    assert not budget.is_half_over
    assert not budget.is_over()
    assert not budget.is_over(confirmed=True)


def test_the_budget_counts_from_the_beginning_of_the_run(clock: FakeClock) -> None:
    """``remaining`` never becomes negative."""
    budget = budget_of(recipe_of())
    assert (budget.elapsed, budget.remaining) == (0.0, 100.0)
    clock.now += 30

    assert (budget.elapsed, budget.remaining) == (30.0, 70.0)
    clock.now += 100
    assert budget.remaining == 0.0


def test_the_second_half_starts_after_half_of_the_timeout(clock: FakeClock) -> None:
    budget = budget_of(recipe_of())
    clock.now += 49
    assert not budget.is_half_over
    clock.now += 2

    assert budget.is_half_over


def test_the_search_may_use_the_whole_timeout_if_nothing_follows(clock: FakeClock) -> None:
    """The test of the winner takes no time that counts."""
    budget = budget_of(recipe_of(), (10.0, 10.0))
    clock.now += 99.9
    assert not budget.is_over()
    clock.now += 0.2

    assert budget.is_over()


def test_the_search_ends_in_time_for_the_confirmations_and_the_refit(clock: FakeClock) -> None:
    """Two confirmations and a refit, of trials that took 10 s. Once confirmed, only the refit needs its time."""
    budget = budget_of(recipe_of(confirm=2, refit=True), (10.0, 10.0))
    kept_for_refit = REFIT * 10
    kept = CONFIRM * 2 * 10 + kept_for_refit
    clock.now += 100 - kept - 0.1
    assert not budget.is_over()
    clock.now += 0.2

    assert budget.is_over()
    assert not budget.is_over(confirmed=True)
    clock.now += kept - kept_for_refit
    assert budget.is_over(confirmed=True)


def test_only_the_trials_to_be_confirmed_tell_how_long_the_confirmations_take(clock: FakeClock) -> None:
    """The best two trials took 2 s. A third, worse one took 60 s and is not trained again."""
    budget = budget_of(recipe_of(confirm=2), (2.0, 2.0, 60.0))
    clock.now += 94

    assert not budget.is_over()
    clock.now += 2
    assert budget.is_over()


def test_before_a_trial_is_complete_no_time_is_kept(clock: FakeClock) -> None:
    """There is nothing to confirm or to refit."""
    budget = budget_of(recipe_of(confirm=3, seeds=2, refit=True))
    clock.now += 99

    assert not budget.is_over()


@pytest.mark.parametrize(
    ("winner", "slots", "seconds", "expected"),
    [
        ({"confirm": 2, "seeds": 3}, 1, [4.0], 6 * 4.0 * CONFIRM),  # six confirmations, one after the other
        ({"confirm": 2, "seeds": 3}, 4, [4.0], 2 * 4.0 * CONFIRM),  # four at a time: two rounds
        ({"confirm": 2, "seeds": 1}, 8, [3.0, 5.0], 4.0 * CONFIRM),  # one round of the mean time
        ({"refit": True}, 4, [4.0], 4.0 * REFIT),  # the refit is one job
        ({"confirm": 1, "seeds": 1, "refit": True}, 1, [4.0], 4.0 * (CONFIRM + REFIT)),
        ({}, 1, [4.0], 0.0),
    ],
)
def test_the_time_to_finish_is_that_of_all_rounds_of_jobs(
    winner: dict[str, Any], slots: int, seconds: list[float], expected: float
) -> None:
    assert time_to_finish(recipe_of(**winner), seconds, slots) == pytest.approx(expected)


def test_after_the_confirmations_only_the_refit_needs_time() -> None:
    recipe = recipe_of(confirm=2, refit=True)

    assert time_to_finish(recipe, [4.0], 1, confirmed=True) == pytest.approx(4.0 * REFIT)
    assert time_to_finish(recipe_of(confirm=2), [4.0], 1, confirmed=True) == 0.0


@pytest.mark.parametrize("confirmed", [False, True])
def test_the_search_always_keeps_most_of_its_timeout(confirmed: bool) -> None:
    """If trials take as long as the timeout, what follows the search gets a bounded share of it."""
    recipe = recipe_of(confirm=5, seeds=5, refit=True)

    assert time_to_finish(recipe, [100.0], 1, confirmed=confirmed) == LARGEST_SHARE * 100


def test_without_a_timeout_no_time_is_kept() -> None:
    assert time_to_finish(recipe_of(None, confirm=2, refit=True), [4.0], 1) == 0.0
