"""Builds the view of a run as it stands and passes it to the progress display."""

from __future__ import annotations

from tuner.config.recipe import Recipe
from tuner.records import Counts, Outcome
from tuner.run.incumbents import Incumbents
from tuner.run.progress import Ended, Progress, RunView, Silent, TrialView
from tuner.run.time_budget import TimeBudget
from tuner.search.study_state import StudyState
from tuner.search.trial_queue import TrialQueue


class ViewBuilder:
    """Builds views of a run. If the display fails because the terminal was closed, the run continues without it.

    Args:
        study: The study's name.
        recipe: The objective.
        progress: Shows the views.
        state: The running trials.
        queue: Counts the trials.
        incumbents: The best trial.
        time_budget: The clock of the run.

    Attributes:
        phase: What the run does after the search, for people.
    """

    def __init__(
        self,
        study: str,
        recipe: Recipe,
        *,
        progress: Progress,
        state: StudyState,
        queue: TrialQueue,
        incumbents: Incumbents,
        time_budget: TimeBudget,
    ) -> None:
        self._study = study
        self._recipe = recipe
        self._progress = progress
        self._state = state
        self._queue = queue
        self._incumbents = incumbents
        self._time_budget = time_budget
        self._seconds: dict[int, float] = {}  # training times of the trials of this run
        self.phase = ""

    def update(self, status: str) -> None:
        """Show the run as it stands."""
        try:
            self._progress.update(self._view(status))
        except OSError:
            self._progress = Silent()

    def ended(self, end: Ended, status: str) -> None:
        """Show that a trial has ended."""
        if end.outcome is not Outcome.INTERRUPTED:
            self._seconds[end.number] = self._seconds.get(end.number, 0.0) + end.seconds
        try:
            self._progress.ended(end, self._view(status))
        except OSError:
            self._progress = Silent()

    def _view(self, status: str) -> RunView:
        counts = self._queue.counts()
        return RunView(
            study=self._study,
            objective=self._recipe.objective.metric,
            counts=counts,
            limit=self._queue.limit,
            best=self._incumbents.best(),
            running=self._running(),
            elapsed=self._time_budget.elapsed,
            remaining=self._remaining(counts),
            status=status or self.phase,
        )

    def _running(self) -> tuple[TrialView, ...]:
        trials = [trial for number, trial in self._state.running.items() if number in self._state.attempts]
        return tuple(
            TrialView(trial.spec.number, trial.spec.epochs, trial.spec.params, trial.spec.promoted, list(trial.values))
            for trial in trials
        )

    def _remaining(self, counts: Counts) -> float | None:
        """Estimate the remaining seconds from the trials of this run; the timeout bounds the estimate."""
        left = self._time_budget.remaining
        if not self._seconds:
            return left
        to_do = max(0, self._queue.limit - counts.ended - counts.paused)
        estimate = to_do * sum(self._seconds.values()) / len(self._seconds) / self._time_budget.slots
        return estimate if left is None else min(estimate, left)
