"""The order of the complete trials of a study, from their values alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tuner.config.objectives import Objective
from tuner.search.confirmation import Standing, standings
from tuner.search.pareto import pareto_front


@dataclass(frozen=True, slots=True)
class Ranking:
    """The complete trials of a study by their values. To find the best of thousands, their trials need not be read.

    Attributes:
        objective: What trials are compared by.
        values: The objectives of each complete trial, by its number.
        confirms: The trial that each confirming trial trains again.
    """

    objective: Objective
    values: Mapping[int, tuple[float, ...]]
    confirms: Mapping[int, int]

    def numbers(self) -> list[int]:
        """Return the trials, the best in the first objective first. Trials with equal values are sorted by number."""
        sign = -1 if self.objective.maximize else 1
        return sorted(self.values, key=lambda number: (sign * self.values[number][0], number))

    def front(self) -> list[int]:
        """Return the Pareto front, sorted by the first objective, the best first; empty if there is only one."""
        return pareto_front(self.values, self.objective.larger_is_better) if self.objective.several else []

    def standings(self) -> list[Standing]:
        """Return the standings of the confirmed configurations, the best mean first.

        See :mod:`tuner.search.confirmation`.
        """
        first = {number: values[0] for number, values in self.values.items()}
        return standings(first, self.confirms, maximize=self.objective.maximize)

    def winner(self) -> int | None:
        """Return the best trial of the first standing, or the best complete trial if nothing was confirmed.

        Returns ``None`` if no trial is complete.
        """
        if ranking := self.standings():
            return ranking[0].representative
        return min(self.numbers()[:1], default=None)

    def without(self, number: int) -> Ranking:
        """Return the ranking of the other trials."""
        others = {other: values for other, values in self.values.items() if other != number}
        return Ranking(self.objective, others, self.confirms)
