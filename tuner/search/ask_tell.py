"""Asks Optuna for configurations, reports epochs and tells results. Rungs pause and promote trials."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import partial
from typing import Any, cast

import optuna
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState
from tuner_storage.trial_attributes import CONFIRMS, PAUSED, PROMOTED, START

from tuner.config.hyperparameters import Hyperparameters
from tuner.config.recipe import Recipe
from tuner.jobs import Instruction, TrialSpec
from tuner.records import Outcome
from tuner.search import confirmation
from tuner.search.initial_params import InitialParams
from tuner.search.kept_starts import start_of
from tuner.search.neighbours import identity
from tuner.search.optuna_trials import OptunaTrials, suggest
from tuner.search.sampler_view import SamplerView, StudyView
from tuner.search.samplers import make_pruner, make_rungs, make_sampler, trial_seed
from tuner.search.size_limit import REFUSALS_PER_CALL, SizeLimit, Weights
from tuner.search.study_state import StudyState
from tuner.search.trial_cache import TrialCache
from tuner.search.trial_queue import TrialQueue

warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)

_STATES = {
    Outcome.COMPLETE: TrialState.COMPLETE,
    Outcome.PRUNED: TrialState.PRUNED,
    Outcome.FAILED: TrialState.FAIL,
}


class AskTell:
    """The ask-and-tell interface of one study: ask for a trial, report its epochs, tell its result.

    Seeds follow from the study's seed and the trial's number. With one trainer, a study that was interrupted therefore
    proposes what it would have proposed without the interruption.

    Args:
        study: The Optuna study. Nobody else may write it while this object is used, except in turns: see
            :mod:`tuner.run.sharing`.
        recipe: The search space, the sampler and the pruner.
        weights: Counts the weights of a configuration. If it is ``None``, no configuration is refused for its size.
        foreign: Trials of earlier studies that samplers learn from: see :mod:`tuner.search.warm_start`.

    Attributes:
        state: What the running study knows.
        queue: Counts the trials and chooses the next one.
    """

    def __init__(
        self,
        study: optuna.Study,
        recipe: Recipe,
        *,
        weights: Weights | None = None,
        foreign: Sequence[FrozenTrial] = (),
    ) -> None:
        # Optuna has no public way to number and requeue trials.
        self._cache = TrialCache(study._storage, study._study_id)  # noqa: SLF001
        self._storage = cast("BaseStorage", self._cache)
        self._recipe = recipe
        self._rungs = make_rungs(recipe)
        self.state = StudyState(self._rungs)
        self.queue = TrialQueue(recipe, self.state)
        as_complete = recipe.sampler == "tpe" and not recipe.objective.several
        view = SamplerView(self._storage, self._rungs, foreign, as_complete=as_complete, with_infeasible=True)
        self._study = StudyView(study.study_name, cast("BaseStorage", view))
        # Pruners compare a trial with those of its own study only, as rungs do.
        own_view = SamplerView(self._storage, self._rungs)
        self._study_for_pruner = StudyView(study.study_name, cast("BaseStorage", own_view))
        self._study_for_pruner.pruner = self._study.pruner = make_pruner(recipe)
        self._trials = OptunaTrials(self._study, self._storage, self.state)
        self._reported: dict[int, FrozenTrial] = {}  # the running trials as pruners see them
        self._size_limit = SizeLimit(recipe, weights, self.state)
        self._initial_params = InitialParams(recipe, self._study, self.state)
        self._restore_all()

    def reload(self) -> None:
        """Read all trials again, after writes that failed or while other coordinators share the study."""
        self._cache.read_all()
        self.state.forget_trials()
        self._restore_all()
        self._reported = {number: self._trials.get(number) for number in self.state.running}

    def refresh(self, numbers: Sequence[int]) -> list[FrozenTrial]:
        """Read trials again that another coordinator of the study has changed; returns them.

        Args:
            numbers: The trials, in order.
        """
        if not numbers:
            return []
        self._cache.read_again(numbers)
        trials = [self._trials.all()[number] for number in numbers]
        for trial in trials:
            self._rungs.forget(trial.number)
            self._restore(trial)
        return trials

    def ask(self, *, late: bool = False, confirming: bool = False) -> TrialSpec | None:
        """Return the next trial of the search: a waiting one, else one to promote, else a new one.

        Args:
            late: Promote the best paused trial instead of creating a new one, as long as too few trials are complete.
            confirming: Return a trial of :meth:`queue_confirmations` instead.

        Returns:
            The trial, which is running from now on. ``None`` if there is none, or if too many configurations in a row
            were refused: then the caller should ask again.

        Raises:
            RunError: If every configuration that is drawn is too large.
        """
        self._size_limit.check()
        for _ in range(REFUSALS_PER_CALL):
            started = self._start_next(late=late, confirming=confirming)
            if started is None:
                return None
            trial, promoted = started
            drawn = self._recipe.search_space.draw(partial(suggest, trial))
            hyperparameters = self._recipe.hyperparameters(drawn)
            frozen = self._trials.get(trial.number)
            was_started = confirming or promoted is not None or frozen.intermediate_values
            if was_started or not self._size_limit.refuse(trial, hyperparameters):
                self._reported[trial.number] = frozen
                spec = self._spec(trial.number, drawn, hyperparameters, promoted)
                self.state.add_running(spec, _in_order(frozen))
                return spec
            self._trials.finish(trial.number, TrialState.PRUNED)
            if self._size_limit.gives_up:  # the next call says so: an error would undo what this one has written
                break
        return None

    def warm_up(self) -> None:
        """Import what the first proposals need, which can take a second. Nothing is proposed."""
        if not self.queue.full:
            self._initial_params.params(len(self.state))

    def begin_attempt(self, number: int, values: Sequence[float] = ()) -> None:
        """Begin an attempt at a running trial: forget earlier reports, except the ``values`` it continues from."""
        trial = self._reported[number]
        for epoch in range(len(values)):
            # Versions that wrote and reported an epoch in two transactions could die between them.
            if epoch not in trial.intermediate_values:
                self._storage.set_trial_intermediate_value(self.trial_id(number), epoch, values[epoch])
        trial.intermediate_values = dict(enumerate(values))
        self.state.reset_values(number, values)

    def report(self, number: int, value: float) -> Instruction | None:
        """Report the objective after one more epoch of a running trial. The store has already written it.

        Returns:
            What the trial should do. At a rung there is always an instruction; elsewhere ``None`` means to continue.
        """
        # Uses a frozen trial, because trial.should_prune remembers what earlier attempts reported.
        values = self.state.add_value(number, value)
        trial = self._reported[number]
        trial.intermediate_values[len(values) - 1] = value
        if number in self.state.confirmations:
            return None
        in_top_third = self._rungs.reach(number, values, start=self.state.start_of(number) is not None)
        if in_top_third is not None:
            self.state.touched.add(number)
            return Instruction.CONTINUE if in_top_third else Instruction.PAUSE
        pruner = self._study_for_pruner.pruner
        return Instruction.PRUNE if pruner.prune(self._study_for_pruner, trial) else None

    def tell(self, number: int, outcome: Outcome, values: float | Sequence[float] | None) -> None:
        """End a running trial; an interrupted or paused one waits.

        Args:
            number: The trial.
            outcome: How it ended.
            values: All objectives of a complete trial. With one objective, a pruned trial keeps its last report.
        """
        reported = self.state.running[number].values
        self.state.remove_running(number)
        del self._reported[number]
        if outcome is Outcome.COMPLETE:
            self._rungs.complete(number, reported)
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
        self._trials.start(number)  # only a running trial can end
        self._trials.finish(number, TrialState.PRUNED)
        self._rungs.give_up(number)
        return self.attributes(number)

    def queue_confirmations(self, best: int, seeds: int) -> int:
        """Queue the missing confirmations: ``seeds`` further seeds for each of the ``best`` configurations.

        Returns:
            How many confirmations wait now.
        """
        trials = {trial.number: trial for trial in self._trials.all()}
        chosen = confirmation.chosen(
            {number: values[0] for number, values in self.values().items()},
            self.state.confirmations,
            {number: identity(trial.params) for number, trial in trials.items()},
            best=best,
            maximize=self._recipe.objective.maximize,
        )
        for round_number in range(1, seeds + 1):  # one seed for each configuration, then the next seed for each
            for original in chosen:
                if list(self.state.confirmations.values()).count(original) < round_number:
                    number = self._trials.enqueue(trials[original].params, {CONFIRMS: original})
                    self.state.add_confirmation(number, original)
        return len(self.queue.waiting(confirming=True))

    def recover(self, number: int, outcome: Outcome) -> tuple[float, ...] | None:
        """End or requeue a trial that a dead run left running, according to the outcome of its last attempt.

        The result of a trial is written to our tables before Optuna gets it, so the attributes of a complete
        trial hold its objectives.

        Returns:
            The objectives if the trial is complete.
        """
        attributes = self.attributes(number)
        values = self._recipe.objective.values(attributes) if outcome is Outcome.COMPLETE else None
        if PAUSED in attributes:
            self._trials.requeue(number)
            self._rungs.pause(number)
        elif outcome is Outcome.INTERRUPTED or (outcome is Outcome.COMPLETE and values is None):
            self._trials.requeue(number)
        else:
            self._trials.finish(number, _STATES[outcome], values)
        return values

    def check_end(self) -> None:
        """Check that a run that is over did not refuse every configuration that it drew.

        Raises:
            RunError: If it did.
        """
        self._size_limit.check_end()

    def trials(self) -> Sequence[FrozenTrial]:
        """Return all trials as they are stored."""
        return self._trials.all()

    def values(self) -> dict[int, tuple[float, ...]]:
        """Return the objectives of every complete trial by number."""
        return self._trials.values()

    def attributes(self, number: int) -> dict[str, Any]:
        """Return the user attributes of a trial."""
        return dict(self._trials.get(number).user_attrs)

    def trial_id(self, number: int) -> int:
        """Return Optuna's row id of a trial."""
        return self._trials.id_of(number)

    def spec_of(self, number: int) -> TrialSpec:
        """Return what an earlier trial trained."""
        trial = self._trials.get(number)
        hyperparameters = self._recipe.hyperparameters(trial.params)
        return self._spec(number, trial.params, hyperparameters, trial.user_attrs.get(PROMOTED))

    def _spec(
        self, number: int, drawn: dict[str, Any], hyperparameters: Hyperparameters, promoted: int | None
    ) -> TrialSpec:
        start = self.state.start_of(number)
        first = self.state.record_params(drawn, number)
        return TrialSpec(
            number=number,
            hyperparameters=hyperparameters,
            seed=trial_seed(self._recipe.search.seed, number),
            epochs=start.epochs if start and start.epochs else self._recipe.budget.epochs,
            label=start.label if start else None,
            repeats=first if first < number else None,
            rungs=self._rungs.ahead(number),
            promoted=promoted,
            confirms=self.state.confirmations.get(number),
            start=None if number in self.state.confirmations else start,
        )

    def _start_next(self, *, late: bool, confirming: bool) -> tuple[optuna.Trial, int | None] | None:
        """Start the next trial if there is one; returns it, and the rung where it was paused."""
        waiting = self.queue.waiting(confirming=confirming)
        if waiting:
            return self._start(waiting[0]), None
        if confirming:
            return None
        paused = self.queue.promotable(late=late)
        if paused is not None:
            rung = self._rungs.promote(paused)
            return self._start(paused), rung
        return None if self.queue.full else (self._start_new(len(self.state)), None)

    def _start(self, number: int) -> optuna.Trial:
        self._set_sampler(number)
        return self._trials.start(number)

    def _start_new(self, number: int) -> optuna.Trial:
        """Start a new trial, with initial parameters if there are any."""
        self._set_sampler(number)
        params, start = self._initial_params.params(number), self._initial_params.start(number)
        if params is None:
            return self._trials.start_new()
        attributes = None if start is None else {START: start.as_attribute()}
        if start is not None:
            self.state.record_start(number, start)
        return self._trials.start(self._trials.enqueue(params, attributes))

    def _set_sampler(self, number: int) -> None:
        at_random = self._size_limit.needs_random_draw(number)
        self._study.sampler = make_sampler(self._recipe, number, at_random=at_random)

    def _restore_all(self) -> None:
        for trial in self._trials.all():
            self._restore(trial)

    def _restore(self, trial: FrozenTrial) -> None:
        """Restore the state of a trial of another run."""
        number = trial.number
        self.state.set_trial_state(number, trial.state)
        start = start_of(trial, self._recipe)
        if start is not None:
            self.state.record_start(number, start)
        if self._size_limit.restore(trial):
            return
        if CONFIRMS in trial.user_attrs:
            self.state.add_confirmation(number, trial.user_attrs[CONFIRMS])
        elif trial.state != TrialState.FAIL and (start is None or start.epochs is None):
            paused = trial.state == TrialState.WAITING and PAUSED in trial.user_attrs
            complete = trial.state == TrialState.COMPLETE
            self._rungs.restore(number, _in_order(trial), paused=paused, complete=complete)
        if trial.params:
            self.state.record_params(trial.params, number)


def _in_order(trial: FrozenTrial) -> list[float]:
    """Return the objective after each epoch."""
    return [value for _, value in sorted(trial.intermediate_values.items())]
