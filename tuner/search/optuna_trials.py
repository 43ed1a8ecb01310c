"""Reads the trials of one Optuna study and moves them from one state to the next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import optuna
from optuna.trial import FrozenTrial, TrialState

from tuner.config.dimensions import AnyDimension
from tuner.records import ParamValue
from tuner.search.samplers import distribution
from tuner.search.study_state import StudyState
from tuner.search.trial_cache import changed_by_another


class OptunaTrials:
    """Writes state changes to Optuna's tables and records them in the study's state.

    Args:
        study: The study. Samplers see its trials through its storage.
        storage: The trials as they are stored.
        state: Records the state of every trial.
    """

    def __init__(self, study: optuna.Study, storage: optuna.storages.BaseStorage, state: StudyState) -> None:
        self._study = study
        self._storage = storage
        self._state = state

    def all(self) -> Sequence[FrozenTrial]:
        """Return every trial as it is stored."""
        return self._storage.get_all_trials(self._study._study_id, deepcopy=False)  # noqa: SLF001 - its only name

    def get(self, number: int) -> FrozenTrial:
        """Return one trial as it is stored."""
        return self._storage.get_trial(self.id_of(number))

    def id_of(self, number: int) -> int:
        """Return Optuna's row id of a trial."""
        return self._storage.get_trial_id_from_study_id_trial_number(self._study._study_id, number)  # noqa: SLF001

    def values(self) -> dict[int, tuple[float, ...]]:
        """Return the objectives of every complete trial by number."""
        complete = (trial for trial in self.all() if trial.state == TrialState.COMPLETE)
        return {trial.number: tuple(trial.values) for trial in complete}

    def enqueue(self, params: Mapping[str, ParamValue], attributes: Mapping[str, object] | None = None) -> int:
        """Add a waiting trial with these parameters and return its number; the sampler draws the others."""
        number = len(self._state)
        self._study.enqueue_trial(dict(params), user_attrs=None if attributes is None else dict(attributes))
        self._state.set_trial_state(number, TrialState.WAITING)
        return number

    def start_new(self) -> optuna.Trial:
        """Create a running trial."""
        self._forget_what_samplers_saw()
        trial_id = self._storage.create_new_trial(self._study._study_id)  # noqa: SLF001
        self._state.set_trial_state(len(self._state), TrialState.RUNNING)
        return optuna.Trial(self._study, trial_id)

    def start(self, number: int) -> optuna.Trial:
        """Start a waiting trial with the parameters that it has."""
        self._forget_what_samplers_saw()
        trial_id = self.id_of(number)
        self._storage.set_trial_state_values(trial_id, TrialState.RUNNING)
        self._state.set_trial_state(number, TrialState.RUNNING)
        return optuna.Trial(self._study, trial_id)

    def requeue(self, number: int) -> None:
        """Let a running trial wait."""
        self._storage.set_trial_state_values(self.id_of(number), TrialState.WAITING)
        self._state.set_trial_state(number, TrialState.WAITING)

    def finish(self, number: int, state: TrialState, values: float | Sequence[float] | None = None) -> None:
        """End a running trial. With one objective, a pruned trial keeps its last reported value."""
        try:
            self._study.tell(number, values, state=state, skip_if_finished=False)
        except ValueError as error:
            if self.get(number).state == TrialState.RUNNING:
                raise
            raise changed_by_another(self._study.study_name, f"it ended trial {number}") from error
        self._state.set_trial_state(number, state)

    def _forget_what_samplers_saw(self) -> None:
        """Clear Optuna's cache of trials, as ``study.ask`` does.

        ``study.ask`` itself cannot be used: it takes whichever trial waits first.
        """
        self._study._thread_local.cached_all_trials = None  # noqa: SLF001


def suggest(trial: optuna.Trial, name: str, dimension: AnyDimension) -> ParamValue:
    """Return the value of one parameter: the one that the trial was enqueued with, else one from the sampler."""
    value: ParamValue = trial._suggest(name, distribution(dimension))  # noqa: SLF001 - as suggest_float and its like do
    return value
