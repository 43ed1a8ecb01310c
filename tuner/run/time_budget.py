"""Keeps part of a run's time for what follows the search: confirmations and the refit."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from statistics import fmean

from tuner.config.recipe import Recipe
from tuner.run.incumbents import Incumbents

CONFIRM = 1.1  # the measured time of a trial, with some slack
REFIT = 1.3  # the measured time of a trial, times the larger number of rows (a fifth more), with some slack
ASSESSED = 0.7  # seconds for loading and running one candidate of the ensemble
LARGEST_SHARE = 0.4  # of the timeout, for everything that follows the search


class TimeBudget:
    """The clock of one run and the parts of its timeout. Without a timeout nothing is ever over.

    Args:
        recipe: The timeout, and what follows the search.
        incumbents: The complete trials: how long they took tells how long the confirmations will take.
        slots: How many trials run at the same time.

    Attributes:
        slots: The same; it can change while the run lasts.
    """

    def __init__(self, recipe: Recipe, incumbents: Incumbents, slots: int) -> None:
        self._recipe = recipe
        self._incumbents = incumbents
        self.slots = slots
        self._began = time.monotonic()

    @property
    def elapsed(self) -> float:
        """Seconds since the run began."""
        return time.monotonic() - self._began

    @property
    def remaining(self) -> float | None:
        """Seconds until the timeout, at least 0; ``None`` without a timeout."""
        timeout = self._recipe.budget.timeout
        return None if timeout is None else max(0.0, timeout - self.elapsed)

    @property
    def is_half_over(self) -> bool:
        """Whether more than half of the timeout has passed."""
        timeout = self._recipe.budget.timeout
        return timeout is not None and self.elapsed > timeout / 2

    def is_over(self, *, confirmed: bool = False) -> bool:
        """Return whether the remaining time is needed for what follows.

        Args:
            confirmed: Whether the confirmations have started, so that only the refit follows.
        """
        timeout = self._recipe.budget.timeout
        if timeout is None:
            return False
        needed = time_to_finish(self._recipe, self._incumbents.seconds_of_best(), self.slots, confirmed=confirmed)
        return self.elapsed > timeout - needed


def time_to_finish(recipe: Recipe, seconds: Sequence[float], slots: int, *, confirmed: bool = False) -> float:
    """Return the seconds to keep for confirming the best configurations, refitting the winner, and the ensemble.

    Args:
        recipe: What follows the search; its timeout bounds the result.
        seconds: How long the best complete trials took. Without any, there is nothing to confirm yet.
        slots: How many trials run at the same time.
        confirmed: Whether the confirmations have started.
    """
    if not seconds or recipe.budget.timeout is None:
        return 0.0
    winner = recipe.winner
    assessment = ASSESSED * winner.ensemble
    rounds = 0 if confirmed else math.ceil(winner.confirm * winner.seeds / slots)
    typical = fmean(seconds)
    needed = CONFIRM * rounds * typical + (REFIT * typical if winner.refit else 0.0) + assessment
    return min(needed, LARGEST_SHARE * recipe.budget.timeout)
