"""What a run does once its search is over: train the winner on all rows, and evaluate it on the test split."""

from __future__ import annotations

from statistics import fmean

from storage import Store
from storage.copies import StudyRecord
from storage.persistent import persistent
from tuner.config.recipe import Recipe
from tuner.files import is_whole
from tuner.jobs import RefitEnd, RefitJob, TestEnd, TestJob
from tuner.run.incumbents import Incumbents
from tuner.search.ask_tell import AskTell


class FinalJobs:
    """The jobs of one study that are no trials, and what becomes of them.

    Args:
        store: Our tables and the artifact folder.
        record: The study.
        sampling: What the trials were asked to be.
        leaders: Says who won.
        recipe: Whether the winner is trained on all rows.
    """

    def __init__(
        self, store: Store, record: StudyRecord, sampling: AskTell, leaders: Incumbents, recipe: Recipe
    ) -> None:
        self._store = persistent(store)
        self._study_id = record.id
        self._sampling = sampling
        self._leaders = leaders
        self._refits = recipe.winner.refit

    def refit_job(self) -> RefitJob | None:
        """Return the job that trains the winner on all rows, where that is wanted and not done, or its file is damaged.

        It trains for as many epochs as were best on the mean of all seeds of the winner.
        """
        number = self._leaders.winner()
        if not self._refits or number is None or self._is_refitted(number):
            return None
        best = [int(self._sampling.facts(seed)["best_epoch"]) + 1 for seed in self._leaders.seeds_of_winner()]
        asked = self._sampling.trained(number)
        return RefitJob(
            number=number,
            seed=asked.seed,
            hyperparameters=asked.hyperparameters,
            epochs=round(fmean(best)),
            schedule_epochs=asked.epochs,
            model_path=self._store.artifacts.refit_path(self._study_id, number),
        )

    def untested(self, *, test_all: bool = False) -> list[TestJob]:
        """Return the jobs that evaluate the winner, or all kept models, on the test split, but for those done.

        Of a winner that was trained on all rows, that model is the one to evaluate: it is the one that is handed over.
        """
        models = self._store.models(self._study_id)
        winner = self._leaders.winner()
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

    def done(self, end: TestEnd | RefitEnd) -> None:
        """Write down that the winner was trained on all rows, or the one evaluation on the test split."""
        if isinstance(end, RefitEnd):
            self._store.set_refit(self._study_id, end)
            return
        refit = self._store.refit(self._study_id)
        if self._refits and refit is not None and refit.number == end.number and not refit.test:
            self._store.set_refit_test(self._study_id, end.metrics)
        else:
            self._store.set_test(self._study_id, end.number, end.metrics)

    def _is_refitted(self, number: int) -> bool:
        done = self._store.refit(self._study_id)
        if done is None or done.number != number:
            return False
        return is_whole(self._store.artifacts.path(done.path), size=done.size, sha256=done.sha256)
