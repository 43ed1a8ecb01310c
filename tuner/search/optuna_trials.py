"""The trials of one Optuna study by state, and the ways from one state to the next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import cast

import optuna
from optuna.trial import FrozenTrial, TrialState

from tuner.config.space import AnyDimension, Choice, Float
from tuner.records import ParamValue


class OptunaTrials:
    """Knows the state of every trial without asking the database again: nobody else writes the study meanwhile.

    Args:
        study: The study; what its storage shows of the trials is what samplers see.
        storage: Where its trials are as they are.
    """

    def __init__(self, study: optuna.Study, storage: optuna.storages.BaseStorage) -> None:
        self._study = study
        self._storage = storage
        self._states = {trial.number: trial.state for trial in self.all()}
        self._tally = Counter(self._states.values())

    def __len__(self) -> int:
        """Count the trials."""
        return len(self._states)

    def all(self) -> Sequence[FrozenTrial]:
        """Return every trial as it is."""
        return self._storage.get_all_trials(self._study._study_id, deepcopy=False)  # noqa: SLF001 - its only name

    def get(self, number: int) -> FrozenTrial:
        """Return one trial as it is."""
        return self._storage.get_trial(self.id_of(number))

    def id_of(self, number: int) -> int:
        """Return Optuna's row of a trial."""
        return self._storage.get_trial_id_from_study_id_trial_number(self._study._study_id, number)  # noqa: SLF001

    def state(self, number: int) -> TrialState:
        """Return the state of a trial."""
        return self._states[number]

    def count(self, state: TrialState) -> int:
        """Count the trials in a state."""
        return self._tally[state]

    def of(self, *states: TrialState) -> list[int]:
        """Return the trials in one of the states, in order."""
        return [number for number, state in self._states.items() if state in states] if self._any(*states) else []

    def values(self) -> dict[int, tuple[float, ...]]:
        """Return the objectives of every complete trial by number."""
        done = (trial for trial in self.all() if trial.state == TrialState.COMPLETE)
        return {trial.number: tuple(trial.values) for trial in done}

    def add(self, params: Mapping[str, ParamValue], attributes: Mapping[str, object] | None = None) -> int:
        """Add a trial that waits and will have these parameters; the sampler draws the others."""
        number = len(self._states)
        self._study.enqueue_trial(dict(params), user_attrs=None if attributes is None else dict(attributes))
        self._note(number, TrialState.WAITING)
        return number

    def run_new(self) -> optuna.Trial:
        """Make a trial, and let it run."""
        self._forget_what_samplers_saw()
        trial_id = self._storage.create_new_trial(self._study._study_id)  # noqa: SLF001
        self._note(len(self._states), TrialState.RUNNING)
        return optuna.Trial(self._study, trial_id)

    def run(self, number: int) -> optuna.Trial:
        """Let a trial run that waits, with the parameters that it has."""
        self._forget_what_samplers_saw()
        trial_id = self.id_of(number)
        self._storage.set_trial_state_values(trial_id, TrialState.RUNNING)
        self._note(number, TrialState.RUNNING)
        return optuna.Trial(self._study, trial_id)

    def requeue(self, number: int) -> None:
        """Let a running trial wait."""
        self._storage.set_trial_state_values(self.id_of(number), TrialState.WAITING)
        self._note(number, TrialState.WAITING)

    def finish(self, number: int, state: TrialState, values: float | Sequence[float] | None = None) -> None:
        """End a running trial; a pruned one keeps its last reported value, where there is one objective."""
        self._study.tell(number, values, state=state, skip_if_finished=False)
        self._note(number, state)

    def _any(self, *states: TrialState) -> bool:
        return any(self._tally[state] for state in states)

    def _note(self, number: int, state: TrialState) -> None:
        if number in self._states:
            self._tally[self._states[number]] -= 1
        self._states[number] = state
        self._tally[state] += 1

    def _forget_what_samplers_saw(self) -> None:
        """As ``study.ask`` does, which cannot be used: it takes whichever trial waits first."""
        self._study._thread_local.cached_all_trials = None  # noqa: SLF001


def suggest(trial: optuna.Trial, name: str, dimension: AnyDimension) -> ParamValue:
    """Return the value of one parameter: what was fixed beforehand, else what the sampler draws."""
    if isinstance(dimension, Choice):
        return cast("ParamValue", trial.suggest_categorical(name, dimension.choices))
    if isinstance(dimension, Float):
        return trial.suggest_float(name, dimension.low, dimension.high, step=dimension.step, log=dimension.log)
    return trial.suggest_int(name, dimension.low, dimension.high, step=dimension.step, log=dimension.log)
