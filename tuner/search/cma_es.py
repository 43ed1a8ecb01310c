"""CMA-ES whose state is computed from the trials, because the state that Optuna stores can run code."""

from __future__ import annotations

from typing import Any

from optuna import Study
from optuna._transform import _SearchSpaceTransform
from optuna.distributions import BaseDistribution
from optuna.samplers import CmaEsSampler
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

_GENERATION = "cma:generation"  # Optuna's own attribute, so that both samplers can continue a study of the other


class RepeatedCmaEs(CmaEsSampler):
    """Optuna's CMA-ES, which repeats all generations for each proposal instead of storing the optimizer.

    Optuna stores the optimizer as a pickle in the attributes of a trial, and loads it for the next one. Whoever can
    write the database could put code there. This class replaces the method that stores and loads it. All that it reads
    from the database are numbers. A generation takes less than a millisecond.
    """

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Return values of the numeric parameters that every trial has; none before the first trial is complete."""
        complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        if not search_space or not complete:
            return {}
        space = _SearchSpaceTransform(search_space, transform_0_1=True)
        optimizer = self._init_optimizer(space, study.direction)
        sign = 1 if study.direction == StudyDirection.MINIMIZE else -1
        while True:
            generation = [one for one in complete if one.system_attrs.get(_GENERATION) == optimizer.generation]
            if len(generation) < optimizer.population_size:
                break
            generation = generation[: optimizer.population_size]
            optimizer.tell([(space.transform(one.params), sign * one.values[0]) for one in generation])
        study._storage.set_trial_system_attr(trial._trial_id, _GENERATION, optimizer.generation)  # noqa: SLF001
        return space.untransform(optimizer.ask())
