"""A study as samplers see it: paused trials count as if they had ended, and there may be trials of other studies."""

from __future__ import annotations

import copy
from collections.abc import Container, Sequence
from typing import Any

import optuna
from optuna.storages import BaseStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from tuner.scheduling import Rungs


class StudyView(optuna.Study):
    """A study whose direction is that of its first objective, also where it has several.

    Optuna asks for the one direction of a study wherever it judges by what is reported while a trial runs: in its
    pruners, and where TPE ranks pruned trials. What is reported here is the first objective.
    """

    @property
    def direction(self) -> StudyDirection:
        """Of the first objective."""
        return self.directions[0]


class SamplerView:
    """A study's storage, in which a paused trial is one that was pruned at the highest rung that it has reached.

    In Optuna's tables it waits; a sampler would learn nothing from it. TPE ranks pruned trials behind the complete
    ones, by the epochs that they have trained and then by their value: here, the best up to that rung. So trials of
    different rungs are never compared by their values alone.

    Foreign trials come before those of the study, and are in no table. Everything else is the storage's own.

    Args:
        storage: Optuna's.
        rungs: Know who is paused, and where.
        foreign: Trials of earlier studies, with numbers that no trial of this one has.

    Source: how TPE takes trials with fewer epochs: Falkner et al. 2018, BOHB, section 4.1, which models the highest
    rung with enough trials; Optuna's ``_split_trials`` is the order used here.
    """

    def __init__(self, storage: BaseStorage, rungs: Rungs, foreign: Sequence[FrozenTrial] = ()) -> None:
        self._storage = storage
        self._rungs = rungs
        self._foreign = foreign

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
        if not paused and not self._foreign:
            return trials
        seen = [self._ended(trial) if trial.number in paused else trial for trial in trials]
        seen = [*(copy.deepcopy(self._foreign) if deepcopy else self._foreign), *seen]
        return [trial for trial in seen if states is None or trial.state in states]

    def _ended(self, trial: FrozenTrial) -> FrozenTrial:
        standing = self._rungs.standing(trial.number)
        if standing is None or trial.state != TrialState.WAITING:
            return trial
        level, value = standing
        ended = copy.copy(trial)
        ended.state, ended.values, ended.intermediate_values = TrialState.PRUNED, [value], {level - 1: value}
        return ended
