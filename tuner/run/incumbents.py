"""The best trials while a study runs: the incumbent, the winner, the Pareto front, and which models to keep."""

from __future__ import annotations

import math
from bisect import insort
from collections.abc import Iterable

from optuna.trial import FrozenTrial, TrialState

from tuner.config.recipe import Recipe
from tuner.search.confirmation import Standing, standings
from tuner.search.pareto import pareto_front
from tuner.search.study_state import StudyState


class Incumbents:
    """The complete trials of one study, ranked.

    Args:
        recipe: The objective, how many models are kept and how many configurations are confirmed.
        state: The state of the study; only its confirmations are used.
    """

    def __init__(self, recipe: Recipe, state: StudyState) -> None:
        self._recipe = recipe
        self._state = state
        self._values: dict[int, float] = {}  # the first objective
        self._seconds: dict[int, float] = {}
        self._front: dict[int, tuple[float, ...]] = {}  # empty with one objective
        self._order: list[tuple[float, int]] = []  # the ranks of the trials, the best first

    def clear(self) -> None:
        """Remove all trials."""
        self._values.clear()
        self._seconds.clear()
        self._front.clear()
        self._order.clear()

    def add(self, number: int, values: tuple[float, ...], seconds: float) -> None:
        """Add a complete trial with all its objectives and its training time in seconds."""
        if number in self._values:
            self._order.remove(self._rank(number))
        self._values[number] = values[0]
        self._seconds[number] = seconds
        insort(self._order, self._rank(number))
        objective = self._recipe.objective
        if objective.several:
            candidates = {**self._front, number: values}
            self._front = {
                candidate: candidates[candidate] for candidate in pareto_front(candidates, objective.larger_is_better)
            }

    def add_complete(self, trials: Iterable[FrozenTrial]) -> None:
        """Add those of Optuna's trials that are complete."""
        for trial in trials:
            if trial.state == TrialState.COMPLETE:
                self.add(trial.number, tuple(trial.values), float(trial.user_attrs.get("seconds", 0.0)))

    def best(self) -> tuple[int, float] | None:
        """Return number and value of the incumbent: the best complete trial, the earlier one of equals."""
        return next(((number, self._values[number]) for _, number in self._order), None)

    def ranking(self) -> list[int]:
        """Return the complete trials, the best first."""
        return [number for _, number in self._order]

    def seconds_of_best(self) -> list[float]:
        """Return the training times of the best complete trials, as many as may be trained again."""
        best = self._order[: self._recipe.winner.confirm or 1]
        return [self._seconds[number] for _, number in best]

    def winner(self) -> int | None:
        """Return the trial whose model is the best.

        It belongs to the configuration with the best mean if any was confirmed, else it is the incumbent. See
        :mod:`tuner.search.confirmation`.
        """
        ranking = self._standings()
        return ranking[0].representative if ranking else next((number for _, number in self._order), None)

    def seeds_of_winner(self) -> list[int]:
        """Return the complete trials with the winner's configuration: the original and its confirmations."""
        ranking = self._standings()
        if ranking:
            return sorted({ranking[0].trial, *ranking[0].seeds})
        return [number for _, number in self._order[:1]]

    def superfluous(self, models: Iterable[int]) -> list[int]:
        """Return the trials whose models need not be kept.

        The models of the best few trials are kept, those that may become the winner's, and those on the Pareto front.
        """
        winner = self._recipe.winner
        keep = max(self._recipe.budget.keep, winner.confirm, winner.ensemble)
        representatives = (standing.representative for standing in self._standings())
        needed = {*self._state.confirmations.values(), *representatives, *self._front}
        return [number for number in sorted(models, key=self._rank)[keep:] if number not in needed]

    def _standings(self) -> list[Standing]:
        return standings(self._values, self._state.confirmations, maximize=self._recipe.objective.maximize)

    def _rank(self, number: int) -> tuple[float, int]:
        """Return a sort key, the best first. Trials without a value, whose attempts were lost, sort last."""
        value = self._values.get(number)
        if value is None:
            return (math.inf, number)
        return (-value if self._recipe.objective.maximize else value, number)
