"""A study as samplers see it: paused trials count as if they had ended, and there may be trials of other studies."""

from __future__ import annotations

import copy
from collections.abc import Container, Sequence
from typing import Any

import optuna
from optuna.storages import BaseStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from tuner.search.successive_halving import Rungs


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
    """A study's storage, in which a paused trial has ended with its best value up to the highest rung it has reached.

    In Optuna's tables it waits; a sampler would learn nothing from it. For TPE it is as good as complete, and so is a
    trial that was given up at its rung: what it has reached so far is a lower bound of what it would reach, so where it
    is above a complete trial already, it is the better one; few epochs make it look worse than it is, never better.
    (Optuna's own order, all complete trials before all pruned ones, let the model believe in whichever few trials were
    complete first.) Where a value has to be that of the whole training, for a Gaussian process or with several
    objectives, it is one that was pruned.

    Foreign trials come before those of the study, and are in no table. Everything else is the storage's own.

    Args:
        storage: Optuna's.
        rungs: Know who is paused, and where.
        foreign: Trials of earlier studies, with numbers that no trial of this one has.
        as_complete: Whether trials that are compared at a rung count as complete.

    Source: Falkner et al. 2018, BOHB, section 4.1, which fits the model to the highest rung with enough trials instead.
    """

    def __init__(
        self,
        storage: BaseStorage,
        rungs: Rungs,
        foreign: Sequence[FrozenTrial] = (),
        *,
        as_complete: bool = False,
    ) -> None:
        self._storage = storage
        self._rungs = rungs
        self._foreign = foreign
        self._as_complete = as_complete

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
        seen = [self._ended(trial, paused) for trial in self._storage.get_all_trials(study_id, deepcopy=deepcopy)]
        seen = [*(copy.deepcopy(self._foreign) if deepcopy else self._foreign), *seen]
        return [trial for trial in seen if states is None or trial.state in states]

    def _ended(self, trial: FrozenTrial, paused: Container[int]) -> FrozenTrial:
        waits = trial.state == TrialState.WAITING and trial.number in paused
        if not waits and not (trial.state == TrialState.PRUNED and self._as_complete):
            return trial
        standing = self._rungs.standing(trial.number)
        if standing is None:
            return trial
        level, value = standing
        ended = copy.copy(trial)
        ended.state = TrialState.COMPLETE if self._as_complete else TrialState.PRUNED
        ended.values, ended.intermediate_values = [value], {level - 1: value}
        return ended
