"""The Pareto front of trials with several objectives. Pure: numbers only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

Losses = tuple[float, ...]  # one per objective; smaller is better


def pareto_front(values: Mapping[int, Sequence[float]], larger_is_better: Sequence[bool]) -> list[int]:
    """Return the trials that no other trial dominates, sorted by the first objective, then by the second, and so on.

    A trial dominates another if it is at least as good in every objective and better in one. If trials have the same
    values, either all of them are on the front or none; the earlier trial comes first.

    The front can be updated: adding a trial to the old front and computing it again gives the same result as computing
    it from all trials.

    Args:
        values: The objectives of each trial; none may be NaN.
        larger_is_better: One flag per objective.
    """
    losses = {number: _as_losses(objectives, larger_is_better) for number, objectives in values.items()}
    front: list[int] = []
    # In this order, a trial that dominates another comes before it. So comparing with the front so far is enough.
    for number in sorted(losses, key=lambda number: (losses[number], number)):
        if not any(_dominates(losses[other], losses[number]) for other in front):
            front.append(number)
    return front


def _dominates(one: Losses, other: Losses) -> bool:
    return one != other and all(a <= b for a, b in zip(one, other, strict=True))


def _as_losses(values: Sequence[float], larger_is_better: Sequence[bool]) -> Losses:
    return tuple(-value if larger else value for value, larger in zip(values, larger_is_better, strict=True))
