"""The Pareto front, of any numbers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tuner.search.pareto import pareto_front

# Few values, so that trials often tie; infinities are losses that diverged.
VALUES = st.sampled_from([-1.0, 0.0, 0.5, 1.0, 2.0, float("inf")])


@st.composite
def trials(draw: st.DrawFn) -> tuple[dict[int, tuple[float, ...]], list[bool]]:
    """Return the objectives of some trials, and whether more of each is better."""
    larger_is_better = draw(st.lists(st.booleans(), min_size=1, max_size=3))
    row = st.tuples(*(VALUES for _ in larger_is_better))
    return draw(st.dictionaries(st.integers(0, 50), row, max_size=15)), larger_is_better


def dominates(one: tuple[float, ...], other: tuple[float, ...], larger_is_better: list[bool]) -> bool:
    """Say it as the textbook does: nowhere worse, somewhere better."""
    better = [(a > b) if larger else (a < b) for a, b, larger in zip(one, other, larger_is_better, strict=True)]
    worse = [(a < b) if larger else (a > b) for a, b, larger in zip(one, other, larger_is_better, strict=True)]
    return any(better) and not any(worse)


@given(trials())
def test_the_front_is_those_whom_nobody_dominates(given_: tuple[dict[int, tuple[float, ...]], list[bool]]) -> None:
    """All of them, equals included, and every other trial is dominated by somebody on the front."""
    values, larger = given_
    front = pareto_front(values, larger)

    assert len(front) == len(set(front))
    for number, mine in values.items():
        assert (number in front) == (not any(dominates(other, mine, larger) for other in values.values()))
        assert (number in front) != any(dominates(values[other], mine, larger) for other in front)


@given(trials())
def test_the_best_in_the_first_objective_comes_first(given_: tuple[dict[int, tuple[float, ...]], list[bool]]) -> None:
    """Then the second objective decides, then the third, then who was earlier."""
    values, larger = given_
    front = pareto_front(values, larger)
    keys = [(*(-v if up else v for v, up in zip(values[n], larger, strict=True)), n) for n in front]

    assert keys == sorted(keys)
    if values:
        assert values[front[0]][0] == (max if larger[0] else min)(each[0] for each in values.values())


@given(trials())
def test_trials_may_come_one_after_the_other(given_: tuple[dict[int, tuple[float, ...]], list[bool]]) -> None:
    """Who left the front is never needed again, and the order of their coming changes nothing."""
    values, larger = given_
    kept: dict[int, tuple[float, ...]] = {}
    for number, mine in values.items():
        candidates = {**kept, number: mine}
        kept = {each: candidates[each] for each in pareto_front(candidates, larger)}

    assert list(kept) == pareto_front(values, larger)
