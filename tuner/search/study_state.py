"""The state of a running study in memory: trials, running attempts, confirmations, and why it stops."""

from __future__ import annotations

import time
from collections.abc import Hashable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from optuna.trial import TrialState

from tuner.config.tables import Start
from tuner.jobs import TrialSpec
from tuner.records import ParamValue
from tuner.search.neighbours import identity
from tuner.search.stopping import WINNER_FOLLOWS
from tuner.search.successive_halving import Rungs


@dataclass(frozen=True, slots=True)
class RunningTrial:
    """A trial from the moment it is asked for until its result is told to Optuna. It may take several attempts.

    ``values`` holds the objective after each epoch that counts, those before a resumed checkpoint included.
    """

    spec: TrialSpec
    values: list[float]


@dataclass(slots=True)
class RunningAttempt:
    """An attempt that a worker is busy with.

    ``began`` is in seconds of the monotonic clock. ``timed_out`` is set when the attempt is killed for taking too long,
    ``paused_after`` is the number of epochs after which it was told to pause, if it was.
    """

    began: float = field(default_factory=time.monotonic)
    timed_out: bool = False
    paused_after: int | None = None


class StudyState:
    """The one object that owns the state of a running study. Its methods change the state; all other objects read it.

    If no other coordinator shares the study, the state never has to be read from the database again.

    Args:
        rungs: The rungs of the study's pruner, with the trials that are paused at them. Only
            :class:`tuner.search.ask_tell.AskTell` moves trials between rungs.

    Attributes:
        touched: The trials that were changed since the set was last cleared, for the other coordinators.
    """

    def __init__(self, rungs: Rungs) -> None:
        self.rungs = rungs
        self._states: dict[int, TrialState] = {}
        self._numbers: dict[TrialState, set[int]] = {state: set() for state in TrialState}
        self._refused: set[int] = set()
        self._confirmations: dict[int, int] = {}
        self._starts: dict[int, Start] = {}
        self._first_trials: dict[Hashable, int] = {}
        self._running: dict[int, RunningTrial] = {}
        self._attempts: dict[int, RunningAttempt] = {}
        self._stop_reason: str | None = None
        self.touched: set[int] = set()

    def forget_trials(self) -> None:
        """Forget all that was read from the database. What this run is busy with stays."""
        self.rungs.clear()
        for known in (self._states, self._refused, self._confirmations, self._starts, self._first_trials):
            known.clear()
        for numbers in self._numbers.values():
            numbers.clear()

    # Trials by state

    def __len__(self) -> int:
        """Count all trials, refused ones included."""
        return len(self._states)

    def trial_state(self, number: int) -> TrialState:
        """Return the state of a trial in Optuna's terms: a paused trial waits, a refused one is pruned."""
        return self._states[number]

    def count(self, state: TrialState) -> int:
        """Count the trials in a state."""
        return len(self._numbers[state])

    def trials_in(self, *states: TrialState) -> list[int]:
        """Return the trials in one of the states, in order."""
        return sorted(number for state in states for number in self._numbers[state])

    def set_trial_state(self, number: int, state: TrialState) -> None:
        """Record the state of a trial, whether it is new or not."""
        if number in self._states:
            self._numbers[self._states[number]].remove(number)
        self._states[number] = state
        self._numbers[state].add(number)
        self.touched.add(number)

    @property
    def paused(self) -> AbstractSet[int]:
        """The trials that wait at a rung."""
        return self.rungs.paused

    @property
    def refused(self) -> AbstractSet[int]:
        """The trials that were refused because their models are too large. They do not count against the budget."""
        return self._refused

    def refuse(self, number: int) -> None:
        """Record that a trial was refused."""
        self._refused.add(number)

    # Configurations

    def record_start(self, number: int, start: Start) -> None:
        """Record the start configuration that a trial was made from."""
        self._starts[number] = start
        if start.epochs is not None:  # rungs compare trials with the same number of epochs
            self.rungs.exempt(number)

    def start_of(self, number: int) -> Start | None:
        """Return the start configuration that a trial trains or confirms, or ``None``."""
        return self._starts.get(self._confirmations.get(number, number))

    @property
    def starts(self) -> Mapping[int, Start]:
        """The start configurations by the trials that were made from them."""
        return MappingProxyType(self._starts)

    @property
    def confirmations(self) -> Mapping[int, int]:
        """For each confirming trial, the trial that it trains again with another seed."""
        return MappingProxyType(self._confirmations)

    def add_confirmation(self, number: int, original: int) -> None:
        """Record that a trial confirms ``original``. It trains to its end: rungs do not apply to it."""
        self._confirmations[number] = original
        self.rungs.exempt(number)

    def record_params(self, params: Mapping[str, ParamValue], number: int) -> int:
        """Record the searched parameters of a trial; returns the first trial that had them, possibly this one."""
        return self._first_trials.setdefault(identity(params), number)

    # Running trials and their attempts

    def busy_with(self) -> tuple[dict[int, RunningTrial], dict[int, RunningAttempt]]:
        """Return a copy of the running trials and attempts, for :meth:`restore`."""
        running = {number: RunningTrial(trial.spec, list(trial.values)) for number, trial in self._running.items()}
        return running, {number: replace(attempt) for number, attempt in self._attempts.items()}

    def restore(self, busy: tuple[dict[int, RunningTrial], dict[int, RunningAttempt]]) -> None:
        """Bring the running trials and attempts back to what :meth:`busy_with` returned."""
        self._running, self._attempts = busy

    @property
    def running(self) -> Mapping[int, RunningTrial]:
        """The trials without a result, by number, since they were asked for."""
        return MappingProxyType(self._running)

    def add_running(self, spec: TrialSpec, values: Sequence[float]) -> None:
        """Record that a trial was asked for, and what earlier attempts at it reported."""
        self._running[spec.number] = RunningTrial(spec, list(values))

    def reset_values(self, number: int, values: Sequence[float]) -> None:
        """Replace the values of a running trial by those that its new attempt continues from."""
        self._running[number].values[:] = values

    def add_value(self, number: int, value: float) -> Sequence[float]:
        """Append the objective after one more epoch; returns all values of the trial."""
        values = self._running[number].values
        values.append(value)
        return values

    def best_running(self, *, maximize: bool) -> int | None:
        """Return the running trial with the best value so far, the earlier one of equals; ``None`` if none has one."""
        sign = -1 if maximize else 1
        best = {number: min(sign * v for v in trial.values) for number, trial in self._running.items() if trial.values}
        return min(best, key=lambda number: (best[number], number)) if best else None

    def remove_running(self, number: int) -> None:
        """Record that a trial has a result, or waits again. A worker may still be busy with it."""
        del self._running[number]

    @property
    def attempts(self) -> Mapping[int, RunningAttempt]:
        """The attempts that workers are busy with, by the number of the trial."""
        return MappingProxyType(self._attempts)

    @property
    def to_retry(self) -> list[TrialSpec]:
        """The running trials without an attempt: their workers died, and they are tried again."""
        return [trial.spec for number, trial in self._running.items() if number not in self._attempts]

    def begin_attempt(self, number: int) -> None:
        """Record that a worker starts a running trial."""
        self._attempts[number] = RunningAttempt()

    def mark_timed_out(self, number: int) -> None:
        """Record that an attempt is killed for taking too long."""
        self._attempts[number].timed_out = True

    def mark_pausing(self, number: int, epochs: int) -> None:
        """Record that a trial is told to pause after so many epochs."""
        self._attempts[number].paused_after = epochs

    def end_attempt(self, number: int) -> RunningAttempt:
        """Record that a worker is no longer busy with a trial; returns the attempt."""
        return self._attempts.pop(number)

    def trained_by_others(self) -> list[int]:
        """Return the trials that other coordinators train at the moment, in order."""
        if self.count(TrialState.RUNNING) <= len(self._running):
            return []
        return [number for number in self.trials_in(TrialState.RUNNING) if number not in self._running]

    # Why the run stops

    @property
    def stop_reason(self) -> str | None:
        """Why the run ends early: see :mod:`tuner.search.stopping`, ``stop``, or the name of a signal."""
        return self._stop_reason

    @property
    def may_run_final_jobs(self) -> bool:
        """Whether the run may still confirm, refit and test the winner: it was not asked to stop at once."""
        return self._stop_reason is None or self._stop_reason in WINNER_FOLLOWS

    def request_stop(self, reason: str) -> None:
        """Record why the run ends early. The first reason counts, but a request to stop at once replaces any other."""
        if self._stop_reason is None or (self.may_run_final_jobs and reason not in WINNER_FOLLOWS):
            self._stop_reason = reason
