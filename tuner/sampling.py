"""Ask Optuna for configurations, report to it, and tell it the results; rungs say who pauses and who is promoted."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import optuna
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

from tuner.recipe import Recipe
from tuner.records import PAUSED, Counts, Outcome, ParamValue, Verdict
from tuner.sampler_view import SamplerView
from tuner.samplers import make_pruner, make_sampler, shuffled_grid, sobol_point, spreads, trial_seed
from tuner.scheduling import Rungs
from tuner.space import AnyDimension, Choice, Float

optuna.logging.set_verbosity(optuna.logging.WARNING)
warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)

_STATES = {
    Outcome.COMPLETE: TrialState.COMPLETE,
    Outcome.PRUNED: TrialState.PRUNED,
    Outcome.FAILED: TrialState.FAIL,
}


@dataclass(frozen=True, slots=True)
class Asked:
    """A trial to run: its number, its complete parameters and its seed.

    ``repeats`` is the first trial with just these parameters, where there is one: this is another seed of it.
    ``rungs`` are the epochs after which it is compared with others; ``promoted`` is the one where it was paused.
    """

    number: int
    params: Mapping[str, ParamValue]
    seed: int
    epochs: int
    label: str | None
    repeats: int | None = None
    rungs: tuple[int, ...] = ()
    promoted: int | None = None


class Sampling:
    """One Optuna study, seen as a source of configurations and a sink of results.

    Seeds depend on the study's seed and the trial's number alone, so a study that was interrupted proposes what it
    would have proposed anyway (with one trainer).

    While it lives nobody else may write the study: it knows the state of every trial without asking the database again.

    Args:
        study: The Optuna study.
        recipe: What is searched, and how.
    """

    def __init__(self, study: optuna.Study, recipe: Recipe) -> None:
        self._storage = study._storage  # noqa: SLF001 - Optuna offers no other way to number and requeue trials
        self._rungs = make_rungs(recipe)
        self._study = optuna.Study(study.study_name, cast("BaseStorage", SamplerView(self._storage, self._rungs)))
        self._recipe = recipe
        self._running: dict[int, _Running] = {}
        self._grid = shuffled_grid(recipe) if recipe.sampler == "grid" else None
        self._study.pruner = make_pruner(recipe)
        self._states = {trial.number: trial.state for trial in self._trials()}
        self._tally = Counter(self._states.values())
        self._first: dict[Hashable, int] = {}
        for trial in self._trials():
            if trial.params:
                self._first.setdefault(_identity(trial.params), trial.number)
            self._take_up(trial)

    @property
    def limit(self) -> int:
        """How many trials there can be."""
        return self._recipe.trials

    @property
    def exhausted(self) -> bool:
        """Whether no trial waits, none can be promoted and no new one may be made."""
        return len(self._states) >= self.limit and not self._queue() and self._rungs.promotable() is None

    def counts(self) -> Counts:
        """Count the trials by state."""
        return Counts(
            complete=self._tally[TrialState.COMPLETE],
            pruned=self._tally[TrialState.PRUNED],
            failed=self._tally[TrialState.FAIL],
            running=self._tally[TrialState.RUNNING],
            waiting=self._tally[TrialState.WAITING] - len(self._rungs.paused),
            paused=len(self._rungs.paused),
        )

    def finished_after(self, number: int) -> int:
        """Count the complete, pruned and paused trials with a higher number."""
        ended, paused = {TrialState.COMPLETE, TrialState.PRUNED}, self._rungs.paused
        return sum(state in ended or other in paused for other, state in self._states.items() if other > number)

    def values(self) -> dict[int, float]:
        """Return the objective of every complete trial by number."""
        done = (trial for trial in self._trials() if trial.state == TrialState.COMPLETE)
        return {trial.number: trial.value for trial in done if trial.value is not None}

    def left_behind(self) -> list[int]:
        """Return the trials that a dead run left running."""
        return [number for number, state in self._states.items() if state == TrialState.RUNNING]

    def settle(self, number: int, outcome: Outcome) -> float | None:
        """End a trial that a dead run left running as its attempt had ended; returns its value if it is complete.

        Its result was written before it was told to Optuna: the objective is among its attributes.
        """
        trial = self._trial(number)
        value = trial.user_attrs.get(self._recipe.objective.metric) if outcome is Outcome.COMPLETE else None
        if PAUSED in trial.user_attrs:
            self._requeue(number)
            self._rungs.pause(number)
            return None
        if outcome is Outcome.INTERRUPTED or (outcome is Outcome.COMPLETE and value is None):
            self._requeue(number)
            return None
        self._study.tell(number, value, state=_STATES[outcome])
        self._set_state(number, _STATES[outcome])
        return value

    def ask(self) -> Asked | None:
        """Return the next trial: one that waits, else one to promote, else a new one; ``None`` where there is none."""
        queue, promoted = self._queue(), None
        number = min(queue, default=self._rungs.promotable())
        if number is None:
            if len(self._states) >= self.limit:
                return None
            number = len(self._states)
            self._enqueue(number)
        elif not queue:
            promoted = self._rungs.promote(number)
        self._study.sampler = make_sampler(self._recipe, number)
        trial = self._study.ask() if promoted is None else self._reopen(number)
        drawn = self._recipe.search_space.draw(lambda name, dimension: _suggest(trial, name, dimension))
        self._running[trial.number] = _Running(trial, self._storage.get_trial(trial._trial_id))  # noqa: SLF001
        self._set_state(trial.number, TrialState.RUNNING)
        start = self._recipe.start[trial.number] if trial.number < len(self._recipe.start) else None
        params = self._recipe.hyperparameters(drawn).as_params()
        first = self._first.setdefault(_identity(drawn), trial.number)
        return Asked(
            number=trial.number,
            params=params,
            repeats=first if first < trial.number else None,
            seed=trial_seed(self._recipe.search.seed, trial.number),
            epochs=start.epochs if start and start.epochs else self._recipe.budget.epochs,
            label=start.label if start else None,
            rungs=self._rungs.ahead(number),
            promoted=promoted,
        )

    def judge(self, number: int, epoch: int, value: float) -> Verdict | None:
        """Say what becomes of a trial, whose objective after an epoch the store has written; at a rung always."""
        frozen = self._running[number].frozen
        # Not trial.should_prune: it remembers what an earlier attempt at this trial reported.
        frozen.intermediate_values[epoch] = value
        goes_on = self._rungs.reach(number, _in_order(frozen))
        if goes_on is not None:
            return Verdict.GO_ON if goes_on else Verdict.PAUSE
        return Verdict.PRUNE if self._study.pruner.prune(self._study, frozen) else None

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
        """Return Optuna's row of a running trial."""
        return self._running[number].trial._trial_id  # noqa: SLF001

    def tell(self, number: int, outcome: Outcome, value: float | None) -> None:
        """End a running trial. A pruned trial keeps its last reported value; an interrupted or paused one waits."""
        running = self._running.pop(number)
        trial = running.trial
        if outcome in {Outcome.INTERRUPTED, Outcome.PAUSED}:
            self._requeue(number)
            if outcome is Outcome.PAUSED:
                self._rungs.pause(number)
        else:
            if outcome is Outcome.COMPLETE:
                self._rungs.complete(number, _in_order(running.frozen))
            elif outcome is Outcome.FAILED:
                self._rungs.forget(number)
            values = value if outcome is Outcome.COMPLETE else None
            self._study.tell(trial, values, state=_STATES[outcome], skip_if_finished=False)
            self._set_state(number, _STATES[outcome])

    def hopeless(self) -> list[int]:
        """Return the paused trials that cannot be promoted any more: all, once the study is exhausted."""
        return sorted(self._rungs.paused) if self.exhausted and not self._running else self._rungs.hopeless()

    def give_up(self, number: int) -> tuple[int, dict[str, Any]]:
        """End a paused trial as pruned, with its last value; returns Optuna's row of it and its user attributes."""
        trial = self._trial(number)
        self._storage.set_trial_state_values(trial._trial_id, TrialState.RUNNING)  # noqa: SLF001 - else it cannot end
        self._study.tell(number, state=TrialState.PRUNED)
        self._rungs.give_up(number)
        self._set_state(number, TrialState.PRUNED)
        return trial._trial_id, dict(trial.user_attrs)  # noqa: SLF001

    def is_over(self, number: int) -> bool:
        """Tell whether a trial has ended for good."""
        return self._states[number].is_finished()

    def _take_up(self, trial: FrozenTrial) -> None:
        """Bring the rungs to where an earlier run left a trial."""
        if self._has_own_epochs(trial.number):
            self._rungs.exempt(trial.number)
        elif trial.intermediate_values and trial.state != TrialState.FAIL:
            paused = trial.state == TrialState.WAITING and PAUSED in trial.user_attrs
            complete = trial.state == TrialState.COMPLETE
            self._rungs.restore(trial.number, _in_order(trial), paused=paused, complete=complete)

    def _has_own_epochs(self, number: int) -> bool:
        return number < len(self._recipe.start) and self._recipe.start[number].epochs is not None

    def _queue(self) -> list[int]:
        """Return the trials that wait to be tried again."""
        if not self._tally[TrialState.WAITING]:
            return []
        paused = self._rungs.paused
        return [each for each, state in self._states.items() if state == TrialState.WAITING and each not in paused]

    def _reopen(self, number: int) -> optuna.Trial:
        """Let a paused trial run again."""
        trial_id = self._trial(number)._trial_id  # noqa: SLF001
        self._storage.set_trial_state_values(trial_id, TrialState.RUNNING)
        return optuna.Trial(self._study, trial_id)

    def _trial(self, number: int) -> FrozenTrial:
        trial_id = self._storage.get_trial_id_from_study_id_trial_number(self._study._study_id, number)  # noqa: SLF001
        return self._storage.get_trial(trial_id)

    def _requeue(self, number: int) -> None:
        self._storage.set_trial_state_values(self._trial(number)._trial_id, TrialState.WAITING)  # noqa: SLF001
        self._set_state(number, TrialState.WAITING)

    def _set_state(self, number: int, state: TrialState) -> None:
        if number in self._states:
            self._tally[self._states[number]] -= 1
        self._states[number] = state
        self._tally[state] += 1

    def _enqueue(self, number: int) -> None:
        """Fix the parameters of the trial to come where the recipe, the grid or its place among the first says them."""
        params = self._recipe.start_params(number) if self._grid is None else self._grid[number]
        if spreads(self._recipe, self._study):
            params = sobol_point(self._recipe, number, fixed=params or {})
        if params is not None:
            self._study.enqueue_trial(params)

    def _trials(self) -> Sequence[FrozenTrial]:
        return self._storage.get_all_trials(self._study._study_id, deepcopy=False)  # noqa: SLF001 - not as samplers do


@dataclass(frozen=True, slots=True)
class _Running:
    """A trial that is being trained, and what pruners are shown of it."""

    trial: optuna.Trial
    frozen: FrozenTrial


def make_rungs(recipe: Recipe) -> Rungs:
    """Make the rungs of a search; one that does not pause trials has none."""
    has_rungs = recipe.search.pruner in {"asha", "hyperband"}
    return Rungs(
        recipe.budget.epochs if has_rungs else 0,
        limit=recipe.trials,
        maximize=recipe.objective.maximize,
        brackets=recipe.search.pruner == "hyperband",
    )


def _in_order(trial: FrozenTrial) -> list[float]:
    """Return the objective after each epoch."""
    return [value for _, value in sorted(trial.intermediate_values.items())]


def _identity(params: Mapping[str, ParamValue]) -> Hashable:
    """Return what two trials with just the same searched parameters have in common."""
    return tuple(sorted(params.items()))


def _suggest(trial: optuna.Trial, name: str, dimension: AnyDimension) -> ParamValue:
    if isinstance(dimension, Choice):
        return cast("ParamValue", trial.suggest_categorical(name, dimension.choices))
    if isinstance(dimension, Float):
        return trial.suggest_float(name, dimension.low, dimension.high, step=dimension.step, log=dimension.log)
    return trial.suggest_int(name, dimension.low, dimension.high, step=dimension.step, log=dimension.log)
