"""Caches the trials of an Optuna study and reads one again only after it was written."""

from __future__ import annotations

import copy
from collections.abc import Callable, Container
from typing import Any

from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState


class TrialCache:
    """The trials of one study in memory. No other process may write the study while the cache is used.

    Optuna reads every unfinished trial again each time a sampler asks for the trials, which happens several times per
    proposal. With dozens of paused trials, that took longer than training a small network.

    What the store writes to a running trial past this cache appears once the state of the trial changes.

    Args:
        storage: Optuna's storage; every method that is not defined here is the storage's own.
        study_id: Optuna's row id of the study.
    """

    def __init__(self, storage: BaseStorage, study_id: int) -> None:
        self._storage = storage
        self._trials = {trial.number: trial for trial in storage.get_all_trials(study_id, deepcopy=False)}
        self._written: set[int] = set()

    def __getattr__(self, name: str) -> Any:
        """Return an attribute of the storage; if it writes a trial, the trial is read again later."""
        attribute = getattr(self._storage, name)
        return self._invalidating(attribute) if name.startswith("set_trial_") else attribute

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        """Create a trial and return its row id."""
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
        for trial_id in sorted(self._written):  # row ids grow, so new trials are appended in order
            trial = self._storage.get_trial(trial_id)
            self._trials[trial.number] = trial
        self._written.clear()
        trials = [trial for trial in self._trials.values() if states is None or trial.state in states]
        return copy.deepcopy(trials) if deepcopy else trials

    def _invalidating(self, write: Callable[..., Any]) -> Callable[..., Any]:
        def write_and_invalidate(trial_id: int, *args: Any, **kwargs: Any) -> Any:
            self._written.add(trial_id)
            return write(trial_id, *args, **kwargs)

        return write_and_invalidate
