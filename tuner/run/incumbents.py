"""Who leads while a study runs: the complete trials by their objectives, and the configurations with further seeds."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from tuner.config.recipe import Recipe
from tuner.search.confirmation import Standing, standings
from tuner.search.pareto import pareto_front


class Incumbents:
    """The complete trials of one study, and which of them count.

    Args:
        recipe: The objective, how many models are kept and how many configurations are confirmed.
        confirms: The trial that each further seed confirms; it may grow while this lives.
    """

    def __init__(self, recipe: Recipe, confirms: Mapping[int, int]) -> None:
        self._recipe = recipe
        self._confirms = confirms
        self._values: dict[int, float] = {}  # the first objective
        self._seconds: dict[int, float] = {}
        self._front: dict[int, tuple[float, ...]] = {}  # of several objectives
        self._best: int | None = None

    def add(self, number: int, values: tuple[float, ...], seconds: float) -> None:
        """Count a complete trial, with all its objectives and the seconds that it took."""
        self._values[number] = values[0]
        self._seconds[number] = seconds
        if self._best is None or self._rank(number) < self._rank(self._best):
            self._best = number
        objective = self._recipe.objective
        if objective.several:
            candidates = {**self._front, number: values}
            self._front = {each: candidates[each] for each in pareto_front(candidates, objective.larger_is_better)}

    def best(self) -> tuple[int, float] | None:
        """Return number and value of the best complete trial; the earlier of equals."""
        return None if self._best is None else (self._best, self._values[self._best])

    def seconds_of_best(self) -> list[float]:
        """Return what the best complete trials took, those that may have to be trained again."""
        best = sorted(self._values, key=self._rank)[: self._recipe.winner.confirm or 1]
        return [self._seconds[number] for number in best]

    def winner(self) -> int | None:
        """Return the trial whose model is the best: of the configuration with the best mean, where any was confirmed.

        See :mod:`tuner.search.confirmation`.
        """
        found = self._standings()
        return found[0].representative if found else self._best

    def seeds_of_winner(self) -> list[int]:
        """Return the complete trials with the winner's configuration, as far as they were made to confirm it."""
        found = self._standings()
        if found:
            return sorted({found[0].trial, *found[0].seeds})
        return [] if self._best is None else [self._best]

    def superfluous(self, models: Iterable[int]) -> list[int]:
        """Return the trials whose models need not stay.

        The best few stay, those that may be the winner's, and those on the Pareto front.
        """
        stay = max(self._recipe.budget.keep, self._recipe.winner.confirm)
        needed = {*self._confirms.values(), *(each.representative for each in self._standings()), *self._front}
        return [number for number in sorted(models, key=self._rank)[stay:] if number not in needed]

    def _standings(self) -> list[Standing]:
        return standings(self._values, self._confirms, maximize=self._recipe.objective.maximize)

    def _rank(self, number: int) -> tuple[float, int]:
        """Order trials, the best first; one without a value, of an attempt that is gone, comes last."""
        value = self._values.get(number)
        if value is None:
            return (math.inf, number)
        return (-value if self._recipe.objective.maximize else value, number)
