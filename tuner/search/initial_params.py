"""Parameters chosen without the sampler: start configurations, grid points, Sobol points, neighbours of the best."""

from __future__ import annotations

from collections.abc import Mapping

import optuna
from optuna.trial import TrialState

from tuner.config.recipe import Recipe
from tuner.config.tables import Start
from tuner.records import ParamValue
from tuner.search.neighbours import identity, untried_neighbour
from tuner.search.sampler_view import is_infeasible
from tuner.search.samplers import covers_space, is_neighbour, shuffled_grid, sobol_point, trial_seed
from tuner.search.study_state import StudyState


class InitialParams:
    """Chooses the parameters of a new trial if they do not come from the sampler.

    Args:
        recipe: The start configurations, the sampler and the space.
        study: The Optuna study, with the trials that samplers see.
        state: The confirming and the refused trials. Confirming trials are not part of the search, so they are skipped
            when positions in a sequence are counted.
    """

    def __init__(self, recipe: Recipe, study: optuna.Study, state: StudyState) -> None:
        self._recipe = recipe
        self._study = study
        self._state = state
        self._grid = shuffled_grid(recipe) if recipe.sampler == "grid" else None

    def params(self, number: int) -> Mapping[str, ParamValue] | None:
        """Return the parameters that a new trial starts with.

        Parameters that are missing in the result are drawn by the sampler; ``None`` leaves all of them to it.
        """
        position = self._position(number)
        if self._grid is not None:
            return self._grid[position]
        start = self.start(number)
        params = None if start is None else self._recipe.drawn(start)
        if covers_space(self._recipe, self._study, position):
            return sobol_point(self._recipe, position, fixed=params or {})
        if params is None and is_neighbour(self._recipe, position):
            return self._neighbour_of_best(number)
        return params

    def start(self, number: int) -> Start | None:
        """Return the start configuration of a new trial: in a grid by position, else the first that was not tried.

        After a refused draw it is tried again.
        """
        starts = self._recipe.start
        if self._grid is not None:
            position = self._position(number)
            return starts[position] if position < len(starts) else None
        remaining = list(starts)  # a configuration that is listed twice is tried twice
        for made, tried in self._state.starts.items():
            like = next((start for start in remaining if start.is_like(tried)), None)
            if like is not None and made not in self._state.refused:
                remaining.remove(like)
        return remaining[0] if remaining else None

    def _position(self, number: int) -> int:
        """Return the position of a trial in the search. Refused trials count: their point is not tried again."""
        return number - sum(confirming < number for confirming in self._state.confirmations)

    def _neighbour_of_best(self, number: int) -> dict[str, ParamValue] | None:
        """Return an untried neighbour of the best trial in the first objective.

        ``None`` if no trial is complete, or if every neighbour was tried.
        """
        trials = self._study.get_trials(deepcopy=False)
        complete = [trial for trial in trials if trial.state == TrialState.COMPLETE and not is_infeasible(trial)]
        if not complete:
            return None
        sign = 1 if self._recipe.objective.maximize else -1
        best = max(complete, key=lambda trial: sign * trial.values[0])
        tried = {identity(trial.params) for trial in trials}
        seed = trial_seed(self._recipe.search.seed, number)
        return untried_neighbour(self._recipe.search_space, best.params, seed, tried=tried)
