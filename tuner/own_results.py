"""Tells results that a run of tuner wrote from those that another program wrote into Optuna's tables."""

from __future__ import annotations

import copy
from collections.abc import Collection, Container, Mapping
from functools import cached_property
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState
from tuner_storage import Store
from tuner_storage.copies import StudyRecord

from tuner.config.objectives import Objective
from tuner.config.recipe import parse_recipe

FOREIGN = "another program wrote its result"


class OwnResults:
    """Optuna's storage of one study, which shows a trial with a foreign result as failed.

    A script of Optuna can end a trial with any value, or add one that has ended. A result is ours if an attempt at the
    trial is complete in our tables, and its values are those that this attempt wrote to its attributes.

    Args:
        store: Our tables and Optuna's storage; every method that is not defined here is the storage's own.
        record: Our record of the study.
    """

    def __init__(self, store: Store, record: StudyRecord) -> None:
        self._store = store
        self._record = record

    @property
    def _storage(self) -> BaseStorage:
        return self._store.optuna  # which is another one once coordinators share the study

    def __getattr__(self, name: str) -> Any:
        """Return an attribute of the storage."""
        return getattr(self._storage, name)

    def get_trial(self, trial_id: int) -> FrozenTrial:
        """Return one trial of the study."""
        trial = self._storage.get_trial(trial_id)
        return self._checked([trial], [trial.number])[0]

    def get_trials(self, study_id: int, trial_ids: Collection[int]) -> list[FrozenTrial]:
        """Return some trials of the study, in order."""
        trials = self._store.uncached.get_trials(study_id, trial_ids)
        return self._checked(trials, [trial.number for trial in trials])

    def set_trial_params(self, trial_id: int, params: Mapping[str, tuple[float, BaseDistribution]]) -> None:
        """Add parameters to a trial."""
        self._store.uncached.set_trial_params(trial_id, params)

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        """Return the trials of the study in one of the ``states``, in order."""
        stored = self._storage.get_all_trials(study_id, deepcopy=False)
        checked = self._checked(stored)
        trials = [trial for trial in checked if states is None or trial.state in states]
        return copy.deepcopy(trials) if deepcopy else trials

    def read(self, numbers: Collection[int] | None = None) -> list[FrozenTrial]:
        """Read the trials of the study, all or those in ``numbers``, in order: see :meth:`tuner_storage.Store.trials`.

        Nothing is kept in Optuna's cache.
        """
        return self._checked(self._store.trials(self._record.optuna_id, numbers), numbers)

    @cached_property
    def _objective(self) -> Objective:
        return parse_recipe(self._record.recipe, "the snapshot of the study").objective

    def _checked(self, trials: list[FrozenTrial], numbers: Collection[int] | None = None) -> list[FrozenTrial]:
        """Return trials, with foreign results as failed. ``numbers`` are theirs, unless they are all."""
        if all(trial.state != TrialState.COMPLETE for trial in trials):
            return trials
        ours = self._store.database.retry(lambda: self._store.completed(self._record.id, numbers))
        return [
            trial
            if trial.state != TrialState.COMPLETE
            or (trial.number in ours and self._objective.values(trial.user_attrs) == tuple(trial.values))
            else _failed(trial)
            for trial in trials
        ]


def _failed(trial: FrozenTrial) -> FrozenTrial:
    failed = copy.copy(trial)
    failed.state = TrialState.FAIL
    failed.values = None
    failed.user_attrs = {"reason": FOREIGN}
    return failed
