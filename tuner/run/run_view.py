"""The run as it stands, handed to whoever shows it."""

from __future__ import annotations

import time

from tuner.config.recipe import Recipe
from tuner.records import Counts, Outcome
from tuner.run.attempts import Attempts
from tuner.run.incumbents import Incumbents
from tuner.run.progress import Ended, Progress, RunView, Silent
from tuner.search.ask_tell import AskTell


class ViewBuilder:
    """Builds the view of a run; where nobody can look any more (a closed terminal), the run goes on unseen.

    What comes after the search is named by ``phase``.

    Args:
        study: Its name.
        recipe: What is searched.
        slots: How many trials run at the same time.
        progress: Shows the views.
        sampling: Knows the trials by state.
        leaders: Knows the best one.
        attempts: Knows those that run.
    """

    def __init__(
        self,
        study: str,
        recipe: Recipe,
        *,
        slots: int,
        progress: Progress,
        sampling: AskTell,
        leaders: Incumbents,
        attempts: Attempts,
    ) -> None:
        self._study = study
        self._recipe = recipe
        self._slots = slots
        self._progress = progress
        self._sampling = sampling
        self._leaders = leaders
        self._attempts = attempts
        self._began = time.monotonic()
        self.phase = ""  # what is being done after the search, for people
        self._seconds: dict[int, float] = {}  # of the trials of this run

    @property
    def elapsed(self) -> float:
        """Seconds since the run began."""
        return time.monotonic() - self._began

    def update(self, note: str) -> None:
        """Show the run as it stands."""
        try:
            self._progress.update(self._view(note))
        except OSError:
            self._progress = Silent()

    def ended(self, end: Ended, note: str) -> None:
        """Show that a trial has ended."""
        if end.outcome is not Outcome.INTERRUPTED:
            self._seconds[end.number] = self._seconds.get(end.number, 0.0) + end.seconds
        try:
            self._progress.ended(end, self._view(note))
        except OSError:
            self._progress = Silent()

    def _view(self, note: str) -> RunView:
        counts = self._sampling.turns.counts()
        return RunView(
            study=self._study,
            objective=self._recipe.objective.metric,
            counts=counts,
            limit=self._sampling.turns.limit,
            best=self._leaders.best(),
            running=tuple(active.shown for active in self._attempts.active.values() if not active.ended),
            elapsed=self.elapsed,
            remaining=self._remaining(counts),
            note=note or self.phase,
        )

    def _remaining(self, counts: Counts) -> float | None:
        """Estimate the seconds to go from the trials of this run, at most what the timeout leaves."""
        timeout = self._recipe.budget.timeout
        left = max(0.0, timeout - self.elapsed) if timeout is not None else None
        if not self._seconds:
            return left
        to_do = max(0, self._sampling.turns.limit - counts.ended - counts.paused)
        guess = to_do * sum(self._seconds.values()) / len(self._seconds) / self._slots
        return guess if left is None else min(guess, left)
