"""Decides when failed trials end a run, and says why a study has no result."""

from __future__ import annotations

from collections import Counter, deque

from optuna.trial import TrialState

from tuner.command_line import command
from tuner.errors import RunError
from tuner.search.ask_tell import AskTell
from tuner.search.stopping import FAILURES, WINNER_FOLLOWS

FAILED_AT_FIRST = 5  # failed trials that end the run if the study has no result at all
WINDOW = 20  # the last trials of the run that are looked at
FAILED_OF_WINDOW = 15  # failed trials among these that end the search


class Failures:
    """Counts the failed trials of one run.

    A few failures in a row say little: a sampler that explores a range proposes learning rates that are too high, one
    after the other. So a study with results goes on until ``FAILED_OF_WINDOW`` of its last ``WINDOW`` trials failed.
    Then the search ends, and the winner so far is confirmed, trained again and tested.

    Args:
        study: The study's name, for messages.
        ask_tell: The trials, their state and the reasons of those that failed.
    """

    def __init__(self, study: str, ask_tell: AskTell) -> None:
        self._study = study
        self._ask_tell = ask_tell
        self._state = ask_tell.state
        self._last: deque[bool] = deque(maxlen=WINDOW)

    def trial_ended(self, *, failed: bool) -> None:
        """Count a trial that ended or paused. Requests the end of the search if too many of the last ones failed.

        Raises:
            RunError: If the first trials of the study all failed.
        """
        self._last.append(failed)
        failures = sum(self._last)
        if failures >= FAILED_AT_FIRST and not self._has_results:
            raise self._no_trial_completed()
        if failures >= FAILED_OF_WINDOW:
            self._state.request_stop(FAILURES)

    def check_end(self) -> None:
        """Check that a run that is over leaves a study with a result, unless it was interrupted.

        Raises:
            RunError: If the search is over without a complete trial, or every trial so far has failed.
        """
        reason, counts = self._state.stop_reason, self._ask_tell.queue.counts()
        if counts.complete or (reason is not None and reason not in WINNER_FOLLOWS):
            return
        if self._ask_tell.queue.exhausted or (counts.failed and not self._has_results):
            raise self._no_trial_completed()

    @property
    def _has_results(self) -> bool:
        counts = self._ask_tell.queue.counts()
        return bool(counts.complete or counts.pruned or counts.paused)

    def _no_trial_completed(self) -> RunError:
        counts = self._ask_tell.queue.counts()
        states = {"failed": counts.failed, "refused": counts.refused, "pruned": counts.pruned}
        ends = ", ".join(f"{count} {state}" for state, count in states.items() if count)
        unsuccessful = {*self._state.trials_in(TrialState.FAIL), *self._state.refused}
        reasons = Counter(str(self._ask_tell.attributes(number).get("reason")) for number in sorted(unsuccessful))
        often = f"; most often: {reasons.most_common(1)[0][0]}" if reasons else ""
        return RunError(
            f"no trial of '{self._study}' completed ({ends}){often}",
            hint=f"see each one: {command('study trials', self._study)}",
        )
