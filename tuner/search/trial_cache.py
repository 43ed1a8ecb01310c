"""Optuna's storage, of which a trial is read again only after it was written."""

from __future__ import annotations

import copy
from collections.abc import Callable, Container
from typing import Any

from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState


class TrialCache:
    """The trials of one study in memory: nobody else writes the study meanwhile.

    Optuna reads every trial that has not ended again each time that a sampler asks for the trials, several times per
    trial that it proposes. Where dozens are paused, that took longer than to train a small network.

    What the store writes to a running trial without this storage is seen once its state changes.

    Args:
        storage: Optuna's; whatever is not said here is its own.
        study_id: Optuna's row of the study.
    """

    def __init__(self, storage: BaseStorage, study_id: int) -> None:
        self._storage = storage
        self._trials = {trial.number: trial for trial in storage.get_all_trials(study_id, deepcopy=False)}
        self._written: set[int] = set()

    def __getattr__(self, name: str) -> Any:
        """Return what the storage has; a trial that is written through it is read again."""
        found = getattr(self._storage, name)
        return self._noting(found) if name.startswith("set_trial_") else found

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        """Make a trial; returns its row."""
        trial_id = self._storage.create_new_trial(study_id, template_trial=template_trial)
        self._written.add(trial_id)
        return trial_id

    def get_all_trials(
        self,
        study_id: int,  # noqa: ARG002 - Optuna's signature
        deepcopy: bool = True,
        states: Container[TrialState] | None = None,
    ) -> list[FrozenTrial]:
        """Return the trials of the study in one of the ``states``, in order."""
        for trial_id in sorted(self._written):  # new ones are appended in their order
            trial = self._storage.get_trial(trial_id)
            self._trials[trial.number] = trial
        self._written.clear()
        found = [trial for trial in self._trials.values() if states is None or trial.state in states]
        return copy.deepcopy(found) if deepcopy else found

    def _noting(self, write: Callable[..., Any]) -> Callable[..., Any]:
        def noted(trial_id: int, *args: Any, **kwargs: Any) -> Any:
            self._written.add(trial_id)
            return write(trial_id, *args, **kwargs)

        return noted
