"""Ask Optuna for configurations, report to it, and tell it the results; rungs say who pauses and who is promoted."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import optuna
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

from storage.trial_attributes import CONFIRMS, PAUSED, PROMOTED
from tuner.config.recipe import Recipe
from tuner.jobs import Instruction, TrialSpec
from tuner.records import Outcome
from tuner.search import confirmation
from tuner.search.initial_params import InitialParams
from tuner.search.neighbours import identity
from tuner.search.optuna_trials import OptunaTrials, suggest
from tuner.search.sampler_view import SamplerView, StudyView
from tuner.search.samplers import make_pruner, make_rungs, make_sampler
from tuner.search.size_limit import AT_ONCE, SizeLimit, Weights
from tuner.search.trial_cache import TrialCache
from tuner.search.trial_queue import TrialQueue

optuna.logging.set_verbosity(optuna.logging.WARNING)
warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)

_STATES = {
    Outcome.COMPLETE: TrialState.COMPLETE,
    Outcome.PRUNED: TrialState.PRUNED,
    Outcome.FAILED: TrialState.FAIL,
}


class AskTell:
    """One Optuna study, seen as a source of configurations and a sink of results.

    Seeds depend on the study's seed and the trial's number alone, so a study that was interrupted proposes what it
    would have proposed anyway (with one trainer).

    While it lives nobody else may write the study: it knows the state of every trial without asking the database again.

    Args:
        study: The Optuna study.
        recipe: What is searched, and how.
        weights: Counts those of a configuration; without it none is refused for having too many.
        foreign: Trials of earlier studies that samplers learn from: see :mod:`tuner.search.warm_start`.

    Attributes:
        turns: How many trials there are, and whose turn it is.
        confirms: The trial that each further seed confirms: see :mod:`tuner.search.confirmation`.
    """

    def __init__(
        self,
        study: optuna.Study,
        recipe: Recipe,
        *,
        weights: Weights | None = None,
        foreign: Sequence[FrozenTrial] = (),
    ) -> None:
        # Optuna offers no other way to number and requeue trials.
        storage = cast("BaseStorage", TrialCache(study._storage, study._study_id))  # noqa: SLF001
        self._rungs = make_rungs(recipe)
        as_complete = recipe.sampler == "tpe" and not recipe.objective.several
        view = SamplerView(storage, self._rungs, foreign, as_complete=as_complete)
        self._study = StudyView(study.study_name, cast("BaseStorage", view))
        # Pruners compare a trial with those of its own study, as rungs do.
        self._alone = StudyView(study.study_name, cast("BaseStorage", SamplerView(storage, self._rungs)))
        self._alone.pruner = self._study.pruner = make_pruner(recipe)
        self._storage = storage
        self._trials = OptunaTrials(self._study, storage)
        self._recipe = recipe
        self._running: dict[int, _Running] = {}
        self._refusals = SizeLimit(recipe, weights)
        self.confirms: dict[int, int] = {}
        self.turns = TrialQueue(recipe, self._trials, self._rungs, self._refusals, self.confirms)
        self._openings = InitialParams(recipe, self._study, self.confirms, self._refusals)
        for trial in self._trials.all():
            self._take_up(trial)

    def values(self) -> dict[int, tuple[float, ...]]:
        """Return the objectives of every complete trial by number."""
        return self._trials.values()

    def is_over(self, number: int) -> bool:
        """Tell whether a trial has ended for good."""
        return self._trials.state(number).is_finished()

    def left_behind(self) -> list[int]:
        """Return the trials that a dead run left running."""
        return self._trials.of(TrialState.RUNNING)

    def settle(self, number: int, outcome: Outcome) -> tuple[float, ...] | None:
        """End a trial that a dead run left running as its attempt had ended; returns its objectives if it is complete.

        Its result was written before it was told to Optuna: the objectives are among its attributes.
        """
        attributes = self._trials.get(number).user_attrs
        values = self._recipe.objective.values(attributes) if outcome is Outcome.COMPLETE else None
        if PAUSED in attributes:
            self._trials.requeue(number)
            self._rungs.pause(number)
        elif outcome is Outcome.INTERRUPTED or (outcome is Outcome.COMPLETE and values is None):
            self._trials.requeue(number)
        else:
            self._trials.finish(number, _STATES[outcome], values)
        return values

    def ask(self, *, late: bool = False, confirming: bool = False) -> TrialSpec | None:
        """Return the next trial of the search: one that waits, else one to promote, else a new one.

        Args:
            late: Promote the best paused trial instead of making a new one, as long as too few trials are complete.
            confirming: Ask for the trials of :meth:`confirm` instead.

        Returns:
            ``None`` where there is none, or where many were refused and the next call goes on.

        Raises:
            RunError: If nothing but configurations that are too large come.
        """
        for _ in range(AT_ONCE):
            taken = self._take(late=late, confirming=confirming)
            if taken is None:
                return None
            trial, promoted = taken
            drawn = self._recipe.search_space.draw(partial(suggest, trial))
            running = _Running(trial, self._trials.get(trial.number))
            begun = confirming or promoted is not None or running.frozen.intermediate_values
            hyperparameters = self._recipe.hyperparameters(drawn)
            if begun or not self._refusals.refuse(trial, hyperparameters):
                self._running[trial.number] = running
                return self._openings.asked(
                    trial.number, drawn, rungs=self._rungs.ahead(trial.number), promoted=promoted
                )
            self._trials.finish(trial.number, TrialState.PRUNED)
            self._refusals.check()
        return None

    def _take(self, *, late: bool, confirming: bool) -> tuple[optuna.Trial, int | None] | None:
        """Let the next trial run, if there is one; returns it, and the epochs after which it was paused."""
        waiting = self.turns.waiting(confirming=confirming)
        if waiting:
            return self._run(waiting[0]), None
        if confirming:
            return None
        paused = self.turns.promotable(late=late)
        if paused is not None:
            promoted = self._rungs.promote(paused)
            return self._run(paused), promoted
        return None if self.turns.full else (self._run_new(len(self._trials)), None)

    def confirm(self, best: int, seeds: int) -> int:
        """Queue what is missing of ``seeds`` further seeds for each of the ``best`` configurations.

        Returns:
            How many trials of this kind wait now.
        """
        trials = {trial.number: trial for trial in self._trials.all()}
        chosen = confirmation.chosen(
            {number: values[0] for number, values in self._trials.values().items()},
            self.confirms,
            {number: identity(trial.params) for number, trial in trials.items()},
            best=best,
            maximize=self._recipe.objective.maximize,
        )
        for turn in range(1, seeds + 1):  # each configuration once, then each of them again
            for original in chosen:
                if sum(each == original for each in self.confirms.values()) < turn:
                    number = self._trials.add(trials[original].params, {CONFIRMS: original})
                    self._exempt(number, original)
        return len(self.turns.waiting(confirming=True))

    def judge(self, number: int, epoch: int, value: float) -> Instruction | None:
        """Say what becomes of a trial, whose objective after an epoch the store has written; at a rung always."""
        frozen = self._running[number].frozen
        # Not trial.should_prune: it remembers what an earlier attempt at this trial reported.
        frozen.intermediate_values[epoch] = value
        if number in self.confirms:
            return None
        goes_on = self._rungs.reach(number, _in_order(frozen))
        if goes_on is not None:
            return Instruction.CONTINUE if goes_on else Instruction.PAUSE
        return Instruction.PRUNE if self._alone.pruner.prune(self._alone, frozen) else None

    def restart(self, number: int, values: Sequence[float] = ()) -> None:
        """Forget what earlier attempts at a running trial reported, but for the ``values`` of the epochs that count."""
        running = self._running[number]
        known = dict(running.frozen.intermediate_values)
        running.frozen.intermediate_values.clear()
        for epoch, value in enumerate(values):
            running.frozen.intermediate_values[epoch] = value
            if epoch not in known:  # the run was killed before it could report it
                self._storage.set_trial_intermediate_value(running.trial._trial_id, epoch, value)  # noqa: SLF001

    def trial_id(self, number: int) -> int:
        """Return Optuna's row of a trial."""
        return self._trials.id_of(number)

    def tell(self, number: int, outcome: Outcome, values: float | Sequence[float] | None) -> None:
        """End a running trial, a complete one with all its objectives; an interrupted or paused one waits.

        A pruned trial keeps its last reported value, where there is one objective.
        """
        running = self._running.pop(number)
        if outcome is Outcome.COMPLETE:
            self._rungs.complete(number, _in_order(running.frozen))
        elif outcome is Outcome.FAILED:
            self._rungs.forget(number)
        if outcome in _STATES:
            self._trials.finish(number, _STATES[outcome], values if outcome is Outcome.COMPLETE else None)
        else:
            self._trials.requeue(number)
        if outcome is Outcome.PAUSED:
            self._rungs.pause(number)

    def give_up(self, number: int) -> dict[str, Any]:
        """End a paused trial as pruned, with its last value; returns its user attributes."""
        self._trials.run(number)  # else it cannot end
        self._trials.finish(number, TrialState.PRUNED)
        self._rungs.give_up(number)
        return dict(self._trials.get(number).user_attrs)

    def facts(self, number: int) -> dict[str, Any]:
        """Return the user attributes of a trial."""
        return dict(self._trials.get(number).user_attrs)

    def trained(self, number: int) -> TrialSpec:
        """Return what a trial was asked to be."""
        trial = self._trials.get(number)
        rungs = self._rungs.ahead(number)
        return self._openings.asked(number, trial.params, rungs=rungs, promoted=trial.user_attrs.get(PROMOTED))

    def _take_up(self, trial: FrozenTrial) -> None:
        """Learn where an earlier run left a trial."""
        number = trial.number
        if self._refusals.restore(trial):
            return
        if CONFIRMS in trial.user_attrs:
            self._exempt(number, trial.user_attrs[CONFIRMS])
        elif self._openings.has_own_epochs(number):
            self._rungs.exempt(number)
        elif trial.state != TrialState.FAIL:
            paused = trial.state == TrialState.WAITING and PAUSED in trial.user_attrs
            complete = trial.state == TrialState.COMPLETE
            self._rungs.restore(number, _in_order(trial), paused=paused, complete=complete)
        if trial.params:
            self._openings.note(number, trial.params)

    def _exempt(self, number: int, original: int) -> None:
        """Note that a trial confirms another one: it is compared with nobody on its way."""
        self.confirms[number] = original
        self._rungs.exempt(number)

    def _run(self, number: int) -> optuna.Trial:
        """Let a trial run again."""
        self._choose_sampler(number)
        return self._trials.run(number)

    def _run_new(self, number: int) -> optuna.Trial:
        """Let a new trial run, with the parameters that were decided beforehand."""
        self._choose_sampler(number)
        params = self._openings.params(number)
        if self._openings.has_own_epochs(number):
            self._rungs.exempt(number)
        return self._trials.run_new() if params is None else self._trials.run(self._trials.add(params))

    def _choose_sampler(self, number: int) -> None:
        self._study.sampler = make_sampler(self._recipe, number, at_random=self._refusals.stubborn(number))


@dataclass(frozen=True, slots=True)
class _Running:
    """A trial that is being trained, and what pruners are shown of it."""

    trial: optuna.Trial
    frozen: FrozenTrial


def _in_order(trial: FrozenTrial) -> list[float]:
    """Return the objective after each epoch."""
    return [value for _, value in sorted(trial.intermediate_values.items())]
