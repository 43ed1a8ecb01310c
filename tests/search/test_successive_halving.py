"""Rungs: when trials pause, when they are promoted, and when they are given up."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tuner.search.successive_halving import REDUCTION, Rungs, rung_levels


def rungs_of(epochs: int = 9, *, limit: int = 100, brackets: bool = False) -> Rungs:
    """Return rungs that maximise. With 9 epochs they come after 1 and 3 epochs."""
    return Rungs(epochs, limit=limit, maximize=True, brackets=brackets)


def reach(rungs: Rungs, number: int, value: float, epochs: int = 1) -> bool:
    """Let a trial reach a rung, and pause it unless it continues; returns whether it continues."""
    continues = rungs.reach(number, [value] * epochs)
    assert continues is not None
    if not continues:
        rungs.pause(number)
    return continues


@given(epochs=st.integers(0, 10_000))
@example(epochs=4)
@example(epochs=5)
def test_rungs_lie_between_the_first_and_the_last_epoch(epochs: int) -> None:
    """They rise. From five epochs on there are two, with fewer epochs at most two. The last epoch is no rung."""
    levels = rung_levels(epochs)

    assert list(levels) == sorted(set(levels))
    assert all(1 <= level < epochs for level in levels)
    assert len(levels) <= 2
    assert len(levels) == 2 or epochs < 5


def test_a_trial_continues_if_it_is_among_the_best_third_of_its_rung() -> None:
    """The first two pause, because a third of two trials is none. An equal trial ranks behind the earlier one."""
    rungs = rungs_of()

    assert [reach(rungs, number, value) for number, value in enumerate((0.5, 0.4, 0.6, 0.7, 0.6))] == [
        False,
        False,
        True,
        True,
        False,
    ]
    assert rungs.paused == {0, 1, 4}


def test_a_start_configuration_that_is_the_best_so_far_continues() -> None:
    """At each rung, however few trials have reached it. One that is not the best so far pauses like any other."""
    rungs = rungs_of()

    assert rungs.reach(0, [0.5], start=True) is True
    assert rungs.reach(1, [0.4], start=True) is False
    assert rungs.reach(2, [0.6], start=True) is True
    assert rungs.reach(3, [0.6]) is False
    assert rungs.reach(2, [0.6, 0.6, 0.7], start=True) is True
    assert rungs.reach(0, [0.5, 0.5, 0.6], start=True) is False


def test_a_paused_trial_is_promoted_when_it_enters_the_best_third() -> None:
    """It enters the best third because worse trials follow. Then it runs to the next rung."""
    rungs = rungs_of()
    reach(rungs, 0, 0.9)
    assert rungs.promotable() is None
    reach(rungs, 1, 0.8)
    reach(rungs, 2, 0.1)

    assert rungs.promotable() == 0
    assert rungs.promote(0) == 1
    assert rungs.promotable() is None
    assert rungs.ahead(0) == (3,)
    assert not reach(rungs, 0, 0.9, epochs=3)
    assert rungs.highest_rung(0) == (3, 0.9)


def test_a_rung_compares_the_best_value_so_far() -> None:
    """The value of a trial is that of its best epoch. For a loss, smaller is better."""
    rungs = Rungs(9, limit=10, maximize=False)
    for number, losses in enumerate(([0.2, 0.9, 0.9], [0.3, 0.3, 0.3])):
        rungs.reach(number, losses)

    assert rungs.highest_rung(0) == (3, 0.2)
    assert rungs.reach(2, [0.1, 0.5, 0.5])


def test_only_trials_that_cannot_be_promoted_any_more_are_hopeless() -> None:
    """At most three of nine trials are promoted, so a trial in fourth place can never be promoted."""
    rungs = rungs_of(limit=9)
    for number, value in enumerate((0.5, 0.6, 0.7)):
        reach(rungs, number, value)
    assert rungs.unpromotable() == []
    reach(rungs, 3, 0.8)
    assert rungs.unpromotable() == [0]
    rungs.give_up(0)
    assert rungs.unpromotable() == []
    assert 0 not in rungs.paused


@given(steps=st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=40))
def test_giving_up_hopeless_trials_does_not_change_which_trials_are_promoted(steps: list[tuple[float, bool]]) -> None:
    """In any order of trials and promotions. It only keeps the number of paused trials small."""
    kept, freed = rungs_of(limit=len(steps)), rungs_of(limit=len(steps))
    for number, (value, slot_is_free) in enumerate(steps):
        for rungs in (kept, freed):
            reach(rungs, number, value)
        for unpromotable in freed.unpromotable():
            freed.give_up(unpromotable)
        if slot_is_free:
            assert kept.promotable() == freed.promotable()
            if (best := kept.promotable()) is not None:
                kept.promote(best)
                freed.promote(best)
    assert len(freed.paused) <= len(steps) // REDUCTION + REDUCTION


@given(values=st.lists(st.lists(st.floats(0, 1), min_size=1, max_size=9), min_size=1, max_size=20))
def test_rungs_are_restored_from_the_values_of_the_trials(values: list[list[float]]) -> None:
    """A run that continues a study knows which trials are paused and which one is promoted next."""
    original, restored = rungs_of(), rungs_of()
    for number, curve in enumerate(values):
        trained = []
        paused = False
        for epoch in range(len(curve)):
            trained = curve[: epoch + 1]
            paused = original.reach(number, trained) is False
            if paused:
                original.pause(number)
                break
        if len(trained) == 9:
            original.complete(number, trained)
        restored.restore(number, trained, paused=paused, complete=len(trained) == 9)

    assert restored.paused == original.paused
    assert restored.promotable() == original.promotable()
    assert [restored.ahead(number) for number in range(20)] == [original.ahead(number) for number in range(20)]


@given(values=st.lists(st.floats(0.0, 1.0), min_size=1, max_size=40))
def test_the_trial_closest_to_promotion_is_the_next_one_if_only_worse_ones_follow(values: list[float]) -> None:
    """So its checkpoint is the last one to be dropped."""
    rungs = rungs_of()
    for number, value in enumerate(values):
        reach(rungs, number, value)
    while (promotable := rungs.promotable()) is not None:
        rungs.promote(promotable)
    closest = rungs.closest_to_promotion(len(values))
    assert sorted(closest) == sorted(rungs.paused)

    for number in range(len(values), len(values) + 200):
        if not closest or (promotable := rungs.promotable()) is not None:
            break
        reach(rungs, number, -1.0)
    assert not closest or promotable == closest[0]


def test_a_trial_that_stopped_early_counts_in_the_rungs_above() -> None:
    """It is complete, so later trials are compared with it at every rung."""
    rungs = rungs_of()
    rungs.complete(0, [0.9, 0.95])

    assert rungs.highest_rung(0) == (3, 0.95)
    assert rungs.reach(1, [0.5]) is False
    assert rungs.reach(2, [0.91]) is True


def test_brackets_have_the_shares_of_hyperband_and_compare_their_own_trials_only() -> None:
    """Most trials are judged early, some late, some never."""
    rungs = rungs_of(brackets=True)
    shares = Counter(rungs.ahead(number) for number in range(1000))

    assert set(shares) == {(1, 3), (3,), ()}
    assert shares[1, 3] > shares[3,] > shares[()] > 0
    early = next(number for number in range(20) if rungs.ahead(number) == (1, 3))
    late = next(number for number in range(20) if rungs.ahead(number) == (3,))
    reach(rungs, early, 0.1)
    assert rungs.reach(late, [0.9]) is None
    assert reach(rungs, late, 0.9, epochs=3) is False  # it is the only trial of its bracket


@pytest.mark.parametrize("epochs", [0, 1])
def test_without_epochs_to_compare_no_trial_pauses(epochs: int) -> None:
    """If trials train one epoch, there are no rungs."""
    rungs = rungs_of(epochs)

    assert rungs.reach(0, [0.5]) is None
    assert (rungs.ahead(0), rungs.paused, rungs.promotable(), rungs.highest_rung(0)) == ((), set(), None, None)


def test_an_exempt_trial_has_no_rungs() -> None:
    """It trains to its end, however bad it is."""
    rungs = rungs_of()
    rungs.exempt(0)

    assert rungs.ahead(0) == ()
    assert rungs.reach(0, [0.1]) is None
