"""Rungs: trials pause, come back when they have become the best, and are given up when they cannot any more."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tuner.search.successive_halving import REDUCTION, Rungs, rung_levels


def rungs(epochs: int = 9, *, limit: int = 100, brackets: bool = False) -> Rungs:
    """Return rungs that maximise; of 9 epochs: after 1 and 3."""
    return Rungs(epochs, limit=limit, maximize=True, brackets=brackets)


def reach(found: Rungs, number: int, value: float, epochs: int = 1) -> bool:
    """Let a trial come to a rung, and pause there if it must."""
    goes_on = found.reach(number, [value] * epochs)
    assert goes_on is not None
    if not goes_on:
        found.pause(number)
    return goes_on


@given(epochs=st.integers(0, 10_000))
@example(epochs=4)
@example(epochs=5)
def test_rungs_lie_between_the_first_and_the_last_epoch(epochs: int) -> None:
    """They rise, there are two from five epochs on, at most two before, and the last epoch is none."""
    levels = rung_levels(epochs)

    assert list(levels) == sorted(set(levels))
    assert all(1 <= level < epochs for level in levels)
    assert len(levels) <= 2
    assert len(levels) == 2 or epochs < 5


def test_a_trial_goes_on_if_it_is_among_the_best_third_of_its_rung() -> None:
    """The first ones pause, as there is nobody to beat; equals do not overtake."""
    found = rungs()

    assert [reach(found, number, value) for number, value in enumerate((0.5, 0.4, 0.6, 0.7, 0.6))] == [
        False,
        False,
        True,
        True,
        False,
    ]
    assert found.paused == {0, 1, 4}


def test_a_paused_trial_is_promoted_once_it_has_become_one_of_the_best() -> None:
    """Because worse ones came after it; the one at the highest rung comes first."""
    found = rungs()
    reach(found, 0, 0.9)
    assert found.promotable() is None
    reach(found, 1, 0.8)
    reach(found, 2, 0.1)

    assert found.promotable() == 0
    assert found.promote(0) == 1
    assert found.promotable() is None
    assert found.ahead(0) == (3,)
    assert not reach(found, 0, 0.9, epochs=3)
    assert found.standing(0) == (3, 0.9)


def test_a_rung_compares_the_best_value_so_far() -> None:
    """As a trial's value is that of its best epoch; smaller is better for a loss."""
    found = Rungs(9, limit=10, maximize=False)
    for number, losses in enumerate(([0.2, 0.9, 0.9], [0.3, 0.3, 0.3])):
        found.reach(number, losses)

    assert found.standing(0) == (3, 0.2)
    assert found.reach(2, [0.1, 0.5, 0.5])


def test_only_trials_that_nothing_can_promote_are_hopeless() -> None:
    """Of nine trials three are promoted at most: who is fourth now will never be third."""
    found = rungs(limit=9)
    for number, value in enumerate((0.5, 0.6, 0.7)):
        reach(found, number, value)
    assert found.hopeless() == []
    reach(found, 3, 0.8)
    assert found.hopeless() == [0]
    found.give_up(0)
    assert found.hopeless() == []
    assert 0 not in found.paused


@given(steps=st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=40))
def test_giving_hopeless_trials_up_promotes_the_same_ones(steps: list[tuple[float, bool]]) -> None:
    """It frees their checkpoints, and changes nothing else, in whatever order trials arrive."""
    kept, freed = rungs(limit=len(steps)), rungs(limit=len(steps))
    for number, (value, slot_is_free) in enumerate(steps):
        for found in (kept, freed):
            reach(found, number, value)
        for hopeless in freed.hopeless():
            freed.give_up(hopeless)
        if slot_is_free:
            assert kept.promotable() == freed.promotable()
            if (best := kept.promotable()) is not None:
                kept.promote(best)
                freed.promote(best)
    assert len(freed.paused) <= len(steps) // REDUCTION + REDUCTION


@given(values=st.lists(st.lists(st.floats(0, 1), min_size=1, max_size=9), min_size=1, max_size=20))
def test_rungs_are_restored_from_the_curves(values: list[list[float]]) -> None:
    """A run that goes on knows who has been where, who waits, and who comes next."""
    lived, restored = rungs(), rungs()
    for number, curve in enumerate(values):
        trained = []
        paused = False
        for epoch in range(len(curve)):
            trained = curve[: epoch + 1]
            paused = lived.reach(number, trained) is False
            if paused:
                lived.pause(number)
                break
        if len(trained) == 9:
            lived.complete(number, trained)
        restored.restore(number, trained, paused=paused, complete=len(trained) == 9)

    assert restored.paused == lived.paused
    assert restored.promotable() == lived.promotable()
    assert [restored.ahead(number) for number in range(20)] == [lived.ahead(number) for number in range(20)]


def test_a_trial_that_stopped_early_counts_in_the_rungs_above() -> None:
    """It is complete: those that come there are compared with it."""
    found = rungs()
    found.complete(0, [0.9, 0.95])

    assert found.standing(0) == (3, 0.95)
    assert found.reach(1, [0.5]) is False
    assert found.reach(2, [0.91]) is True


def test_brackets_deal_trials_as_hyperband_does_and_compare_within_them_alone() -> None:
    """Most are judged early, some late, some never; a round deals all of them in their shares."""
    found = rungs(brackets=True)
    first = Counter(found.ahead(number) for number in range(1000))

    assert set(first) == {(1, 3), (3,), ()}
    assert first[1, 3] > first[3,] > first[()] > 0
    early = next(number for number in range(20) if found.ahead(number) == (1, 3))
    late = next(number for number in range(20) if found.ahead(number) == (3,))
    reach(found, early, 0.1)
    assert found.reach(late, [0.9]) is None
    assert reach(found, late, 0.9, epochs=3) is False  # alone in its bracket


@pytest.mark.parametrize("epochs", [0, 1])
def test_without_epochs_to_compare_nobody_pauses(epochs: int) -> None:
    """A search over single epochs has no rungs."""
    found = rungs(epochs)

    assert found.reach(0, [0.5]) is None
    assert (found.ahead(0), found.paused, found.promotable(), found.standing(0)) == ((), set(), None, None)


def test_an_exempt_trial_is_compared_with_nobody() -> None:
    """It has epochs of its own."""
    found = rungs()
    found.exempt(0)

    assert found.ahead(0) == ()
    assert found.reach(0, [0.1]) is None
