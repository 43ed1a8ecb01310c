"""Refuses configurations whose models would be too large. They violate a constraint; they are not failed trials."""

from __future__ import annotations

from collections.abc import Callable

import optuna
from optuna.trial import FrozenTrial, TrialState
from tuner_storage.trial_attributes import REFUSED

from tuner.config.dimensions import AnyDimension
from tuner.config.hyperparameters import PER_LAYER, Hyperparameters, InputSize, dimension_of
from tuner.config.parsing import flat
from tuner.config.recipe import Recipe
from tuner.data.schema import DataSchema
from tuner.errors import RecipeError, RunError
from tuner.records import ParamValue
from tuner.search.study_state import StudyState
from tuner.tables.features import Bins

Weights = Callable[[Hyperparameters], int]  # counts the weights of a configuration's model

REFUSALS_PER_CALL = 20  # refusals after which the coordinator gets a turn, to look after its trainers and its lease
STUBBORN = 20  # refusals in a row after which trials are drawn at random until one fits
MOST = 200  # refusals in a row that end the run: the space holds almost nothing else
_HINT = "give --max-parameters a larger number or none, or lower `units` in [space]"
_CONSTRAINT = "parameters"
_SIZES = {  # the parameters that decide the size of a model
    "batch_norm",
    "parametric_activation",
    "input_scale",
    "numeric_embedding",
    "periodic_frequencies",
    "embedding_width",
    "category_width",
    *PER_LAYER,
    *PER_LAYER.values(),
}


class SizeLimit:
    """Refuses the trials of one study whose models would have too many weights.

    Args:
        recipe: The largest allowed number of weights.
        weights: Counts the weights of a configuration. If it is ``None``, nothing is refused.
        state: Records the refused trials.
    """

    def __init__(self, recipe: Recipe, weights: Weights | None, state: StudyState) -> None:
        self._most = recipe.budget.max_parameters
        self._finite = recipe.sampler == "grid"
        self._sets_constraint = recipe.sampler != "cmaes"  # CMA-ES would only warn that it ignores the constraint
        self._weights = weights
        self._state = state
        self._in_a_row = 0  # in this run
        self._accepted = False  # whether this run accepted a configuration

    def restore(self, trial: FrozenTrial) -> bool:
        """Record a trial that an earlier run refused; returns whether it is one."""
        if was_refused(trial):
            self._state.refuse(trial.number)
        return trial.number in self._state.refused

    def needs_random_draw(self, number: int) -> bool:
        """Return whether so many trials just before this one were refused that its sampler needs help."""
        return all(number - i in self._state.refused for i in range(1, STUBBORN + 1))

    def refuse(self, trial: optuna.Trial, hyperparameters: Hyperparameters) -> bool:
        """Return whether a configuration is too large. If so, write the reason to its trial, and what samplers need.

        The caller has to end the trial as pruned.
        """
        weights = too_large(self._most, self._weights, hyperparameters)
        if weights is None or self._most is None:
            self._in_a_row = 0
            self._accepted = True
            return False
        if self._sets_constraint and _CONSTRAINT not in trial.constraints:  # set already by a run that died here
            trial.set_constraint(_CONSTRAINT, weights / self._most - 1)
        trial.set_user_attr("parameters", weights)
        trial.set_user_attr("reason", f"refused: {weights:,} weights, at most {self._most:,}")
        trial.set_user_attr(REFUSED, self._most)
        self._state.refuse(trial.number)
        self._in_a_row += 1
        return True

    @property
    def gives_up(self) -> bool:
        """Whether ``MOST`` configurations in a row were refused. A grid ends by itself."""
        return self._in_a_row >= MOST and not self._finite

    def check(self) -> None:
        """End a search that draws nothing but configurations that are too large.

        Raises:
            RunError: If it gives up.
        """
        if self.gives_up:
            raise RunError(
                f"{self._in_a_row} configurations in a row have more than {self._most:,} weights",
                hint=_HINT,
            )

    def check_end(self) -> None:
        """Check that a run that is over did not refuse every configuration that it drew.

        Raises:
            RunError: If it did.
        """
        if self._in_a_row and not self._accepted:
            raise RunError(f"every configuration has more than {self._most:,} weights: no trial was run", hint=_HINT)


def too_large(most: int | None, weights: Weights | None, hyperparameters: Hyperparameters) -> int | None:
    """Return how many weights a configuration has if there are more than ``most``, else ``None``."""
    count = 0 if most is None or weights is None else weights(hyperparameters)
    return None if most is None or count <= most else count


def weights_for(schema: DataSchema) -> Weights:
    """Return a function that counts the weights of models for a data set."""
    inputs, outputs = input_size(schema), schema.outputs
    return lambda hyperparameters: hyperparameters.weights(inputs, outputs)


def input_size(schema: DataSchema) -> InputSize:
    """Return what decides the size of the first layers."""
    table = schema.table
    if table is None:
        return InputSize(schema.features)
    return InputSize(
        features=table.features,
        numbers=len(table.numbers),
        bins=Bins.of(table).count,
        embedded=len(table.embedded),
        vectors=table.offsets[-1],
    )


def was_refused(trial: FrozenTrial) -> bool:
    """Return whether a trial was refused for its size."""
    return trial.state == TrialState.PRUNED and REFUSED in trial.user_attrs


def check_starts(recipe: Recipe, weights: Weights) -> None:
    """Refuse a recipe with a start configuration that is larger than the recipe allows.

    A start configuration that leaves its size open may still be drawn small enough.

    Raises:
        RecipeError: Naming the start configuration.
    """
    most = recipe.budget.max_parameters
    for start in recipe.start if most is not None else ():
        params = _sized(recipe, flat(start.params))
        count = None if params is None else too_large(most, weights, recipe.hyperparameters(params))
        if count is not None:
            raise RecipeError(
                f"start '{start.label}' has {count:,} weights, more than max_parameters = {most:,}",
                hint="raise max_parameters, or leave this configuration out",
            )


def _sized(recipe: Recipe, fixed: dict[str, ParamValue]) -> dict[str, ParamValue] | None:
    """Complete ``fixed`` with any value for parameters that do not change the size; ``None`` if the size is open."""
    undecided = []

    def draw(name: str, dimension: AnyDimension) -> ParamValue:
        if name not in fixed and dimension_of(name) in _SIZES:
            undecided.append(name)
        return fixed[name] if name in fixed else dimension.at(0.0)

    drawn = recipe.search_space.draw(draw)
    return None if undecided else {**drawn, **fixed}
