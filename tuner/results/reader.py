"""Reads everything that is stored about a study: trials, attempts, curves, and the run that holds its lease."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from storage import Location
from storage.copies import Attempt, KeptRefit
from storage.lease import Holding
from storage.trial_attributes import LEARNED_FROM
from tuner import studies
from tuner.config.recipe import Recipe
from tuner.environment import Change, changes
from tuner.errors import UsageError
from tuner.results import overview
from tuner.results.importance import Importances, importances
from tuner.results.overview import StudySummary
from tuner.results.summary import study_json
from tuner.results.trials import TrialResult, front_of, read_trial, standings_of, winner
from tuner.run.timing import total
from tuner.search.confirmation import Standing

if TYPE_CHECKING:
    from tuner.data.dataset import Dataset
    from tuner.data.download import Progress


class StudyReader:
    """Reads one study and its data. Each method opens the database and closes it again.

    Every method that reads the database raises :class:`~tuner.errors.UsageError` if the study was never started.

    Attributes:
        name: The study's name.
        recipe: The settings of its search.
        location: The database and the folder of its models.
        data_dir: Folder that is searched first for data sets, or ``None``.
    """

    def __init__(self, name: str, recipe: Recipe, location: Location, data_dir: Path | None) -> None:
        self.name = name
        self.recipe = recipe
        self.location = location
        self.data_dir = data_dir
        self._data: Dataset | None = None

    def load_data(self, progress: Progress | None = None) -> Dataset:
        """Return the data set. It is downloaded if necessary, and read only once.

        Args:
            progress: Receives the progress of the download.

        Raises:
            DataError: If the data set is not available or malformed.
        """
        from tuner.data.lookup import load_dataset

        if self._data is None:
            self._data = load_dataset(self.recipe.data, self.data_dir, progress=progress)
        return self._data

    def trials(self) -> list[TrialResult]:
        """Return all trials, in the order of their numbers."""
        with studies.existing(self.location, self.name) as stored:
            return self.read_trials(stored)

    def best(self) -> TrialResult:
        """Return the winner: the best trial of the first standing, or the best complete trial if nothing was confirmed.

        Raises:
            UsageError: If no trial is complete.
        """
        best = winner(self.trials(), self.recipe)
        if best is None:
            raise UsageError(
                f"study '{self.name}' has no complete trial yet",
                hint=f"continue it: tuner study start {shlex.quote(self.name)}",
            )
        return best

    def standings(self) -> list[Standing]:
        """Return the standings of the confirmed configurations, the best mean first."""
        return standings_of(self.trials(), self.recipe)

    def front(self) -> list[TrialResult]:
        """Return the Pareto front, sorted by the first objective; an empty list if there is only one objective."""
        return front_of(self.trials(), self.recipe)

    def refit(self) -> KeptRefit | None:
        """Return the refit of the winner, or ``None`` if there is none."""
        return self._refit_of(winner(self.trials(), self.recipe))

    def summary(self) -> StudySummary:
        """Return the study's counts, its best trial and the run that holds its lease."""
        with studies.existing(self.location, self.name) as stored:
            return overview.summarise(stored.store, self.name)[0]

    def as_json(self) -> dict[str, Any]:
        """Return the winner and the counts for JSON, under stable keys. Values are ``None`` if no trial is complete."""
        trials = self.trials()
        return study_json(self.recipe, self.summary(), trials, self._refit_of(winner(trials, self.recipe)))

    def importances(self) -> Importances:
        """Return the importance of each parameter, the highest first; empty if there are too few trials."""
        with studies.existing(self.location, self.name) as (_, study, _record):
            return importances(study)

    def attempts(self, number: int | None = None) -> list[Attempt]:
        """Return all attempts, or those at trial ``number``, with process, device, times and outcome."""
        with studies.existing(self.location, self.name) as (store, _, record):
            return store.attempts(record.id, number)

    def holding(self) -> Holding | None:
        """Return the run that holds the lease at the moment, or ``None``."""
        with studies.existing(self.location, self.name) as (store, _, record):
            return store.holding(record.id)

    def last_run(self) -> str:
        """Return a text that says when and why the last run ended."""
        with studies.existing(self.location, self.name) as (store, _, record):
            runs = store.runs(record.id)
        if not runs:
            return "none"
        if runs[-1].ended is None:
            return "still running, or killed"
        return f"ended {runs[-1].ended:%Y-%m-%d %H:%M} UTC: {runs[-1].stopped_by or 'all trials were done'}"

    def changes(self) -> list[Change]:
        """Return the versions and properties of the machine that have changed since the study began."""
        with studies.existing(self.location, self.name) as stored:
            return changes(stored.record.environment)

    def learned_from(self) -> dict[str, str]:
        """Return the earlier studies that this one learned from, each with a text that says what was learned."""
        with studies.existing(self.location, self.name) as stored:
            return dict(stored.study.user_attrs.get(LEARNED_FROM, {}))

    def devices(self) -> list[str]:
        """Return the devices that trials ran on, in the order of first use."""
        return list(dict.fromkeys(attempt.device for attempt in self.attempts() if attempt.device))

    def curves(self) -> dict[int, list[dict[str, float]]]:
        """Return the metrics of all epochs by trial number."""
        with studies.existing(self.location, self.name) as (store, _, record):
            return store.epochs(record.id)

    def timing(self) -> dict[str, Any]:
        """Return how the time of all runs was spent, in seconds: see :meth:`tuner.run.timing.Timing.as_json`."""
        with studies.existing(self.location, self.name) as (store, _, record):
            return total([run.timing for run in store.runs(record.id) if run.timing])

    def stop(self) -> bool:
        """Request that the current run stops after its current epochs. Return ``False`` if there is no run."""
        with studies.existing(self.location, self.name) as (store, _, record):
            return store.request_stop(record.id)

    def delete(self) -> None:
        """Delete the study with its trials and models.

        Raises:
            RunError: If a run holds the study's lease.
        """
        with studies.existing(self.location, self.name) as stored:
            studies.delete(stored)

    def read_trials(self, stored: studies.StoredStudy) -> list[TrialResult]:
        """Return all trials of a study that is already open, in the order of their numbers."""
        tests = {number: model.test for number, model in stored.store.models(stored.record.id).items()}
        return [read_trial(trial, self.recipe, tests) for trial in stored.study.get_trials(deepcopy=False)]

    def trial(self, number: int) -> TrialResult:
        """Return one trial.

        Raises:
            UsageError: If there is no trial of this number.
        """
        trials = self.trials()
        if not 0 <= number < len(trials):
            raise UsageError(
                f"study '{self.name}' has no trial {number}",
                hint=f"number of trials: {len(trials)}, counted from 0",
            )
        return trials[number]

    def _refit_of(self, best: TrialResult | None) -> KeptRefit | None:
        """Return the study's refit if it is a refit of trial ``best``, else ``None``."""
        with studies.existing(self.location, self.name) as stored:
            refit = stored.store.refit(stored.record.id)
        return refit if refit is not None and best is not None and refit.number == best.number else None
