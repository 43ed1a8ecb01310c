"""A study as samplers see it: paused trials count as if they had ended."""

from __future__ import annotations

import copy
from collections.abc import Container
from typing import Any

from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

from tuner.scheduling import Rungs


class SamplerView:
    """A study's storage, in which a paused trial is one that was pruned at the highest rung that it has reached.

    In Optuna's tables it waits; a sampler would learn nothing from it. TPE ranks pruned trials behind the complete
    ones, by the epochs that they have trained and then by their value: here, the best up to that rung. So trials of
    different rungs are never compared by their values alone.

    Everything else is the storage's own.

    Args:
        storage: Optuna's.
        rungs: Know who is paused, and where.

    Source: how TPE takes trials with fewer epochs: Falkner et al. 2018, BOHB, section 4.1, which models the highest
    rung with enough trials; Optuna's ``_split_trials`` is the order used here.
    """

    def __init__(self, storage: BaseStorage, rungs: Rungs) -> None:
        self._storage = storage
        self._rungs = rungs

    def __getattr__(self, name: str) -> Any:
        """Return what the storage has."""
        return getattr(self._storage, name)

    def get_all_trials(
        self,
        study_id: int,
        deepcopy: bool = True,
        states: Container[TrialState] | None = None,
    ) -> list[FrozenTrial]:
        """Return the trials in one of the ``states``."""
        paused = self._rungs.paused
        trials = self._storage.get_all_trials(study_id, deepcopy=deepcopy, states=None if paused else states)
        if not paused:
            return trials
        seen = [self._ended(trial) if trial.number in paused else trial for trial in trials]
        return [trial for trial in seen if states is None or trial.state in states]

    def _ended(self, trial: FrozenTrial) -> FrozenTrial:
        standing = self._rungs.standing(trial.number)
        if standing is None or trial.state != TrialState.WAITING:
            return trial
        level, value = standing
        ended = copy.copy(trial)
        ended.state, ended.value, ended.intermediate_values = TrialState.PRUNED, value, {level - 1: value}
        return ended
