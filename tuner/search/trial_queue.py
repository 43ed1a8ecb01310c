"""Whose turn it is among the trials of a study: one that waits, a paused one, a new one; or the search is over."""

from __future__ import annotations

from collections.abc import Collection

from optuna.trial import TrialState

from tuner.config.recipe import Recipe
from tuner.records import Counts
from tuner.search.optuna_trials import OptunaTrials
from tuner.search.size_limit import SizeLimit
from tuner.search.successive_halving import Rungs


class TrialQueue:
    """Counts the trials of one study, and says who comes next; changes none of them.

    Args:
        recipe: How many trials there may be.
        trials: The trials; here as in the others, what is passed may change meanwhile.
        rungs: Who is paused, and may be promoted.
        refusals: The trials that were refused; they do not count.
        confirms: The further seeds; they count in addition, and are none of the search.
    """

    def __init__(
        self, recipe: Recipe, trials: OptunaTrials, rungs: Rungs, refusals: SizeLimit, confirms: Collection[int]
    ) -> None:
        self._recipe = recipe
        self._trials = trials
        self._rungs = rungs
        self._refusals = refusals
        self._confirms = confirms

    @property
    def limit(self) -> int:
        """How many trials there can be; refused ones are none."""
        return self._recipe.room(len(self._refusals.numbers)) + len(self._confirms)

    @property
    def full(self) -> bool:
        """Whether no new trial may be made."""
        return len(self._trials) - len(self._refusals.numbers) >= self.limit

    @property
    def exhausted(self) -> bool:
        """Whether the search is over: no trial waits, none can be promoted and no new one may be made."""
        return self.full and not self.waiting() and self.promotable() is None

    def counts(self) -> Counts:
        """Count the trials by state."""
        paused = len(self._rungs.paused)
        return Counts(
            complete=self._trials.count(TrialState.COMPLETE),
            pruned=self._trials.count(TrialState.PRUNED) - len(self._refusals.numbers),
            failed=self._trials.count(TrialState.FAIL),
            running=self._trials.count(TrialState.RUNNING),
            waiting=self._trials.count(TrialState.WAITING) - paused,
            paused=paused,
            refused=len(self._refusals.numbers),
        )

    def finished_after(self, number: int) -> int:
        """Count the complete, pruned and paused trials of the search with a higher number."""
        finished = {*self._trials.of(TrialState.COMPLETE, TrialState.PRUNED), *self._rungs.paused}
        return sum(other > number for other in finished.difference(self._confirms, self._refusals.numbers))

    def waiting(self, *, confirming: bool = False) -> list[int]:
        """Return the trials that wait to be tried again, in order: those of the search, or the further seeds."""
        paused = self._rungs.paused
        waiting = self._trials.of(TrialState.WAITING)
        return sorted(each for each in waiting if each not in paused and (each in self._confirms) == confirming)

    def promotable(self, *, late: bool = False) -> int | None:
        """Return the trial to promote; late in the search also one that has not earned it, where few are complete.

        A search whose trials are all paused has no winner: at least one trial, and as many as are to be confirmed,
        become complete.

        Args:
            late: Whether it is late, however many trials there may still be.
        """
        found = self._rungs.promotable()
        under_way = self._trials.count(TrialState.COMPLETE) + self._trials.count(TrialState.RUNNING)
        if found is None and (late or self.full) and under_way < max(1, self._recipe.winner.confirm):
            return self._rungs.best_paused()
        return found

    def hopeless(self) -> list[int]:
        """Return the paused trials that cannot be promoted any more: all, once the search is exhausted."""
        if self.exhausted and not self._trials.count(TrialState.RUNNING):
            return sorted(self._rungs.paused)
        return self._rungs.hopeless()
