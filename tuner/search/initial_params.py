"""What trials are asked to be; what a new one begins with, where that is decided before any sampler is asked."""

from __future__ import annotations

from collections.abc import Hashable, Mapping

import optuna
from optuna.trial import TrialState

from tuner.config.recipe import Recipe
from tuner.config.tables import Start
from tuner.jobs import TrialSpec
from tuner.records import ParamValue
from tuner.search.neighbours import identity, untried_neighbour
from tuner.search.samplers import exchanges, shuffled_grid, sobol_point, spreads, trial_seed
from tuner.search.size_limit import SizeLimit


class InitialParams:
    """Says for each trial of one study what was decided before any sampler is asked, and what it is asked to be.

    The configuration may be the recipe's own, a point of a sequence, or a neighbour of the best one.

    Args:
        recipe: The configurations to try first, and how the space is searched.
        study: The Optuna study; what its storage shows is what samplers see.
        confirms: The trial that each further seed confirms; these are none of the search, and begin nothing.
        refusals: The trials that were refused; it may grow, as ``confirms`` may.
    """

    def __init__(self, recipe: Recipe, study: optuna.Study, confirms: Mapping[int, int], refusals: SizeLimit) -> None:
        self._recipe = recipe
        self._study = study
        self._confirms = confirms
        self._refusals = refusals
        self._grid = shuffled_grid(recipe) if recipe.sampler == "grid" else None
        self._first: dict[Hashable, int] = {}

    def params(self, number: int) -> Mapping[str, ParamValue] | None:
        """Return the parameters that a new trial has; the sampler draws the others, or all where this is ``None``."""
        place = self._place(number)
        if self._grid is not None:
            return self._grid[place]
        params = self._recipe.start_params(self._turn(number))
        if spreads(self._recipe, self._study, place):
            return sobol_point(self._recipe, place, fixed=params or {})
        if params is None and exchanges(self._recipe, place):
            return self._neighbour_of_best(number)
        return params

    def note(self, number: int, drawn: Mapping[str, ParamValue]) -> int:
        """Note what was drawn for a trial; returns the first trial that had just this."""
        return self._first.setdefault(identity(drawn), number)

    def asked(
        self, number: int, drawn: Mapping[str, ParamValue], *, rungs: tuple[int, ...], promoted: int | None
    ) -> TrialSpec:
        """Return what a trial is asked to be, whose searched parameters were drawn."""
        start = self.start(number)
        first = self.note(number, drawn)
        return TrialSpec(
            number=number,
            hyperparameters=self._recipe.hyperparameters(drawn),
            seed=trial_seed(self._recipe.search.seed, number),
            epochs=start.epochs if start and start.epochs else self._recipe.budget.epochs,
            label=start.label if start else None,
            repeats=first if first < number else None,
            rungs=rungs,
            promoted=promoted,
            confirms=self._confirms.get(number),
        )

    def start(self, number: int) -> Start | None:
        """Return the recipe's own configuration that a trial has, or confirms."""
        turn = self._turn(self._confirms.get(number, number))
        return self._recipe.start[turn] if turn < len(self._recipe.start) else None

    def has_own_epochs(self, number: int) -> bool:
        """Tell whether the recipe says for how many epochs just this configuration is trained."""
        start = self.start(number)
        return start is not None and start.epochs is not None

    def _place(self, number: int) -> int:
        """Return which of the search's trials one is: a point of a sequence that was refused is not tried again."""
        return number - sum(each < number for each in self._confirms)

    def _turn(self, number: int) -> int:
        """Return which of the recipe's configurations a trial has: where a draw was refused, the next trial has it."""
        place = self._place(number)
        return place if self._grid is not None else place - self._refusals.before(number)

    def _neighbour_of_best(self, number: int) -> dict[str, ParamValue] | None:
        """Return an untried neighbour of the best trial so far, by its first objective; ``None`` without."""
        trials = self._study.get_trials(deepcopy=False)
        complete = [trial for trial in trials if trial.state == TrialState.COMPLETE]
        if not complete:
            return None
        sign = 1 if self._recipe.objective.maximize else -1
        best = max(complete, key=lambda trial: sign * trial.values[0])
        tried = {identity(trial.params) for trial in trials}
        seed = trial_seed(self._recipe.search.seed, number)
        return untried_neighbour(self._recipe.search_space, best.params, seed, tried=tried)
