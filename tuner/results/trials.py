"""The trials of a study as plain copies, and the order of the complete ones. Needs no open database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from optuna.trial import FrozenTrial, TrialState
from tuner_storage.trial_attributes import CONFIRMS, PAUSED, PROMOTED, REFUSED, START

from tuner.config.hyperparameters import DEFAULTS
from tuner.config.recipe import Recipe
from tuner.own_results import FOREIGN
from tuner.records import ParamValue
from tuner.results.ranking import Ranking
from tuner.search.confirmation import Standing
from tuner.tasks import METRICS

# What a trainer may report after each epoch.
REPORTED = (*METRICS, *(f"val_{name}" for name in METRICS), "learning_rate")
_ALWAYS = {"layers", "dropout", "activation", "optimizer", "learning_rate", "batch_size"}  # what every MLP has
STATES = {
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "running",
    TrialState.WAITING: "waiting",
}


@dataclass(frozen=True, slots=True)
class TrialResult:
    """One trial.

    Attributes:
        number: Its number, from 0.
        state: ``waiting``, ``running``, ``paused``, ``complete``, ``pruned``, ``failed`` or ``refused``.
        value: The first objective at ``best_epoch``, or ``None`` if no epoch has finished.
        params: The parameters that were searched.
        all_params: ``params`` with fixed and default values. Once the trial has ended, it is complete.
        metrics: The metrics of ``best_epoch``.
        best_epoch: The epoch with the best value, 0-based.
        epochs: Number of finished epochs.
        seconds: Training time of all attempts together.
        parameters: Number of weights of the model.
        label: Name of its start configuration, if it has one.
        reason: Why it failed or was refused.
        kept: Whether its model is on disk.
        test: Metrics on the test split, if the model was evaluated.
        repeats: The first trial with the same parameters, if this one trains them with another seed.
        promoted: The number of epochs after which it was paused before it was promoted.
        confirms: The trial that it trains again with another seed for the confirmation.
        values: The objectives of a complete trial by name. The first one equals ``value``.
        origin: The earlier study that its start configuration comes from, if any.
    """

    number: int
    state: str
    value: float | None
    params: Mapping[str, ParamValue]
    all_params: Mapping[str, ParamValue]
    metrics: Mapping[str, float]
    best_epoch: int | None
    epochs: int
    seconds: float
    parameters: int | None
    label: str | None
    reason: str | None
    kept: bool
    test: Mapping[str, float] | None
    repeats: int | None = None
    promoted: int | None = None
    confirms: int | None = None
    values: Mapping[str, float] = field(default_factory=dict)
    origin: str | None = None

    @property
    def chosen_params(self) -> dict[str, ParamValue]:
        """``all_params`` without those that were not searched and have a value that switches them off or is usual."""
        return {
            name: value
            for name, value in self.all_params.items()
            if name in self.params or name in _ALWAYS or value != DEFAULTS.get(name)
        }

    def as_json(self) -> dict[str, object]:
        """Return plain data for JSON."""
        return asdict(self)


def read_trial(trial: FrozenTrial, recipe: Recipe, tests: Mapping[int, Mapping[str, float] | None]) -> TrialResult:
    """Convert a trial of Optuna. A trial whose values no tuner can have written has failed.

    Args:
        trial: The trial.
        recipe: The study's recipe, for fixed and default parameters.
        tests: For each trial whose model is kept: its test metrics, or ``None`` if it was not evaluated.
    """
    try:
        return _converted(trial, recipe, tests)
    except (TypeError, ValueError, AttributeError, OverflowError):
        return _foreign(trial.number)


def _foreign(number: int) -> TrialResult:
    """Return what is known of a trial that another program changed."""
    return TrialResult(
        number=number, state="failed", value=None, params={}, all_params={}, metrics={}, best_epoch=None, epochs=0,
        seconds=0.0, parameters=None, label=None, reason=FOREIGN, kept=False, test=None,
    )  # fmt: skip


def _converted(trial: FrozenTrial, recipe: Recipe, tests: Mapping[int, Mapping[str, float] | None]) -> TrialResult:
    attrs: Mapping[str, Any] = trial.user_attrs
    metrics = {name: float(attrs[name]) for name in REPORTED if name in attrs}
    best = metrics.get(recipe.objective.metric)
    start = attrs.get(START, {})
    finished = trial.state.is_finished()
    values = trial.values if trial.state == TrialState.COMPLETE else None
    return TrialResult(
        number=trial.number,
        state=_state(trial),
        value=values[0] if values else best,
        params=dict(trial.params),
        all_params=recipe.hyperparameters(trial.params).as_params() if finished else dict(trial.params),
        metrics=metrics,
        best_epoch=attrs.get("best_epoch"),
        epochs=int(attrs.get("epochs", len(trial.intermediate_values))),
        seconds=float(attrs.get("seconds", 0.0)),
        parameters=attrs.get("parameters"),
        label=attrs.get("label", start.get("label")),
        reason=attrs.get("reason"),
        kept=trial.number in tests,
        test=tests.get(trial.number),
        repeats=attrs.get("repeats"),
        promoted=attrs.get(PROMOTED),
        confirms=attrs.get(CONFIRMS),
        values=dict(zip(recipe.objective.names, values, strict=True)) if values else {},
        origin=start.get("origin"),
    )


def _state(trial: FrozenTrial) -> str:
    """Return the state. Optuna has no state for paused and refused trials: they are stored as waiting and pruned."""
    if trial.state == TrialState.WAITING and PAUSED in trial.user_attrs:
        return "paused"
    return "refused" if trial.state == TrialState.PRUNED and REFUSED in trial.user_attrs else STATES[trial.state]


def ranking_of(trials: Sequence[TrialResult], recipe: Recipe) -> Ranking:
    """Return the order of the complete trials."""
    done = [trial for trial in trials if trial.state == "complete" and trial.value is not None]
    return Ranking(
        recipe.objective,
        {trial.number: tuple(trial.values.values()) or (trial.value or 0.0,) for trial in done},
        {trial.number: trial.confirms for trial in trials if trial.confirms is not None},
    )


def ranked(trials: Sequence[TrialResult], recipe: Recipe) -> list[TrialResult]:
    """Return the complete trials, sorted by value, the best first. Trials with equal values are sorted by number."""
    by_number = {trial.number: trial for trial in trials}
    return [by_number[number] for number in ranking_of(trials, recipe).numbers()]


def front_of(trials: Sequence[TrialResult], recipe: Recipe) -> list[TrialResult]:
    """Return the Pareto front, sorted by the first objective, the best first.

    With one objective there is no front: the list is empty.
    """
    by_number = {trial.number: trial for trial in trials}
    return [by_number[number] for number in ranking_of(trials, recipe).front()]


def standings_of(trials: Sequence[TrialResult], recipe: Recipe) -> list[Standing]:
    """Return the standings of the confirmed configurations, the best mean first.

    See :mod:`tuner.search.confirmation`.
    """
    return ranking_of(trials, recipe).standings()


def winner(trials: Sequence[TrialResult], recipe: Recipe) -> TrialResult | None:
    """Return the best trial of the first standing, or the best complete trial if nothing was confirmed.

    Returns ``None`` if no trial is complete.
    """
    number = ranking_of(trials, recipe).winner()
    return next((trial for trial in trials if trial.number == number), None)
