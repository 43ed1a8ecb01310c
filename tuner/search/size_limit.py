"""Configurations whose model would be too large: refused before training, as a constraint and not as a failure."""

from __future__ import annotations

import re
from collections.abc import Callable

import optuna
from optuna.trial import FrozenTrial, TrialState

from storage.trial_attributes import REFUSED
from tuner.config.hyperparameters import PER_LAYER, Hyperparameters
from tuner.config.parsing import flat
from tuner.config.recipe import Recipe
from tuner.config.space import AnyDimension
from tuner.errors import RecipeError, RunError
from tuner.records import ParamValue

Weights = Callable[[Hyperparameters], int]  # counts the weights of a configuration's model

AT_ONCE = 20  # refusals until the coordinator can look after its trainers and its lease
STUBBORN = 20  # refusals in a row after which a sampler that learns is replaced by chance, for one trial
MOST = 200  # refusals in a row that end the run: the space holds next to nothing else
_CONSTRAINT = "parameters"
_SIZES = {"batch_norm", *PER_LAYER, *PER_LAYER.values()}  # the parameters that decide it


class SizeLimit:
    """The trials of one study that were refused.

    Args:
        recipe: How many weights are allowed.
        weights: Counts them; without it nothing is refused.

    Attributes:
        numbers: The refused trials.
    """

    def __init__(self, recipe: Recipe, weights: Weights | None) -> None:
        self._most = recipe.budget.max_parameters
        self._finite = recipe.sampler == "grid"
        self._taught = recipe.sampler != "cmaes"  # it would only warn that it does not understand
        self._weights = weights
        self._in_a_row = 0  # of this run
        self.numbers: set[int] = set()

    def restore(self, trial: FrozenTrial) -> bool:
        """Note a trial that an earlier run refused; tells whether it is one."""
        if was_refused(trial):
            self.numbers.add(trial.number)
        return trial.number in self.numbers

    def before(self, number: int) -> int:
        """Count the refused trials before a trial."""
        return sum(each < number for each in self.numbers)

    def stubborn(self, number: int) -> bool:
        """Tell whether so many trials just before this one were refused that its sampler has to be helped."""
        return all(number - i in self.numbers for i in range(1, STUBBORN + 1))

    def refuse(self, trial: optuna.Trial, hyperparameters: Hyperparameters) -> bool:
        """Tell whether a configuration is too large; if so, its trial says why, and what samplers learn from it.

        The trial is still to be ended, as pruned.
        """
        weights = too_large(self._most, self._weights, hyperparameters)
        if weights is None or self._most is None:
            self._in_a_row = 0
            return False
        if self._taught and _CONSTRAINT not in trial.constraints:  # a run that died here may have set it
            trial.set_constraint(_CONSTRAINT, weights / self._most - 1)
        trial.set_user_attr("parameters", weights)
        trial.set_user_attr("reason", f"refused: {weights:,} weights, at most {self._most:,}")
        trial.set_user_attr(REFUSED, self._most)
        self.numbers.add(trial.number)
        self._in_a_row += 1
        return True

    def check(self) -> None:
        """End a search that finds nothing but configurations that are too large; a grid has an end of its own.

        Raises:
            RunError: If so.
        """
        if self._in_a_row >= MOST and not self._finite:
            raise RunError(
                f"{self._in_a_row} configurations in a row have more than {self._most:,} weights",
                hint="raise max_parameters, or lower `units` in [space]",
            )


def too_large(most: int | None, weights: Weights | None, hyperparameters: Hyperparameters) -> int | None:
    """Return how many weights a configuration has if these are more than ``most``, else ``None``."""
    count = 0 if most is None or weights is None else weights(hyperparameters)
    return None if most is None or count <= most else count


def weights_for(inputs: int, classes: int) -> Weights:
    """Return what counts the weights of models for so many values per row and labels."""
    return lambda hyperparameters: hyperparameters.weights(inputs, classes)


def was_refused(trial: FrozenTrial) -> bool:
    """Tell whether a trial was refused."""
    return trial.state == TrialState.PRUNED and REFUSED in trial.user_attrs


def check_starts(recipe: Recipe, weights: Weights) -> None:
    """Refuse a recipe that wants to begin with a configuration that it does not allow itself.

    One that leaves open what decides its size may still be drawn small enough.

    Raises:
        RecipeError: Naming it.
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
    """Return the parameters with any value for what does not change the size; ``None`` if that is not decided."""
    undecided = []

    def draw(name: str, dimension: AnyDimension) -> ParamValue:
        if name not in fixed and re.sub(r"_\d+$", "", name) in _SIZES:
            undecided.append(name)
        return fixed[name] if name in fixed else dimension.at(0.0)

    drawn = recipe.search_space.draw(draw)
    return None if undecided else {**drawn, **fixed}
