"""When a study knows enough, although its budget is not spent, and what time its winner still needs."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import fmean

from tuner.config.recipe import Recipe

REACHED, PLATEAU = "target", "plateau"
CONFIRM = 1.1  # of the time that was seen, with some slack
REFIT = 1.3  # a trial's time on all rows, with a fifth of them more than it had, and some slack
LARGEST_SHARE = 0.4  # of the time, for what comes after the search


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


def time_to_finish(recipe: Recipe, seconds: Sequence[float], slots: int, *, confirmed: bool = False) -> float:
    """Return the seconds of a run to keep for confirming the best configurations and training the winner on all rows.

    Args:
        recipe: What is to be done after the search; its timeout bounds the result.
        seconds: What the best complete trials took; without any there is nothing to confirm yet.
        slots: Trials at the same time.
        confirmed: Whether the winner is known already.
    """
    if not seconds or recipe.budget.timeout is None:
        return 0.0
    after = recipe.winner
    rounds = 0 if confirmed else math.ceil(after.confirm * after.seeds / slots)
    typical = fmean(seconds)
    needed = CONFIRM * rounds * typical + (REFIT * typical if after.refit else 0.0)
    return min(needed, LARGEST_SHARE * recipe.budget.timeout)
