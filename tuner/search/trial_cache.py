"""Caches the trials of an Optuna study and reads one again only after it was written."""

from __future__ import annotations

import copy
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

from tuner.command_line import command
from tuner.errors import StudyChangedError

# Reads of single trials. They fail only if another program has removed the trial.
_READS = {"get_trial", "get_trial_number_from_id"}


def changed_by_another(name: str, change: str) -> StudyChangedError:
    """Return the error for a study that another program has changed, for example in the Optuna dashboard."""
    return StudyChangedError(
        f"another program changed study '{name}' while it ran: {change}",
        hint=f"every result is kept; continue the study: {command('study start', name)}",
    )


class TrialCache:
    """The trials of one study in memory. No other process may write the study while the cache is used.

    Other coordinators of the study may, in turns: see :mod:`tuner.run.sharing`. If another program does so, for example
    the Optuna dashboard, the next call that meets the change raises ``StudyChangedError``.

    Optuna reads every unfinished trial again each time a sampler asks for the trials, which happens several times per
    proposal. With dozens of paused trials, that took longer than training a small network.

    What the store writes to a running trial past this cache appears once the state of the trial changes.

    A new trial gets about twenty parameters, one after the other. They are written at once, before the next call of any
    other method.

    Args:
        storage: Optuna's storage; every method that is not defined here is the storage's own.
        study_id: Optuna's row id of the study.
    """

    def __init__(self, storage: BaseStorage, study_id: int) -> None:
        self._storage = storage
        self._study_id = study_id
        self._name = storage.get_study_name_from_id(study_id)
        self._trials: dict[int, FrozenTrial] = {}
        self._ids: dict[int, int] = {}
        self._count = 0
        self._written: set[int] = set()
        self._params: dict[int, dict[str, tuple[float, BaseDistribution]]] = {}  # of trials, not written yet
        self.read_all()

    def read_all(self) -> None:
        """Read all trials again."""
        self._trials = {trial.number: trial for trial in self._storage.get_all_trials(self._study_id, deepcopy=False)}
        self._ids = {number: trial._trial_id for number, trial in self._trials.items()}  # noqa: SLF001 - its only name
        self._count = len(self._trials)
        self._written.clear()
        self._params.clear()

    def read_again(self, numbers: Sequence[int]) -> None:
        """Read trials again that another coordinator of the study has changed, or added.

        Args:
            numbers: The trials, in order.
        """
        for number in numbers:
            self._written.add(self.get_trial_id_from_study_id_trial_number(self._study_id, number))
        self._count = max(self._count, *(number + 1 for number in numbers))

    def __getattr__(self, name: str) -> Any:
        """Return an attribute of the storage; if it writes a trial, the trial is read again later."""
        self._write_params()
        attribute = getattr(self._storage, name)
        if name.startswith("set_trial_"):
            return self._invalidating(attribute)
        return self._exclusive(attribute) if name in _READS else attribute

    def get_trial_id_from_study_id_trial_number(self, study_id: int, trial_number: int) -> int:
        """Return the row id of a trial. It never changes."""
        if trial_number not in self._ids:
            with self._changes_by_others():
                self._ids[trial_number] = self._storage.get_trial_id_from_study_id_trial_number(study_id, trial_number)
        return self._ids[trial_number]

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        """Create a trial and return its row id."""
        self._write_params()
        with self._changes_by_others():
            trial_id = self._storage.create_new_trial(study_id, template_trial=template_trial)
            number = self._storage.get_trial_number_from_id(trial_id)
        if number != self._count:
            raise changed_by_another(self._name, f"it added trial {self._count}")
        self._count += 1
        self._ids[number] = trial_id
        self._written.add(trial_id)
        return trial_id

    def set_trial_param(
        self, trial_id: int, param_name: str, param_value_internal: float, distribution: BaseDistribution
    ) -> None:
        """Add a parameter to a trial; see above when it is written."""
        self._written.add(trial_id)
        self._params.setdefault(trial_id, {})[param_name] = (param_value_internal, distribution)

    def set_trial_state_values(self, trial_id: int, state: TrialState, values: Sequence[float] | None = None) -> bool:
        """Change the state of a trial; a trial that is to run must be waiting."""
        self._write_params()
        self._written.add(trial_id)
        with self._changes_by_others():
            if not self._storage.set_trial_state_values(trial_id, state, values):
                number = self._storage.get_trial_number_from_id(trial_id)
                raise changed_by_another(self._name, f"it started trial {number}")
        return True

    def get_all_trials(
        self,
        study_id: int,  # noqa: ARG002 - Optuna's signature
        deepcopy: bool = True,
        states: Container[TrialState] | None = None,
    ) -> list[FrozenTrial]:
        """Return the trials of the study in one of the ``states``, in order."""
        self._write_params()
        for trial in self._read(sorted(self._written)):  # row ids grow, so new trials are appended in order
            self._trials[trial.number] = trial
        self._written.clear()
        trials = [trial for trial in self._trials.values() if states is None or trial.state in states]
        return copy.deepcopy(trials) if deepcopy else trials

    def _write_params(self) -> None:
        at_once = getattr(self._storage, "set_trial_params", None)  # of our storage
        with self._changes_by_others():
            for trial_id, params in self._params.items():
                if at_once is not None:
                    at_once(trial_id, params)
                    continue
                for name, (value, distribution) in params.items():
                    self._storage.set_trial_param(trial_id, name, value, distribution)
        self._params.clear()

    def _read(self, trial_ids: Sequence[int]) -> list[FrozenTrial]:
        several = getattr(self._storage, "get_trials", None)  # of our storage: one query per table
        with self._changes_by_others():
            if trial_ids and several is not None:
                return list(several(self._study_id, trial_ids))
            return [self._storage.get_trial(trial_id) for trial_id in trial_ids]

    def _invalidating(self, write: Callable[..., Any]) -> Callable[..., Any]:
        def write_and_invalidate(trial_id: int, *args: Any, **kwargs: Any) -> Any:
            self._written.add(trial_id)
            with self._changes_by_others():
                return write(trial_id, *args, **kwargs)

        return write_and_invalidate

    def _exclusive(self, read: Callable[..., Any]) -> Callable[..., Any]:
        def read_own(*args: Any, **kwargs: Any) -> Any:
            with self._changes_by_others():
                return read(*args, **kwargs)

        return read_own

    @contextmanager
    def _changes_by_others(self) -> Iterator[None]:
        """Explain errors of the storage about trials that another program has removed or ended."""
        try:
            yield
        except KeyError as error:
            raise changed_by_another(self._name, "it removed a trial") from error
        except UpdateFinishedTrialError as error:
            raise changed_by_another(self._name, "it ended a trial") from error
