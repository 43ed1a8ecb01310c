"""Learning from earlier studies: their trials seed the sampler, or their best configurations are tried first."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import optuna
from optuna.trial import FrozenTrial, TrialState

from storage import Location
from storage.opening import has_database
from storage.trial_attributes import LEARNED_FROM
from tuner import studies
from tuner.config.dimensions import AnyDimension
from tuner.config.hyperparameters import Hyperparameters
from tuner.config.parsing import contains, flat
from tuner.config.recipe import Recipe
from tuner.config.tables import Start
from tuner.errors import UsageError, did_you_mean
from tuner.records import Params, ParamValue
from tuner.search.samplers import distribution, learns
from tuner.search.size_limit import Weights, too_large, was_refused

_log = logging.getLogger(__name__)

BEST = 5  # configurations of an earlier study that are tried first where its trials cannot seed the sampler
FOREIGN = "foreign"  # attribute of a trial that only samplers see: the study and trial that it comes from


@dataclass(frozen=True, slots=True)
class EarlierStudy:
    """An earlier study as it is now: ``trials`` are those that have a result."""

    name: str
    recipe: Recipe
    fingerprint: str
    trials: tuple[FrozenTrial, ...]

    def hyperparameters(self, trial: FrozenTrial) -> Hyperparameters:
        """Return all parameters of a trial: searched, fixed and default ones."""
        return self.recipe.hyperparameters(trial.params)


class WarmStart:
    """What one study learns from earlier ones of its database.

    An earlier study that judged the same rows by the same objective seeds the sampler, if that is one which learns: it
    is shown those trials that the new space could have proposed itself. They are never written to the study. Of any
    other, the best configurations are tried first; these belong to the study from its beginning.

    Args:
        sources: The earlier studies that are there.
        fingerprint: Of the study's data.
        weights: Counts those of a configuration: what is too large teaches nothing.
    """

    def __init__(self, sources: Sequence[EarlierStudy], fingerprint: str, weights: Weights) -> None:
        self._sources = sources
        self._fingerprint = fingerprint
        self._weights = weights

    def with_start_configurations(self, recipe: Recipe) -> Recipe:
        """Return the recipe of a study that begins, with what is tried first because it was good elsewhere."""
        own = [start for start in recipe.start if start.origin is None]
        known = [flat(start.params) for start in own]
        found: list[Start] = []
        for source in self._sources:
            if not self._seeds(recipe, source):
                best = self._best(recipe, source, known)
                known += [flat(start.params) for start in best]
                found += best
        starts = (*own, *found)
        if starts == recipe.start:
            return recipe
        return recipe.changed(recipe={"start": [start.model_dump(mode="json") for start in starts]})

    def foreign_trials(self, recipe: Recipe) -> list[FrozenTrial]:
        """Return the trials that seed the sampler, the oldest first, with parameters and ranges of the new space.

        TPE goes by their numbers, and the oldest count least. Optuna's search space of all trials, which ``gp`` asks
        for, passes over numbers below -1.
        """
        found = [
            (f"{source.name}#{trial.number}", trial, params)
            for source in self._sources
            if self._seeds(recipe, source)
            for trial in source.trials
            if (params := self._fitting(recipe, source.hyperparameters(trial))) is not None
            if trial.state == TrialState.COMPLETE or trial.intermediate_values
        ]
        numbers = range(-len(found), 0)
        return [
            _copy(each, params, recipe, mark, trial_id=n, number=-1 if recipe.sampler == "gp" else n)
            for n, (mark, each, params) in zip(numbers, found, strict=True)
        ]

    def write_origins(self, study: optuna.Study, recipe: Recipe, foreign: Sequence[FrozenTrial]) -> None:
        """Write down which studies this one learns from, and what; one that is gone keeps the note that it had."""
        told: dict[str, str] = dict(study.user_attrs.get(LEARNED_FROM, {}))
        for source in self._sources:
            seeds = sum(trial.user_attrs[FOREIGN].rpartition("#")[0] == source.name for trial in foreign)
            first = sum(start.origin == source.name for start in recipe.start)
            if seeds:
                told[source.name] = "1 trial seeds the sampler" if seeds == 1 else f"{seeds} trials seed the sampler"
            else:
                told[source.name] = f"its best {first} are tried first" if first else "nothing of it fits"
        if told:
            study.set_user_attr(LEARNED_FROM, told)

    def _seeds(self, recipe: Recipe, source: EarlierStudy) -> bool:
        """Tell whether values of an earlier study mean what those of this one do, and the sampler learns from any."""
        same = all(
            getattr(recipe, part) == getattr(source.recipe, part) for part in ("validation", "split_seed", "objective")
        )
        return same and source.fingerprint == self._fingerprint and learns(recipe)

    def _best(self, recipe: Recipe, source: EarlierStudy, known: Sequence[Params]) -> list[Start]:
        """Return the best different configurations of an earlier study that the new space has and nobody knows yet."""
        sign = -1 if source.recipe.objective.maximize else 1
        complete = [trial for trial in source.trials if trial.state == TrialState.COMPLETE]
        found: list[tuple[dict[str, ParamValue], int]] = []
        for trial in sorted(complete, key=lambda trial: (sign * trial.values[0], trial.number)):
            params = self._fitting(recipe, source.hyperparameters(trial))
            if params is not None and params not in [*known, *(each for each, _ in found)]:
                found.append((params, trial.number))
        return [
            Start(label=f"best of {source.name}: trial {number}", params=params, origin=source.name)
            for params, number in found[:BEST]
        ]

    def _fitting(self, recipe: Recipe, hyperparameters: Hyperparameters) -> dict[str, ParamValue] | None:
        """Return the draw of the new space that gives these hyperparameters; ``None`` if there is no such draw."""
        complete = hyperparameters.as_params()
        try:
            params = recipe.search_space.draw(lambda name, dimension: _value(complete, name, dimension))
        except _OutsideError:
            return None
        same = _in_use(recipe.hyperparameters(params).as_params()) == _in_use(complete)
        return (
            params if same and too_large(recipe.budget.max_parameters, self._weights, hyperparameters) is None else None
        )


def read_earlier(location: Location, name: str, recipe: Recipe, *, is_new: bool) -> list[EarlierStudy]:
    """Read the earlier studies that a study learns from; writes nothing.

    Args:
        location: The database of all of them.
        name: The study's own name.
        recipe: Says from which it learns.
        is_new: Whether the study begins. A study that continues does so without earlier studies that were deleted.

    Raises:
        UsageError: If one is the study itself, or the study begins and one is unknown.
    """
    wanted = list(dict.fromkeys(recipe.search.learn_from))
    if name in wanted:
        raise UsageError(f"study '{name}' cannot learn from itself", hint="name the new study: --name NAME")
    if not wanted:
        return []
    known: list[str] = []
    found: dict[str, EarlierStudy] = {}
    if has_database(location):
        with studies.opened(location) as store:
            known = optuna.get_all_study_names(store.optuna)
            found = {each: _read(old) for each in wanted if (old := studies.find(store, each)) is not None}
    for each in wanted:
        if each not in found and is_new:
            others = [other for other in known if other != name]
            raise UsageError(f"there is no study '{each}' to learn from", hint=did_you_mean(each, others))
        if each not in found:
            _log.warning("study '%s' is gone: '%s' goes on without learning from it", each, name)
    return list(found.values())


def check_same(name: str, before: Recipe, learn_from: Sequence[str] | None) -> None:
    """Refuse to let a study that goes on learn from others than it began with.

    Raises:
        UsageError: If it should.
    """
    if learn_from is not None and tuple(learn_from) != before.search.learn_from:
        began = ", ".join(before.search.learn_from) or "none"
        raise UsageError(
            f"study '{name}' began with learning from {began}, not from {', '.join(learn_from) or 'none'}",
            hint="use --fresh to begin again, or --name for a study of its own",
        )


def _read(old: studies.StoredStudy) -> EarlierStudy:
    states = (TrialState.COMPLETE, TrialState.PRUNED)
    trials = [trial for trial in old.study.get_trials(deepcopy=False, states=states) if not was_refused(trial)]
    return EarlierStudy(old.study.study_name, old.recipe, old.record.data_fingerprint, tuple(trials))


class _OutsideError(Exception):
    """A parameter has a value that the new space does not hold."""


def _value(complete: Params, name: str, dimension: AnyDimension) -> ParamValue:
    if name not in complete or not contains(dimension, complete[name]):
        raise _OutsideError
    return complete[name]


def _in_use(complete: Params) -> Mapping[str, ParamValue]:
    """Return the parameters that make a difference: momentum does so for sgd alone."""
    return {name: each for name, each in complete.items() if name != "momentum" or complete["optimizer"] == "sgd"}


def _copy(trial: FrozenTrial, params: Params, recipe: Recipe, mark: str, *, trial_id: int, number: int) -> FrozenTrial:
    """Return a trial as if the new study had proposed it."""
    dimensions: dict[str, AnyDimension] = {}

    def draw(name: str, dimension: AnyDimension) -> ParamValue:
        dimensions[name] = dimension
        return params[name]

    recipe.search_space.draw(draw)
    last = max(trial.intermediate_values, default=None)
    return FrozenTrial(
        number=number,
        trial_id=trial_id,
        state=trial.state,
        value=None,
        values=trial.values if trial.state == TrialState.COMPLETE else None,
        datetime_start=trial.datetime_start,
        datetime_complete=trial.datetime_complete,
        params=dict(params),
        distributions={name: distribution(each) for name, each in dimensions.items()},
        user_attrs={FOREIGN: mark},
        system_attrs={},
        intermediate_values={} if last is None else {last: trial.intermediate_values[last]},
    )
