"""Ask Optuna for configurations, report to it, and tell it the results: the only user of its samplers and pruners."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import optuna
from optuna.trial import TrialState

from tuner.recipe import Recipe
from tuner.records import Counts, Outcome, ParamValue
from tuner.samplers import make_pruner, make_sampler, shuffled_grid, trial_seed
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
    """

    number: int
    params: Mapping[str, ParamValue]
    seed: int
    epochs: int
    label: str | None
    repeats: int | None = None


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
        self._study = study
        self._storage = study._storage  # noqa: SLF001 - Optuna offers no other way to number and requeue trials
        self._recipe = recipe
        self._running: dict[int, _Running] = {}
        self._grid = shuffled_grid(recipe) if recipe.search.sampler == "grid" else None
        self._study.pruner = make_pruner(recipe)
        self._states = {trial.number: trial.state for trial in self._trials()}
        self._tally = Counter(self._states.values())
        self._first: dict[Hashable, int] = {}
        for trial in self._trials():
            if trial.params:
                self._first.setdefault(_identity(trial.params), trial.number)

    @property
    def limit(self) -> int:
        """How many trials there can be."""
        return self._recipe.trials

    @property
    def exhausted(self) -> bool:
        """Whether no trial waits and no new one may be made."""
        return len(self._states) >= self.limit and not self._tally[TrialState.WAITING]

    def counts(self) -> Counts:
        """Count the trials by state."""
        return Counts(
            complete=self._tally[TrialState.COMPLETE],
            pruned=self._tally[TrialState.PRUNED],
            failed=self._tally[TrialState.FAIL],
            running=self._tally[TrialState.RUNNING],
            waiting=self._tally[TrialState.WAITING],
        )

    def finished_after(self, number: int) -> int:
        """Count the complete and pruned trials with a higher number."""
        ended = {TrialState.COMPLETE, TrialState.PRUNED}
        return sum(state in ended for other, state in self._states.items() if other > number)

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
        trial = next(trial for trial in self._trials() if trial.number == number)
        value = trial.user_attrs.get(self._recipe.objective.metric) if outcome is Outcome.COMPLETE else None
        if outcome is Outcome.INTERRUPTED or (outcome is Outcome.COMPLETE and value is None):
            self._requeue(number, trial._trial_id)  # noqa: SLF001
            return None
        self._study.tell(number, value, state=_STATES[outcome])
        self._set_state(number, _STATES[outcome])
        return value

    def ask(self) -> Asked | None:
        """Return the next trial: one that waits, else a new one; ``None`` once the limit is reached."""
        if self.exhausted:
            return None
        number = len(self._states)
        if self._tally[TrialState.WAITING]:
            number = min(each for each, state in self._states.items() if state == TrialState.WAITING)
        else:
            self._enqueue(number)
        self._study.sampler = make_sampler(self._recipe.search, number)
        trial = self._study.ask()
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
        )

    def should_prune(self, number: int, epoch: int, value: float) -> bool:
        """Tell whether a trial should be pruned, whose objective after an epoch the store has written."""
        running = self._running[number]
        # Not trial.should_prune: it remembers what an earlier attempt at this trial reported.
        running.frozen.intermediate_values[epoch] = value
        return self._study.pruner.prune(self._study, running.frozen)

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
        """End a running trial. A pruned trial keeps its last reported value; an interrupted one waits again."""
        trial = self._running.pop(number).trial
        if outcome is Outcome.INTERRUPTED:
            self._requeue(number, trial._trial_id)  # noqa: SLF001
        else:
            values = value if outcome is Outcome.COMPLETE else None
            self._study.tell(trial, values, state=_STATES[outcome], skip_if_finished=False)
            self._set_state(number, _STATES[outcome])

    def _requeue(self, number: int, trial_id: int) -> None:
        self._storage.set_trial_state_values(trial_id, TrialState.WAITING)
        self._set_state(number, TrialState.WAITING)

    def _set_state(self, number: int, state: TrialState) -> None:
        if number in self._states:
            self._tally[self._states[number]] -= 1
        self._states[number] = state
        self._tally[state] += 1

    def _enqueue(self, number: int) -> None:
        """Fix the parameters of the trial to come where the recipe or the grid says what they are."""
        params = self._recipe.start_params(number) if self._grid is None else self._grid[number]
        if params is not None:
            self._study.enqueue_trial(params)

    def _trials(self) -> Sequence[optuna.trial.FrozenTrial]:
        return self._study.get_trials(deepcopy=False)


@dataclass(frozen=True, slots=True)
class _Running:
    """A trial that is being trained, and what pruners are shown of it."""

    trial: optuna.Trial
    frozen: optuna.trial.FrozenTrial


def _identity(params: Mapping[str, ParamValue]) -> Hashable:
    """Return what two trials with just the same searched parameters have in common."""
    return tuple(sorted(params.items()))


def _suggest(trial: optuna.Trial, name: str, dimension: AnyDimension) -> ParamValue:
    if isinstance(dimension, Choice):
        return cast("ParamValue", trial.suggest_categorical(name, dimension.choices))
    if isinstance(dimension, Float):
        return trial.suggest_float(name, dimension.low, dimension.high, step=dimension.step, log=dimension.log)
    return trial.suggest_int(name, dimension.low, dimension.high, step=dimension.step, log=dimension.log)
