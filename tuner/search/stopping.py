"""Decides when a study may end before its budget is spent: the target is reached, or progress has stalled."""

from __future__ import annotations

from collections.abc import Callable

from tuner.config.recipe import Recipe

# Reasons that end the search but leave time for the confirmation, the refit and the test of the winner.
TIMEOUT, TARGET, PLATEAU, FAILURES = "timeout", "target", "plateau", "failures"
WINNER_FOLLOWS = frozenset({TIMEOUT, TARGET, PLATEAU, FAILURES})


def reason_to_end(recipe: Recipe, best: tuple[int, float] | None, finished_after: Callable[[int], int]) -> str | None:
    """Return why a study may end, or ``None``.

    Args:
        recipe: The budget with its ``target`` and ``plateau``.
        best: Number and value of the best trial so far.
        finished_after: Returns how many trials with a higher number have finished.
    """
    budget, objective = recipe.budget, recipe.objective
    if best is None:
        return None
    number, value = best
    if budget.target is not None and (value >= budget.target if objective.maximize else value <= budget.target):
        return TARGET
    if budget.plateau is not None and finished_after(number) >= budget.plateau:
        return PLATEAU
    return None
