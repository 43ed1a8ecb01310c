"""What is stored about a study: trials, attempts, curves, and who runs it."""

from __future__ import annotations

from typing import Any

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


class StudyReader:
    """Reads one study; each method opens the database and closes it again.

    Attributes:
        name: The study's name.
        recipe: What it searches.
        location: Where it is stored.
    """

    def __init__(self, name: str, recipe: Recipe, location: Location) -> None:
        self.name = name
        self.recipe = recipe
        self.location = location

    def trials(self) -> list[TrialResult]:
        """Return every trial in order.

        Raises:
            UsageError: If the study was never started.
        """
        with studies.existing(self.location, self.name) as found:
            return self.read_trials(found)

    def best(self) -> TrialResult:
        """Return the best complete trial: of the configuration with the best mean, where any has further seeds.

        Raises:
            UsageError: If the study was never started, or no trial is complete.
        """
        best = winner(self.trials(), self.recipe)
        if best is None:
            raise UsageError(f"study '{self.name}' has no complete trial yet", hint=f"tuner study start {self.name}")
        return best

    def standings(self) -> list[Standing]:
        """Return the configurations that were trained with further seeds, the best mean first."""
        return standings_of(self.trials(), self.recipe)

    def front(self) -> list[TrialResult]:
        """Return the Pareto front, best in the first objective first; nothing where there is one objective."""
        return front_of(self.trials(), self.recipe)

    def refit(self) -> KeptRefit | None:
        """Return the model of the best trial that was trained on all rows, if there is one."""
        return self._refit_of(winner(self.trials(), self.recipe))

    def summary(self) -> StudySummary:
        """Return the study in a line.

        Raises:
            UsageError: If the study was never started.
        """
        with studies.existing(self.location, self.name) as found:
            return overview.summarise(found.store, self.name)[0]

    def as_json(self) -> dict[str, Any]:
        """Return the best trial and the counts: the object that scripts rely on; its values are null without one."""
        trials = self.trials()
        return study_json(self.recipe, self.summary(), trials, self._refit_of(winner(trials, self.recipe)))

    def importances(self) -> Importances:
        """Return what each parameter is worth to the objective, largest first; empty with too few trials."""
        with studies.existing(self.location, self.name) as (_, study, _record):
            return importances(study)

    def attempts(self, number: int | None = None) -> list[Attempt]:
        """Return every attempt at every trial, or at trial ``number``: who, where, when, and how it ended."""
        with studies.existing(self.location, self.name) as (store, _, record):
            return store.attempts(record.id, number)

    def holding(self) -> Holding | None:
        """Return who runs this study at the moment, or ``None``."""
        with studies.existing(self.location, self.name) as (store, _, record):
            return store.holding(record.id)

    def last_run(self) -> str:
        """Say how the last run ended, and when."""
        with studies.existing(self.location, self.name) as (store, _, record):
            runs = store.runs(record.id)
        if not runs:
            return "none"
        if runs[-1].ended is None:
            return "goes on, or was killed"
        return f"ended {runs[-1].ended:%Y-%m-%d %H:%M} UTC: {runs[-1].stopped_by or 'all trials were done'}"

    def changes(self) -> list[Change]:
        """Return which versions, and what of the machine, are not as they were when the study began."""
        with studies.existing(self.location, self.name) as found:
            return changes(found.record.environment)

    def learned_from(self) -> dict[str, str]:
        """Return the studies that this one learned from, and what."""
        with studies.existing(self.location, self.name) as found:
            return dict(found.study.user_attrs.get(LEARNED_FROM, {}))

    def devices(self) -> list[str]:
        """Return what the trials ran on, the first one first."""
        return list(dict.fromkeys(attempt.device for attempt in self.attempts() if attempt.device))

    def curves(self) -> dict[int, list[dict[str, float]]]:
        """Return the metrics of every epoch by trial number."""
        with studies.existing(self.location, self.name) as (store, _, record):
            return store.epochs(record.id)

    def timing(self) -> dict[str, Any]:
        """Return where the seconds of all runs went: see :meth:`tuner.run.timing.Timing.as_json`."""
        with studies.existing(self.location, self.name) as (store, _, record):
            return total([run.timing for run in store.runs(record.id) if run.timing])

    def stop(self) -> bool:
        """Ask the run of this study to stop after its running epochs; ``False`` where none runs."""
        with studies.existing(self.location, self.name) as (store, _, record):
            return store.request_stop(record.id)

    def delete(self) -> None:
        """Remove the study with its trials and models.

        Raises:
            RunError: If it is being run.
            UsageError: If the study was never started.
        """
        with studies.existing(self.location, self.name) as found:
            studies.delete(found)

    def read_trials(self, found: studies.StoredStudy) -> list[TrialResult]:
        """Return every trial in order, from a study that is open already."""
        tests = {number: model.test for number, model in found.store.models(found.record.id).items()}
        return [read_trial(trial, self.recipe, tests) for trial in found.study.get_trials(deepcopy=False)]

    def trial(self, number: int) -> TrialResult:
        """Return one trial.

        Raises:
            UsageError: If there is none of that number.
        """
        trials = self.trials()
        if not 0 <= number < len(trials):
            raise UsageError(f"study '{self.name}' has no trial {number}", hint=f"it has {len(trials)}, from 0 on")
        return trials[number]

    def _refit_of(self, best: TrialResult | None) -> KeptRefit | None:
        """Return the refit of the study if it is that of this trial."""
        with studies.existing(self.location, self.name) as found:
            refit = found.store.refit(found.record.id)
        return refit if refit is not None and best is not None and refit.number == best.number else None
