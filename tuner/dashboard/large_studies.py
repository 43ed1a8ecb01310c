"""Keeps the dashboard usable with thousands of trials.

Its page draws a line for each trial with intermediate values: with 10,000 trials, a browser computes for minutes. And
for each update of a page, it compares the search spaces of all trials again.
"""

from __future__ import annotations

import copy
from collections.abc import Container, Hashable
from numbers import Real
from typing import Any

from optuna.storages import BaseStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

LARGE = 1000  # trials; of larger studies, the page gets the intermediate values of some trials
BEST = 100  # so many of the best trials keep them
NEWEST = 100  # and so many of those that ended last by number; trials that have not ended keep them too


class ThinnedStorage:
    """Optuna's storage for the dashboard: of large studies, most trials have no intermediate values.

    All else of a trial is as it is stored. The learning curves of the best trials are a figure of their own.

    Args:
        storage: The storage; every method that is not defined here is its own.
    """

    def __init__(self, storage: BaseStorage) -> None:
        self._storage = storage
        self._without: dict[int, FrozenTrial] = {}  # by id, trials that have ended, which never change

    def __getattr__(self, name: str) -> Any:
        """Return an attribute of the storage."""
        return getattr(self._storage, name)

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        """Return the trials of the study in one of the ``states``, in order."""
        trials = self._storage.get_all_trials(study_id, deepcopy=deepcopy, states=states)
        if len(trials) <= LARGE:
            return trials
        maximize = self._storage.get_study_directions(study_id)[0] == StudyDirection.MAXIMIZE
        complete = [trial for trial in trials if trial.state == TrialState.COMPLETE]
        complete.sort(key=lambda trial: trial.values[0], reverse=maximize)
        kept = {trial.number for trial in complete[:BEST]} | {trial.number for trial in trials[-NEWEST:]}
        return [
            trial if trial.number in kept or not trial.state.is_finished() else self._thinned(trial) for trial in trials
        ]

    def _thinned(self, trial: FrozenTrial) -> FrozenTrial:
        if trial._trial_id not in self._without:  # noqa: SLF001 - Optuna has no public name for it
            thinned = copy.copy(trial)
            thinned.intermediate_values = {}
            self._without[trial._trial_id] = thinned  # noqa: SLF001
        return self._without[trial._trial_id]  # noqa: SLF001


class QuickProperties(dict[int, Any]):
    """The dashboard's cache of the parameters and attributes of each study, which it collects from all trials.

    It means to look at a trial that has ended only once. But when all have ended, it looks at all of them again for
    each update of a page, which takes 2 s with 10,000 trials. Here, trials with the same distributions, names of
    attributes and state are looked at once.
    """

    def get(self, study_id: int, default: Any = None) -> Any:
        """Return what is known of a study."""
        from optuna_dashboard._inmemory_cache import _CachedExtraStudyProperty

        if study_id not in self:
            self[study_id] = _quick(_CachedExtraStudyProperty)()
        return super().get(study_id, default)


def _quick(base: type[Any]) -> Any:
    class Quick(base):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self._seen: set[Hashable] = set()
            self._ended: set[int] = set()  # numbers of trials that ended and were looked at

        def update(self, trials: list[FrozenTrial]) -> None:
            """Look at trials that are unlike all that were looked at."""
            new = [trial for trial in trials if trial.number not in self._ended and self._is_unlike(trial)]
            self._cursor = -1  # of the base: all that are new
            super().update(new)

        def _is_unlike(self, trial: FrozenTrial) -> bool:
            if trial.state.is_finished():
                self._ended.add(trial.number)
            kind = (
                trial.state == TrialState.FAIL,
                bool(trial.intermediate_values),
                frozenset(trial.distributions.items()),
                frozenset(
                    (name, isinstance(value, Real) and not isinstance(value, bool))
                    for name, value in trial.user_attrs.items()
                ),
            )
            if kind in self._seen:
                return False
            self._seen.add(kind)
            return True

    return Quick


BaseStorage.register(ThinnedStorage)  # the dashboard accepts nothing else
