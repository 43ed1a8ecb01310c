"""Reads everything that is stored about a study: trials, attempts, curves, and the run that holds its lease."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuner_storage import Location
from tuner_storage.copies import Attempt, KeptRefit, StudyRecord
from tuner_storage.holding import Holding
from tuner_storage.runs import RunRecord
from tuner_storage.trial_attributes import LEARNED_FROM

from tuner import studies
from tuner.command_line import command
from tuner.config.recipe import Recipe
from tuner.data.schema import DataSchema
from tuner.data.settle import SettledData
from tuner.environment import Change, changes
from tuner.errors import UsageError
from tuner.evaluation.assessment import Assessment
from tuner.evaluation.evaluation import Evaluation
from tuner.paths import user_path
from tuner.results import overview
from tuner.results.exported import evaluation_of_export, refit_of
from tuner.results.overview import StudySummary
from tuner.results.study_trials import StudyTrials
from tuner.results.summary import study_json
from tuner.results.trials import TrialResult
from tuner.run.timing import total
from tuner.search.confirmation import Standing
from tuner.times import for_people

if TYPE_CHECKING:
    from tuner.data.dataset import Dataset
    from tuner.data.download import Progress
    from tuner.data.table_dataset import TableDataset
    from tuner.results.importance import Importances


class StudyReader:
    """Reads one study and its data. Each method opens the database and closes it again.

    Every method that reads the database raises :class:`~tuner.errors.UsageError` if the study was never started.

    Attributes:
        name: The study's name.
        recipe: The search as it was opened. Runs do not change it: :meth:`settings` returns what the study ran with.
        location: The database and the folder of its models.
        data_dir: Folder that is searched for data sets, or ``None``.
        search: What it was opened by: a built-in search, a TOML file, a data file or a name of a study.
    """

    def __init__(
        self,
        name: str,
        recipe: Recipe,
        location: Location,
        data_dir: Path | None,
        *,
        search: str | None = None,
        data: Dataset | TableDataset | None = None,
    ) -> None:
        self.name = name
        self.recipe = recipe
        self.location = location
        self.data_dir = data_dir
        self.search = name if search is None else search
        self._data = data
        self._looked_for: str | None = None  # the fingerprint with which the data were looked for
        self._open: StudyTrials | None = None  # within `at_once`

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Within the block, all methods that read use one connection, and the trials as they were when first read.

        So what a report says fits together while the study runs, and 10,000 trials are read once.
        """
        with studies.existing(self.location, self.name) as stored:
            self._open = StudyTrials(stored)
            try:
                yield
            finally:
                self._open = None

    def load_data(self, progress: Progress | None = None, *, fresh: bool = False) -> Dataset | TableDataset:
        """Return the data set. It is downloaded if necessary, and read only once.

        If the study exists, it is known by the fingerprint of its rows. A file that was moved is therefore found in the
        data folder, in the current folder, beside the search's file, or in the folder that holds the home folder.

        Args:
            progress: Receives the progress of the download.
            fresh: Whether the study will begin again, so that the rows may differ from those that it began with.

        Raises:
            DataError: If the data set is not available or malformed.
        """
        from tuner.data.lookup import FRAME, load_dataset, load_table_file

        if self._data is not None and self.recipe.data == FRAME:
            return self._data  # it is nowhere else
        known = None if fresh else studies.known_data(self.location, self.name)
        fingerprint = known.fingerprint if known else None
        if self._data is None or self._looked_for != fingerprint != self._data.fingerprint:
            file = Path(self.recipe.data).name
            beside = [user_path(self.search).parent] if self.search.endswith(".toml") else []
            folders = [Path(), *beside, self.location.artifacts.absolute().parent.parent]
            also = [*([Path(known.path)] if known else []), *(folder / file for folder in folders)]
            recipe = self.recipe
            if recipe.table is None:
                self._data = load_dataset(
                    recipe.data, self.data_dir, progress=progress, fingerprint=fingerprint, also=also
                )
            else:
                self._data = load_table_file(
                    recipe.data, recipe.table, recipe.task, self.data_dir, fingerprint=fingerprint, also=also
                )
            self._looked_for = fingerprint
        return self._data

    def forget_data(self) -> None:
        """Let go of the data set, which may be large. The next call of :meth:`load_data` reads it again."""
        from tuner.data.lookup import FRAME

        if self.recipe.data != FRAME:  # else it is nowhere else
            self._data = None

    def has_trials(self) -> bool:
        """Return whether the study exists and has a trial."""
        return studies.known_data(self.location, self.name) is not None

    def settings(self) -> Recipe:
        """Return the settings that the study ran with last; those of the search if it was never started."""
        if self._open is not None:
            return self._open.recipe
        return studies.recipe_of(self.location, self.name) or self.recipe

    def trials(self) -> list[TrialResult]:
        """Return all trials, in the order of their numbers."""
        with self._reading() as trials:
            return trials.all()

    def pages(self) -> Iterator[list[TrialResult]]:
        """Yield all trials, in the order of their numbers, some hundreds at a time: the first ones at once.

        Each page has the trials as they are when it is read.
        """
        with self._reading() as trials:
            yield from trials.pages()

    def top(self, count: int) -> list[TrialResult]:
        """Return the best complete trials, at most ``count``, the best first."""
        with self._reading() as trials:
            return trials.some(trials.ranking.numbers()[:count])

    def has_result(self) -> bool:
        """Return whether a trial is complete."""
        with self._reading() as trials:
            return trials.winner() is not None

    def best(self) -> TrialResult:
        """Return the winner: the best trial of the first standing, or the best complete trial if nothing was confirmed.

        Raises:
            UsageError: If no trial is complete.
        """
        with self._reading() as trials:
            best = trials.winner()
        if best is None:
            raise UsageError(
                f"study '{self.name}' has no complete trial yet",
                hint=f"continue it: {command('study start', self.name)}",
            )
        return best

    def standings(self) -> list[Standing]:
        """Return the standings of the confirmed configurations, the best mean first."""
        with self._reading() as trials:
            return trials.ranking.standings()

    def front(self) -> list[TrialResult]:
        """Return the Pareto front, sorted by the first objective; an empty list if there is only one objective."""
        with self._reading() as trials:
            return trials.some(trials.ranking.front())

    def assessment(self) -> Assessment | None:
        """Return what was measured of the winner, of the ensemble and of simple models; ``None`` if nothing was yet."""
        with self._existing() as stored:
            return stored.assessment

    def evaluation(self) -> Evaluation | None:
        """Return how the model that is exported predicts the test rows: the refit, the ensemble, or the winner.

        Returns:
            The evaluation; ``None`` before the model is tested, or if an older version tested it.

        Raises:
            RunError: If the stored evaluation is damaged.
        """
        with self._reading() as trials:
            return evaluation_of_export(trials.stored, trials.winner())

    def schema(self) -> DataSchema | None:
        """Return the input and the target of the study's models; ``None`` if an older version stored none."""
        data = self.data()
        return None if data is None else data.schema

    def data(self) -> SettledData | None:
        """Return what the study stores of its data: schema and sample; ``None`` if an older version stored none."""
        with self._existing() as stored:
            return studies.data_of(stored)

    def refit(self) -> KeptRefit | None:
        """Return the refit of the winner, or ``None`` if there is none."""
        with self._reading() as trials:
            return refit_of(trials.stored, trials.winner())

    def summary(self) -> StudySummary:
        """Return the study's counts, its best trial and the run that holds its lease."""
        with self._existing() as stored:
            return overview.summarise(stored.store, self.name)[0]

    def as_json(self) -> dict[str, Any]:
        """Return the winner and the counts for JSON, under stable keys. Values are ``None`` if no trial is complete."""
        with self.at_once() if self._open is None else nullcontext(), self._reading() as trials:
            best, stored = trials.winner(), trials.stored
            return study_json(
                trials.recipe,
                self.summary(),
                best,
                front=self.front(),
                ranking=self.standings(),
                refit=refit_of(stored, best),
                assessment=stored.assessment,
            )

    def importances(self) -> Importances:
        """Return the importance of each parameter, the highest first; empty if there are too few trials."""
        from tuner.results.importance import importances

        with self._reading() as trials:
            return importances(trials.frozen, maximize=trials.recipe.objective.maximize)

    def attempts(self, number: int | None = None) -> list[Attempt]:
        """Return all attempts, or those at trial ``number``, with process, device, times and outcome."""
        with self._existing() as (store, _, record):
            return store.attempts(record.id, number)

    def holdings(self) -> list[Holding]:
        """Return the runs that hold a lease at the moment, the first one first: several if they share the study."""
        with self._existing() as (store, _, record):
            return store.holdings(record.id)

    def last_run(self) -> str:
        """Return a text that says when and why the last run ended."""
        with self._existing() as (store, _, record):
            runs = store.runs(record.id)
        if not runs:
            return "none"
        if runs[-1].ended is None:
            return "still running, or killed"
        return f"ended {for_people(runs[-1].ended)}: {runs[-1].stopped_by or 'all trials were done'}"

    def changes(self) -> list[Change]:
        """Return the versions and properties of the machine that have changed since the study began."""
        with self._existing() as stored:
            return changes(stored.record.environment)

    def learned_from(self) -> dict[str, str]:
        """Return the earlier studies that this one learned from, each with a text that says what was learned."""
        with self._existing() as stored:
            return dict(stored.study.user_attrs.get(LEARNED_FROM, {}))

    def devices(self) -> list[str]:
        """Return the devices that trials ran on, in the order of first use."""
        return list(dict.fromkeys(attempt.device for attempt in self.attempts() if attempt.device))

    def curves(self, numbers: Sequence[int] | None = None) -> dict[int, list[dict[str, float]]]:
        """Return the metrics of all epochs by trial number; of these trials, if there are ``numbers``."""
        with self._existing() as (store, _, record):
            return store.epochs(record.id, numbers)

    def runs(self) -> list[RunRecord]:
        """Return the runs of the study, the first one first."""
        with self._existing() as (store, _, record):
            return store.runs(record.id)

    def record(self) -> StudyRecord:
        """Return what the study recorded when it began: the fingerprint of its data, versions and machine."""
        with self._existing() as stored:
            return stored.record

    def timing(self) -> dict[str, Any]:
        """Return how the time of all runs was spent, in seconds: see :meth:`tuner.run.timing.Timing.as_json`."""
        with self._existing() as (store, _, record):
            return total([run.timing for run in store.runs(record.id) if run.timing])

    def stop(self) -> bool:
        """Request that the current runs stop after their current epochs. Return ``False`` if there is no run."""
        with self._existing() as (store, _, record):
            return store.request_stop(record.id)

    def delete(self) -> None:
        """Delete the study with its trials and models.

        Raises:
            RunError: If a run holds the study's lease.
        """
        with self._existing() as stored:
            studies.delete(stored)

    def trial(self, number: int) -> TrialResult:
        """Return one trial.

        Raises:
            UsageError: If there is no trial of this number.
        """
        with self._reading() as trials:
            for trial in trials.some([number]):
                return trial
            existing = len(trials.frozen)
        raise UsageError(
            f"study '{self.name}' has no trial {number}", hint=f"number of trials: {existing}, counted from 0"
        )

    @contextmanager
    def _existing(self) -> Iterator[studies.StoredStudy]:
        """Open the study, or use the one that :meth:`at_once` holds open."""
        with self._reading() as trials:
            yield trials.stored

    @contextmanager
    def _reading(self) -> Iterator[StudyTrials]:
        """Open the study and read its trials, or use what :meth:`at_once` has read."""
        if self._open is not None:
            yield self._open
            return
        with studies.existing(self.location, self.name) as stored:
            yield StudyTrials(stored)
