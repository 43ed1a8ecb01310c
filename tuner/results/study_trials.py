"""Reads the trials of an open study: all of them, or only the best ones of thousands."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import count
from typing import TYPE_CHECKING

from tuner.config.recipe import Recipe
from tuner.results.ranking import Ranking
from tuner.results.trials import TrialResult, ranking_of, read_trial
from tuner.studies import StoredStudy

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

PAGE = 100  # trials that are read and shown at a time


class StudyTrials:
    """The trials of one study. All of them, and their order, are read only once.

    Args:
        stored: The study, in an open store.
        frozen: All its trials of Optuna, if they were read already.
    """

    def __init__(self, stored: StoredStudy, frozen: list[FrozenTrial] | None = None) -> None:
        self.stored = stored
        if frozen is not None:
            self.frozen = frozen
        self._all: list[TrialResult] | None = None

    @cached_property
    def recipe(self) -> Recipe:
        """The recipe of the study's last run."""
        return self.stored.recipe

    @cached_property
    def frozen(self) -> list[FrozenTrial]:
        """All trials of Optuna, without what they reported."""
        return self.stored.trials()

    def all(self) -> list[TrialResult]:
        """Return all trials, in the order of their numbers."""
        if self._all is None:
            self._all = self._converted(self.frozen)
        return self._all

    def pages(self) -> Iterator[list[TrialResult]]:
        """Yield all trials, in the order of their numbers, ``PAGE`` at a time, as they are when a page is read."""
        for first in count(0, PAGE):
            page = self._read(range(first, first + PAGE))
            if not page:
                return
            yield page

    @cached_property
    def ranking(self) -> Ranking:
        """The order of the complete trials."""
        if self._all is not None:
            return ranking_of(self._all, self.recipe)
        store, record, objective = self.stored.store, self.stored.record, self.recipe.objective
        return Ranking(objective, store.own_values(record, objective.names), store.confirms(record))

    def some(self, numbers: Sequence[int]) -> list[TrialResult]:
        """Return those of the trials in ``numbers`` that exist, in that order."""
        known = {trial.number: trial for trial in self._all or ()}
        missing = [number for number in numbers if number not in known]
        for first in range(0, len(missing), PAGE):
            known.update((trial.number, trial) for trial in self._read(missing[first : first + PAGE]))
        return [known[number] for number in numbers if number in known]

    def winner(self) -> TrialResult | None:
        """Return the winner, or ``None`` if no trial is complete."""
        ranking = self.ranking
        while (number := ranking.winner()) is not None:
            for best in self.some([number]):
                if best.state == "complete":
                    return best
            ranking = ranking.without(number)  # another program has changed or removed it
        return None

    def _read(self, numbers: Sequence[int]) -> list[TrialResult]:
        return self._converted(self.stored.trials(numbers))

    def _converted(self, trials: Sequence[FrozenTrial]) -> list[TrialResult]:
        tests = {number: model.test for number, model in self.stored.store.models(self.stored.record.id).items()}
        return [read_trial(trial, self.recipe, tests) for trial in trials]
