"""The Pareto front of trials that are judged by several objectives. Pure: numbers alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

Losses = tuple[float, ...]  # one per objective, smaller is better


def pareto_front(values: Mapping[int, Sequence[float]], larger_is_better: Sequence[bool]) -> list[int]:
    """Return the trials that no other dominates: best in the first objective first, then in the second, and so on.

    A trial dominates another if it is at least as good in every objective and better in one. Of trials with the same
    values all are on the front or none, the earlier one first.

    The front of some trials and a further one is that of their front and the further one.

    Args:
        values: The objectives of each trial, none of them NaN.
        larger_is_better: For each objective.
    """
    losses = {number: _as_losses(each, larger_is_better) for number, each in values.items()}
    front: list[int] = []
    # In this order whoever dominates a trial comes before it, and so does somebody on the front who does.
    for number in sorted(losses, key=lambda each: (losses[each], each)):
        if not any(_dominates(losses[other], losses[number]) for other in front):
            front.append(number)
    return front


def _dominates(one: Losses, other: Losses) -> bool:
    return one != other and all(a <= b for a, b in zip(one, other, strict=True))


def _as_losses(values: Sequence[float], larger_is_better: Sequence[bool]) -> Losses:
    return tuple(-value if larger else value for value, larger in zip(values, larger_is_better, strict=True))
