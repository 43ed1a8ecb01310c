"""Chooses the next trial to run: a waiting one, a paused one to promote, or a new one."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from optuna.trial import TrialState

from tuner.config.recipe import Recipe
from tuner.records import Counts
from tuner.search.study_state import StudyState


class TrialQueue:
    """Counts the trials of a study and chooses the next one. It reads the state and changes nothing.

    Args:
        recipe: The budget and the pruner.
        state: The trials.
    """

    def __init__(self, recipe: Recipe, state: StudyState) -> None:
        self._recipe = recipe
        self._state = state

    @property
    def limit(self) -> int:
        """How many trials there may be. Confirmations come on top, refused trials do not count."""
        return self._recipe.trial_limit(len(self._state.refused)) + len(self._state.confirmations)

    @property
    def full(self) -> bool:
        """Whether no new trial may be created."""
        return len(self._state) - len(self._state.refused) >= self.limit

    @property
    def exhausted(self) -> bool:
        """Whether the search is over: no trial waits, none can be promoted and no new one may be created."""
        return self.full and not self.waiting() and self.promotable() is None

    def counts(self) -> Counts:
        """Count the trials by state."""
        state = self._state
        paused, refused = len(state.paused), len(state.refused)
        return Counts(
            complete=state.count(TrialState.COMPLETE),
            pruned=state.count(TrialState.PRUNED) - refused,
            failed=state.count(TrialState.FAIL),
            running=state.count(TrialState.RUNNING),
            waiting=state.count(TrialState.WAITING) - paused,
            paused=paused,
            refused=refused,
        )

    def finished_after(self, number: int) -> int:
        """Count the complete, pruned and paused trials of the search with a higher number."""
        state = self._state
        others = (
            other
            for other in range(number + 1, len(state))
            if other not in state.confirmations and other not in state.refused
        )
        ended = (TrialState.COMPLETE, TrialState.PRUNED)
        return sum(state.trial_state(other) in ended or other in state.paused for other in others)

    def waiting(self, *, confirming: bool = False) -> list[int]:
        """Return the trials that wait to be run, in order: either those of the search, or the confirmations."""
        state = self._state
        waiting = set(state.trials_in(TrialState.WAITING)) - state.paused
        return sorted(number for number in waiting if (number in state.confirmations) == confirming)

    def promotable(self, *, late: bool = False) -> int | None:
        """Return the paused trial to promote next, or ``None``.

        A trial is promoted when it is among the best third of its rung. Late in the search, or when the budget is
        spent, the best paused trial is promoted anyway if too few trials are complete: a search whose trials are all
        paused would have no winner. Enough are one trial, or as many as are to be confirmed or averaged.

        Args:
            late: Whether the end of the search is near, although new trials may still be created.
        """
        state = self._state
        number = state.rungs.promotable()
        under_way = state.count(TrialState.COMPLETE) + state.count(TrialState.RUNNING)
        if number is None and (late or self.full) and under_way < self._recipe.finalists:
            return state.rungs.best_paused()
        return number

    def without_checkpoint(self) -> AbstractSet[int]:
        """Return the paused trials whose checkpoints are not kept: those that are furthest from being promoted."""
        rungs = self._state.rungs
        return rungs.paused - set(rungs.closest_to_promotion(self._recipe.budget.keep_checkpoints))

    def unpromotable(self) -> list[int]:
        """Return the paused trials that cannot be promoted any more. Once the search is exhausted, these are all."""
        if self.exhausted and not self._state.count(TrialState.RUNNING):
            return sorted(self._state.paused)
        return self._state.rungs.unpromotable()
