"""Keeps the dashboard usable with thousands of trials.

Its page draws a line, a point and a bar for each trial: with 10,000 trials, a browser computes for minutes. And for
each update of a page, it compares the search spaces of all trials again.
"""

from __future__ import annotations

import copy
from collections.abc import Container, Hashable, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

from optuna.storages import BaseStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

LARGE = 1000  # trials; of a larger study, the page gets some
SHOWN = 500  # of them
BEST = 50  # so many of the best trials are among them, with their intermediate values
NEWEST = 50  # and so many of the newest ones


@dataclass(frozen=True, slots=True)
class _View:
    """What a page gets of a large study. ``of`` is the number of trials when it was first asked for."""

    of: int
    omitted: frozenset[int]  # numbers of trials
    plain: frozenset[int]  # numbers of trials that are shown without their intermediate values


class ThinnedStorage:
    """Optuna's storage for the dashboard: of a study that was large when it was first looked at, some of the trials.

    These are the best, the newest, those that had not ended, and the others evenly over the study; only the first
    three kinds have their intermediate values. Trials that are added later are all shown. The choice stays the same as
    long as the server runs, because a page asks for the trials after as many as it has.

    Args:
        storage: The storage; every method that is not defined here is its own.
    """

    def __init__(self, storage: BaseStorage) -> None:
        self._storage = storage
        self._views: dict[int, _View] = {}  # by the study's id
        self._without: dict[int, FrozenTrial] = {}  # by id, trials that have ended, which never change

    def __getattr__(self, name: str) -> Any:
        """Return an attribute of the storage."""
        return getattr(self._storage, name)

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        """Return the shown trials of the study in one of the ``states``, in order."""
        trials = self._storage.get_all_trials(study_id, deepcopy=deepcopy, states=states)
        if states is not None and study_id not in self._views:
            return trials
        if states is None:
            view = self._views.get(study_id)
            if view is None or len(trials) < view.of:  # fewer: another study with the id of a deleted one
                maximize = self._storage.get_study_directions(study_id)[0] == StudyDirection.MAXIMIZE
                self._views[study_id] = _choose(trials, maximize=maximize)
        view = self._views[study_id]
        if not view.omitted:
            return trials
        return [
            self._thinned(trial) if trial.number in view.plain else trial
            for trial in trials
            if trial.number not in view.omitted
        ]

    def _thinned(self, trial: FrozenTrial) -> FrozenTrial:
        if trial._trial_id not in self._without:  # noqa: SLF001 - Optuna has no public name for it
            thinned = copy.copy(trial)
            thinned.intermediate_values = {}
            self._without[trial._trial_id] = thinned  # noqa: SLF001
        return self._without[trial._trial_id]  # noqa: SLF001


def _choose(trials: Sequence[FrozenTrial], *, maximize: bool) -> _View:
    if len(trials) <= LARGE:
        return _View(len(trials), frozenset(), frozenset())
    complete = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    complete.sort(key=lambda trial: trial.values[0], reverse=maximize)
    kept = {trial.number for trial in (*complete[:BEST], *trials[-NEWEST:])}
    kept |= {trial.number for trial in trials if not trial.state.is_finished()}
    others = [trial.number for trial in trials if trial.number not in kept]
    room = max(0, SHOWN - len(kept))
    plain = {others[len(others) * i // room] for i in range(room)}
    return _View(len(trials), frozenset(others) - plain, frozenset(plain))


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
