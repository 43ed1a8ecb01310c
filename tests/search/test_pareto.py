"""Properties of the Pareto front."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tuner.search.pareto import pareto_front

# Few values, so that trials often tie; infinities are losses that diverged.
Drawn = tuple[dict[int, tuple[float, ...]], list[bool]]  # objectives by trial; whether larger is better
VALUES = st.sampled_from([-1.0, 0.0, 0.5, 1.0, 2.0, float("inf")])


@st.composite
def trials(draw: st.DrawFn) -> Drawn:
    """Draw the objectives of some trials, and per objective whether larger is better."""
    larger_is_better = draw(st.lists(st.booleans(), min_size=1, max_size=3))
    row = st.tuples(*(VALUES for _ in larger_is_better))
    return draw(st.dictionaries(st.integers(0, 50), row, max_size=15)), larger_is_better


def dominates(one: tuple[float, ...], other: tuple[float, ...], larger_is_better: list[bool]) -> bool:
    """Return whether ``one`` is better in some objective and worse in none: the definition of the textbook."""
    better = [(a > b) if larger else (a < b) for a, b, larger in zip(one, other, larger_is_better, strict=True)]
    worse = [(a < b) if larger else (a > b) for a, b, larger in zip(one, other, larger_is_better, strict=True)]
    return any(better) and not any(worse)


@given(trials())
def test_the_front_holds_exactly_the_trials_that_no_trial_dominates(
    drawn: tuple[dict[int, tuple[float, ...]], list[bool]],
) -> None:
    """Equal trials included. Every other trial is dominated by one on the front."""
    values, larger = drawn
    front = pareto_front(values, larger)

    assert len(front) == len(set(front))
    for number, own in values.items():
        assert (number in front) == (not any(dominates(other, own, larger) for other in values.values()))
        assert (number in front) != any(dominates(values[other], own, larger) for other in front)


@given(trials())
def test_the_best_in_the_first_objective_comes_first(drawn: Drawn) -> None:
    """Of equals the second objective decides, then the third, then the lower number."""
    values, larger = drawn
    front = pareto_front(values, larger)
    keys = [(*(-v if up else v for v, up in zip(values[n], larger, strict=True)), n) for n in front]

    assert keys == sorted(keys)
    if values:
        assert values[front[0]][0] == (max if larger[0] else min)(objectives[0] for objectives in values.values())


@given(trials())
def test_the_front_can_be_updated_trial_by_trial(drawn: Drawn) -> None:
    """A trial that left the front is never needed again, and the order of the trials does not matter."""
    values, larger = drawn
    kept: dict[int, tuple[float, ...]] = {}
    for number, own in values.items():
        candidates = {**kept, number: own}
        kept = {member: candidates[member] for member in pareto_front(candidates, larger)}

    assert list(kept) == pareto_front(values, larger)
