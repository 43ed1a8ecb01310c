"""What came out of a study, as copies that carry no database with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from storage.trial_attributes import CONFIRMS, PAUSED, PROMOTED, REFUSED
from tuner.config.recipe import Recipe
from tuner.records import ParamValue
from tuner.search.confirmation import Standing, standings
from tuner.search.pareto import pareto_front

METRICS = ("loss", "accuracy", "val_loss", "val_accuracy", "learning_rate")  # what a trainer measures in each epoch
STATES = {
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "running",
    TrialState.WAITING: "waiting",
}


@dataclass(frozen=True, slots=True)
class TrialResult:
    """One trial. ``value`` and ``metrics`` are those of ``best_epoch`` (0-based); ``parameters`` counts weights.

    ``params`` holds what was searched; fixed and default values are in ``all_params``. ``kept`` tells whether its
    model is on disk, ``test`` holds loss and accuracy on the test split once it was evaluated. ``repeats`` is the first
    trial with just these parameters, of which this one is another seed. A ``paused`` trial waits after ``epochs``
    epochs; ``promoted`` is after how many a trial was that went on. A ``refused`` one is too large to be trained.
    ``confirms`` is the trial that it trains again with another seed.

    ``values`` are the objectives of a complete trial by name, the first of which is ``value``.
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

    def as_json(self) -> dict[str, object]:
        """Return plain data for JSON."""
        return asdict(self)


def read_trial(trial: FrozenTrial, recipe: Recipe, tests: Mapping[int, Mapping[str, float] | None]) -> TrialResult:
    """Copy one of Optuna's trials.

    Args:
        trial: The trial.
        recipe: The study's recipe, for fixed and default parameters.
        tests: Test metrics, or ``None``, of each kept model by trial number.
    """
    attrs: Mapping[str, Any] = trial.user_attrs
    metrics = {name: float(attrs[name]) for name in METRICS if name in attrs}
    best = metrics.get(recipe.objective.metric)
    finished = trial.state.is_finished()
    told = trial.values if trial.state == TrialState.COMPLETE else None
    return TrialResult(
        number=trial.number,
        state=_state(trial),
        value=told[0] if told else best,
        params=dict(trial.params),
        all_params=recipe.hyperparameters(trial.params).as_params() if finished else dict(trial.params),
        metrics=metrics,
        best_epoch=attrs.get("best_epoch"),
        epochs=int(attrs.get("epochs", len(trial.intermediate_values))),
        seconds=float(attrs.get("seconds", 0.0)),
        parameters=attrs.get("parameters"),
        label=attrs.get("label"),
        reason=attrs.get("reason"),
        kept=trial.number in tests,
        test=tests.get(trial.number),
        repeats=attrs.get("repeats"),
        promoted=attrs.get(PROMOTED),
        confirms=attrs.get(CONFIRMS),
        values=dict(zip(recipe.objective.names, told, strict=True)) if told else {},
    )


def _state(trial: FrozenTrial) -> str:
    """Name the state: of those that wait some are paused, and of those that were pruned some refused."""
    if trial.state == TrialState.WAITING and PAUSED in trial.user_attrs:
        return "paused"
    return "refused" if trial.state == TrialState.PRUNED and REFUSED in trial.user_attrs else STATES[trial.state]


def ranked(trials: list[TrialResult], recipe: Recipe) -> list[TrialResult]:
    """Return the complete trials, best first; the earlier of equals comes first."""
    sign = -1 if recipe.objective.maximize else 1
    done = [trial for trial in trials if trial.state == "complete" and trial.value is not None]
    return sorted(done, key=lambda trial: (sign * (trial.value or 0.0), trial.number))


def front_of(trials: Sequence[TrialResult], recipe: Recipe) -> list[TrialResult]:
    """Return the complete trials that none is better than in every objective, best in the first one first.

    With one objective there is nothing to choose from, and no front.
    """
    if not recipe.objective.several:
        return []
    done = {trial.number: trial for trial in trials if trial.values}
    values = {number: tuple(trial.values.values()) for number, trial in done.items()}
    return [done[number] for number in pareto_front(values, recipe.objective.larger_is_better)]


def standings_of(trials: list[TrialResult], recipe: Recipe) -> list[Standing]:
    """Return the configurations that were trained with further seeds, best mean first.

    See :mod:`tuner.search.confirmation`.
    """
    values = {trial.number: trial.value for trial in ranked(trials, recipe) if trial.value is not None}
    confirms = {trial.number: trial.confirms for trial in trials if trial.confirms is not None}
    return standings(values, confirms, maximize=recipe.objective.maximize)


def winner(trials: list[TrialResult], recipe: Recipe) -> TrialResult | None:
    """Return the best complete trial: of the configuration with the best mean, where any was confirmed."""
    found = standings_of(trials, recipe)
    best = ranked(trials, recipe)
    return trials[found[0].representative] if found else best[0] if best else None
