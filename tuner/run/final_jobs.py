"""The jobs that follow a search: the refit of the winner, and the evaluation on the test split."""

from __future__ import annotations

from statistics import fmean

from storage import Store
from storage.copies import StudyRecord
from storage.persistent import persistent
from tuner.config.recipe import Recipe
from tuner.errors import RunError
from tuner.files import is_whole
from tuner.jobs import RefitEnd, RefitJob, TestEnd, TestJob
from tuner.run.incumbents import Incumbents
from tuner.search.ask_tell import AskTell


class FinalJobs:
    """Creates the final jobs of a study and writes their results.

    Args:
        store: Our tables and the artifact folder.
        record: The study.
        ask_tell: What each trial trained.
        incumbents: The winner.
        recipe: Whether the winner is refitted.
    """

    def __init__(
        self, store: Store, record: StudyRecord, ask_tell: AskTell, incumbents: Incumbents, recipe: Recipe
    ) -> None:
        self._store = persistent(store)
        self._study_id = record.id
        self._ask_tell = ask_tell
        self._incumbents = incumbents
        self._refits = recipe.winner.refit

    def refit_job(self) -> RefitJob | None:
        """Return the job that refits the winner; ``None`` if no refit is requested or an intact one exists.

        The refit trains for the mean of the best epochs of all seeds of the winner.
        """
        number = self._incumbents.winner()
        if not self._refits or number is None or self._is_refitted(number):
            return None
        seeds = self._incumbents.seeds_of_winner()
        best_epochs = [int(self._ask_tell.attributes(seed)["best_epoch"]) + 1 for seed in seeds]
        spec = self._ask_tell.spec_of(number)
        return RefitJob(
            number=number,
            seed=spec.seed,
            hyperparameters=spec.hyperparameters,
            epochs=round(fmean(best_epochs)),
            schedule_epochs=spec.epochs,
            model_path=self._store.artifacts.refit_path(self._study_id, number),
        )

    def test_jobs(self, *, test_all: bool = False) -> list[TestJob]:
        """Return the jobs that evaluate the winner on the test split, except those that are done.

        If the winner was refitted, the refit is evaluated: it is the model that is exported.

        Args:
            test_all: Evaluate every kept model instead.
        """
        models = self._store.models(self._study_id)
        winner = self._incumbents.winner()
        refit = self._store.refit(self._study_id)
        if refit is not None and refit.number == winner and self._refits and not test_all:
            path = self._store.artifacts.path(refit.path)
            return [] if refit.test else [TestJob(refit.number, path, refit.sha256)]
        numbers = sorted(models) if test_all else [winner]
        return [
            TestJob(number, self._store.artifacts.path(models[number].path), models[number].sha256)
            for number in numbers
            if number in models and models[number].test is None
        ]

    def write_end(self, end: TestEnd | RefitEnd) -> None:
        """Write the result of a final job.

        Raises:
            RunError: If the job failed.
        """
        if end.reason is not None:
            action = "evaluated" if isinstance(end, TestEnd) else "trained on all rows"
            raise RunError(
                f"the best model could not be {action}: {end.reason}",
                hint="no trial is lost; `tuner doctor` looks at the file of every model",
            )
        if isinstance(end, RefitEnd):
            self._store.set_refit(self._study_id, end)
            return
        refit = self._store.refit(self._study_id)
        if self._refits and refit is not None and refit.number == end.number and not refit.test:
            self._store.set_refit_test(self._study_id, end.metrics)
        else:
            self._store.set_test(self._study_id, end.number, end.metrics)

    def _is_refitted(self, number: int) -> bool:
        refit = self._store.refit(self._study_id)
        if refit is None or refit.number != number:
            return False
        return is_whole(self._store.artifacts.path(refit.path), size=refit.size, sha256=refit.sha256)
