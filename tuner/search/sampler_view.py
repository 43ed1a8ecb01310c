"""A study as samplers see it: paused and infeasible trials have values, and trials of earlier studies are added."""

from __future__ import annotations

import copy
from collections.abc import Container, Sequence
from typing import Any

import optuna
from optuna.storages import BaseStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState
from tuner_storage.trial_attributes import INFEASIBLE

from tuner.search.successive_halving import Rungs


class StudyView(optuna.Study):
    """A study whose direction is that of its first objective, even if it has several objectives.

    Optuna's pruners, and TPE when it ranks pruned trials, use the values that are reported while a trial runs. They
    need one direction for them. Here the reported value is always the first objective.
    """

    @property
    def direction(self) -> StudyDirection:
        """The direction of the first objective."""
        return self.directions[0]


class SamplerView:
    """A study's storage that shows a paused trial as finished, with its best value up to the highest rung it reached.

    In Optuna's tables a paused trial waits, and a sampler learns nothing from it. TPE sees it as complete, and likewise
    a trial that was given up at its rung. Its value so far is a lower bound of what it would reach: a few epochs make a
    trial look worse than it is, never better. So if it beats a complete trial already, it is the better one. (Optuna's
    own order ranks all complete trials before all pruned ones, so the model trusted the few trials that happened to be
    complete first.) If a value must come from a whole training, for a Gaussian process or with several objectives, the
    sampler sees the trial as pruned.

    Optuna's samplers ignore failed trials, so they would propose the same region again. A trial that failed because of
    its configuration (it diverged, ran out of memory or took too long) is therefore shown as complete with the worst
    value so far, in each objective. A constraint would need a measure of how far the trial is from being feasible, and
    only TPE and NSGA-II use constraints. A trial that failed for another reason, such as a killed worker, says nothing
    about its region and is left out.

    Trials of earlier studies come before those of the study; they are in no table of it.

    Args:
        storage: Optuna's storage; every method that is not defined here is the storage's own.
        rungs: The paused trials and the rungs they reached.
        foreign: Trials of earlier studies. Their numbers differ from those of this study's trials.
        as_complete: Whether trials that were compared at a rung count as complete.
        with_infeasible: Whether infeasible trials count as complete with the worst value.

    Source: Falkner et al. 2018, BOHB, section 4.1, which fits the model to the highest rung with enough trials instead.
    """

    def __init__(
        self,
        storage: BaseStorage,
        rungs: Rungs,
        foreign: Sequence[FrozenTrial] = (),
        *,
        as_complete: bool = False,
        with_infeasible: bool = False,
    ) -> None:
        self._storage = storage
        self._rungs = rungs
        self._foreign = foreign
        self._as_complete = as_complete
        self._with_infeasible = with_infeasible

    def __getattr__(self, name: str) -> Any:
        """Return an attribute of the storage."""
        return getattr(self._storage, name)

    def get_all_trials(
        self,
        study_id: int,
        deepcopy: bool = True,
        states: Container[TrialState] | None = None,
    ) -> list[FrozenTrial]:
        """Return the trials in one of the ``states``."""
        own = list(self._storage.get_all_trials(study_id, deepcopy=deepcopy))
        if self._as_complete:
            own = [self._as_finished(trial) for trial in own]
        else:  # only paused trials differ; a pruner looks after each epoch
            for number in self._rungs.paused:
                own[number] = self._as_finished(own[number])
        trials = [*(copy.deepcopy(self._foreign) if deepcopy else self._foreign), *own]
        if self._with_infeasible:
            trials = _with_worst_values(trials, self._storage.get_study_directions(study_id))
        return [trial for trial in trials if states is None or trial.state in states]

    def _as_finished(self, trial: FrozenTrial) -> FrozenTrial:
        is_paused = trial.state == TrialState.WAITING and trial.number in self._rungs.paused
        if not is_paused and not (trial.state == TrialState.PRUNED and self._as_complete):
            return trial
        standing = self._rungs.highest_rung(trial.number)
        if standing is None:
            return trial
        level, value = standing
        finished = copy.copy(trial)
        finished.state = TrialState.COMPLETE if self._as_complete else TrialState.PRUNED
        finished.values, finished.intermediate_values = [value], {level - 1: value}
        return finished


def _with_worst_values(trials: list[FrozenTrial], directions: Sequence[StudyDirection]) -> list[FrozenTrial]:
    """Return the trials, with the infeasible ones complete at the worst value so far. Without any value, none is."""
    values = [trial.values for trial in trials if trial.state == TrialState.COMPLETE]
    if not values:
        return trials
    worst = [
        (max if direction == StudyDirection.MINIMIZE else min)(column)
        for direction, column in zip(directions, zip(*values, strict=True), strict=True)
    ]
    return [_complete(trial, worst) if is_infeasible(trial) else trial for trial in trials]


def _complete(trial: FrozenTrial, values: Sequence[float]) -> FrozenTrial:
    complete = copy.copy(trial)
    complete.state, complete.values, complete.intermediate_values = TrialState.COMPLETE, list(values), {}
    return complete


def is_infeasible(trial: FrozenTrial) -> bool:
    """Return whether a trial failed because of its configuration, whatever state samplers see it in."""
    return INFEASIBLE in trial.user_attrs
