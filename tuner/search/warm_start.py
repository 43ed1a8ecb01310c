"""Warm start: trials of earlier studies seed the sampler, or their best configurations are tried first."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import optuna
from optuna.trial import FrozenTrial, TrialState
from tuner_storage import Location
from tuner_storage.opening import has_database
from tuner_storage.trial_attributes import INFEASIBLE, LEARNED_FROM

from tuner import studies
from tuner.config.dimensions import AnyDimension, contains
from tuner.config.hyperparameters import Hyperparameters
from tuner.config.recipe import Recipe
from tuner.config.tables import Start
from tuner.errors import UsageError, did_you_mean
from tuner.records import Params, ParamValue
from tuner.search.sampler_view import is_infeasible
from tuner.search.samplers import distribution, learns_from_trials
from tuner.search.size_limit import Weights, too_large, was_refused

_log = logging.getLogger(__name__)

BEST = 5  # configurations of an earlier study that are tried first if its trials cannot seed the sampler
FOREIGN = "foreign"  # attribute of a trial that only samplers see: its study and number


@dataclass(frozen=True, slots=True)
class EarlierStudy:
    """An earlier study as it is now; ``trials`` are the complete, pruned and infeasible ones."""

    name: str
    recipe: Recipe
    fingerprint: str
    standardised: bool  # its models standardise numbers, see tuner.data.schema
    trials: tuple[FrozenTrial, ...]

    def hyperparameters(self, trial: FrozenTrial) -> Hyperparameters:
        """Return the complete configuration of a trial: searched, fixed and default values."""
        return self.recipe.hyperparameters(trial.params)


class WarmStart:
    """What one study learns from earlier studies of its database.

    If an earlier study has the same rows and the same objective, and the sampler can learn from trials, its trials seed
    the sampler: those that the new search space could have proposed. They are never written to the new study. From any
    other study, the best configurations are tried first; they belong to the new study from its beginning.

    Args:
        earlier: The earlier studies.
        fingerprint: The fingerprint of the study's data.
        weights: Counts the weights of a configuration. Trials that would be refused now are left out.
        standardised: Whether the models of the study standardise numbers.
    """

    def __init__(
        self, earlier: Sequence[EarlierStudy], fingerprint: str, weights: Weights, *, standardised: bool = False
    ) -> None:
        self._earlier = earlier
        self._standardised = standardised
        self._fingerprint = fingerprint
        self._weights = weights

    def with_start_configurations(self, recipe: Recipe) -> Recipe:
        """Return the recipe of a new study with further start configurations, those that were best elsewhere."""
        own = [start for start in recipe.start if start.origin is None]
        params_so_far = [recipe.drawn(start) for start in own]
        further: list[Start] = []
        for source in self._earlier:
            if not self._seeds(recipe, source):
                best = self._best(recipe, source, params_so_far)
                params_so_far += [recipe.drawn(start) for start in best]
                further += best
        starts = (*own, *further)
        if starts == recipe.start:
            return recipe
        return recipe.changed(recipe={"start": [start.model_dump(mode="json") for start in starts]})

    def earlier_trials(self, recipe: Recipe) -> list[FrozenTrial]:
        """Return the trials that seed the sampler, study by study, with parameters and ranges of the new space.

        Their numbers are negative. TPE sorts by number, and gives the oldest trials the least weight. For ``gp`` all
        have the number -1, because Optuna's ``IntersectionSearchSpace`` ignores smaller ones.
        """
        candidates = [
            (f"{source.name}#{trial.number}", trial, params)
            for source in self._earlier
            if self._seeds(recipe, source)
            for trial in source.trials
            if (params := self._fitting(recipe, source.hyperparameters(trial))) is not None
            if trial.state == TrialState.COMPLETE or trial.intermediate_values or is_infeasible(trial)
        ]
        numbers = range(-len(candidates), 0)
        return [
            _copy(trial, params, recipe, origin, trial_id=n, number=-1 if recipe.sampler == "gp" else n)
            for n, (origin, trial, params) in zip(numbers, candidates, strict=True)
        ]

    def write_origins(self, study: optuna.Study, recipe: Recipe, foreign: Sequence[FrozenTrial]) -> None:
        """Write to the study what it learns from which earlier study. Entries of deleted studies stay as they are."""
        origins: dict[str, str] = dict(study.user_attrs.get(LEARNED_FROM, {}))
        for source in self._earlier:
            seeds = sum(trial.user_attrs[FOREIGN].rpartition("#")[0] == source.name for trial in foreign)
            first = sum(start.origin == source.name for start in recipe.start)
            if seeds:
                origins[source.name] = "1 trial seeds the sampler" if seeds == 1 else f"{seeds} trials seed the sampler"
            else:
                best = "its best configuration is" if first == 1 else f"its {first} best configurations are"
                origins[source.name] = f"{best} tried first" if first else "nothing of it fits"
        if origins:
            study.set_user_attr(LEARNED_FROM, origins)

    def _seeds(self, recipe: Recipe, source: EarlierStudy) -> bool:
        """Return whether the values of an earlier study can be compared with new ones, and the sampler can use them."""
        same = all(
            getattr(recipe, part) == getattr(source.recipe, part) for part in ("validation", "split_seed", "objective")
        )
        same_data = (source.fingerprint, source.standardised) == (self._fingerprint, self._standardised)
        return same and same_data and learns_from_trials(recipe)

    def _best(self, recipe: Recipe, source: EarlierStudy, exclude: Sequence[Params]) -> list[Start]:
        """Return the best configurations of an earlier study that are in the new space and not in ``exclude``."""
        sign = -1 if source.recipe.objective.maximize else 1
        complete = [trial for trial in source.trials if trial.state == TrialState.COMPLETE]
        chosen: list[tuple[dict[str, ParamValue], int]] = []
        for trial in sorted(complete, key=lambda trial: (sign * trial.values[0], trial.number)):
            params = self._fitting(recipe, source.hyperparameters(trial))
            if params is not None and params not in [*exclude, *(other for other, _ in chosen)]:
                chosen.append((params, trial.number))
        return [
            Start(label=f"best of {source.name}: trial {number}", params=params, origin=source.name)
            for params, number in chosen[:BEST]
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
    """Read the earlier studies that a study learns from. Writes nothing.

    Args:
        location: The database of all these studies.
        name: The study's own name.
        recipe: The recipe, with the names of the earlier studies.
        is_new: Whether the study begins. A study that continues does so without earlier studies that were deleted.

    Raises:
        UsageError: If a name is the study's own, or is unknown and the study is new.
    """
    names = list(dict.fromkeys(recipe.search.learn_from))
    if name in names:
        raise UsageError(f"study '{name}' cannot learn from itself", hint="name the new study: --name NAME")
    if not names:
        return []
    existing: list[str] = []
    earlier: dict[str, EarlierStudy] = {}
    if has_database(location):
        with studies.opened(location) as store:
            existing = optuna.get_all_study_names(store.optuna)
            earlier = {old: _read(study) for old in names if (study := studies.find(store, old)) is not None}
    for old in names:
        if old not in earlier and is_new:
            others = [other for other in existing if other != name]
            raise UsageError(f"there is no study '{old}' to learn from", hint=did_you_mean(old, others))
        if old not in earlier:
            _log.warning("study '%s' is gone: '%s' goes on without learning from it", old, name)
    return list(earlier.values())


def _read(old: studies.StoredStudy) -> EarlierStudy:
    ended = (trial for trial in old.study.get_trials(deepcopy=False) if not was_refused(trial))
    states = {TrialState.COMPLETE, TrialState.PRUNED}
    trials = [trial for trial in ended if trial.state in states or is_infeasible(trial)]
    data = studies.data_of(old)
    return EarlierStudy(
        old.study.study_name,
        old.recipe,
        old.record.data_fingerprint,
        data is not None and data.schema.standard is not None,
        tuple(trials),
    )


class _OutsideError(Exception):
    """A parameter has a value outside the new search space."""


def _value(complete: Params, name: str, dimension: AnyDimension) -> ParamValue:
    if name not in complete or not contains(dimension, complete[name]):
        raise _OutsideError
    return complete[name]


def _in_use(complete: Params) -> Mapping[str, ParamValue]:
    """Return the parameters that have an effect: momentum has one only with sgd."""
    return {name: value for name, value in complete.items() if name != "momentum" or complete["optimizer"] == "sgd"}


def _copy(
    trial: FrozenTrial, params: Params, recipe: Recipe, origin: str, *, trial_id: int, number: int
) -> FrozenTrial:
    """Return a trial as if the new study had proposed it; ``origin`` is its study and number."""
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
        distributions={name: distribution(dimension) for name, dimension in dimensions.items()},
        user_attrs={FOREIGN: origin} | ({INFEASIBLE: True} if is_infeasible(trial) else {}),
        system_attrs={},
        intermediate_values={} if last is None else {last: trial.intermediate_values[last]},
    )
