"""When a study knows enough, although its budget is not spent."""

from __future__ import annotations

from collections.abc import Callable

from tuner.recipe import Recipe

REACHED, PLATEAU = "target", "plateau"


def enough(recipe: Recipe, best: tuple[int, float] | None, finished_after: Callable[[int], int]) -> str | None:
    """Return why a study may end: its ``target`` is reached, or a ``plateau`` of trials brought nothing better.

    Args:
        recipe: Its budget says what is enough.
        best: Number and value of the best trial so far.
        finished_after: Returns how many trials with a higher number than this have finished.
    """
    budget, objective = recipe.budget, recipe.objective
    if best is None:
        return None
    number, value = best
    if budget.target is not None and (value >= budget.target if objective.maximize else value <= budget.target):
        return REACHED
    if budget.plateau is not None and finished_after(number) >= budget.plateau:
        return PLATEAU
    return None
