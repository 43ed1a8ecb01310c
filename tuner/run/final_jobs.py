"""The jobs that follow a search: the refit of the winner, and the evaluation on the test split."""

from __future__ import annotations

from statistics import fmean

from tuner_storage.copies import KeptRefit
from tuner_storage.persistent import persistent

from tuner.command_line import command
from tuner.config.recipe import Recipe
from tuner.errors import RunError
from tuner.events import AssessEnd, FinalEnd, RefitEnd
from tuner.jobs import AssessJob, Candidate, FinalJob, RefitJob, TestJob
from tuner.run.incumbents import Incumbents
from tuner.run.precision import StudyPrecision
from tuner.search.ask_tell import AskTell
from tuner.studies import StoredStudy


class FinalJobs:
    """Creates the final jobs of a study and writes their results.

    Args:
        stored: The study, in an open store.
        ask_tell: What each trial trained.
        incumbents: The winner.
        recipe: Whether the winner is refitted.
        precision: The precision of a refit.
    """

    def __init__(
        self,
        stored: StoredStudy,
        ask_tell: AskTell,
        incumbents: Incumbents,
        recipe: Recipe,
        precision: StudyPrecision,
    ) -> None:
        self._name = stored.study.study_name
        self._store = persistent(stored.store)
        self._study_id = stored.record.id
        self._ask_tell = ask_tell
        self._incumbents = incumbents
        self._requested = recipe.winner.refit
        self._most = recipe.winner.ensemble
        self._metric = recipe.objective.metric
        self._precision = precision

    def refit_job(self) -> RefitJob | None:
        """Return the job that refits the winner; ``None`` if no refit is requested or an intact one exists.

        A damaged refit is replaced even if none is requested now, because it is the model that is exported. The refit
        trains for the mean of the best epochs of all seeds of the winner.
        """
        number = self._incumbents.winner()
        refit = self._refit_of(number)
        if number is None or (self._store.artifacts.intact(refit) if refit else not self._requested):
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
            precision=self._precision.of_jobs,
        )

    def test_jobs(self, *, test_all: bool = False) -> list[TestJob]:
        """Return the jobs that evaluate the winner on the test split, except those that are done.

        If the winner was refitted, the refit is evaluated: it is the model that is exported.

        Args:
            test_all: Evaluate every kept model instead.
        """
        models = self._store.models(self._study_id)
        winner = self._incumbents.winner()
        refit = self._refit_of(winner)
        if refit is not None and not test_all:
            return [] if refit.test else [TestJob(refit.number, self._store.artifacts.path(refit), refit.sha256)]
        numbers = sorted(models) if test_all else [winner]
        return [
            TestJob(number, self._store.artifacts.path(models[number]), models[number].sha256)
            for number in numbers
            if number in models and models[number].test is None
        ]

    def assess_job(self) -> AssessJob | None:
        """Return the job that measures the winner and selects the ensemble; ``None`` if that is done, or not requested.

        The candidates are the best kept models, as many as the recipe says.
        """
        winner = self._incumbents.winner()
        models = self._store.models(self._study_id)
        if not self._most or winner not in models:
            return None
        others = [number for number in self._incumbents.ranking() if number in models and number != winner]
        numbers = [winner, *others[: self._most - 1]]
        done = self._store.assessment(self._study_id)
        if done is not None and done["candidates"] == numbers:
            return None
        find = self._store.artifacts.path
        candidates = tuple(Candidate(number, find(models[number]), models[number].sha256) for number in numbers)
        return AssessJob(winner, candidates, self._metric)

    def write_end(self, job: FinalJob, end: FinalEnd) -> None:
        """Write the result of a job.

        Raises:
            RunError: If the job failed.
        """
        if end.reason is not None:
            raise _failure(end, end.reason, f"`{command('doctor')}` looks at the file of every model")
        if isinstance(end, AssessEnd):
            if end.assessment is not None:
                self._store.set_assessment(self._study_id, end.assessment.model_dump(mode="json"))
            return
        if isinstance(end, RefitEnd):
            self._store.set_refit(self._study_id, end)
            return
        refit = self._refit_of(end.number)
        evaluation = None if end.evaluation is None else end.evaluation.model_dump(mode="json")
        if isinstance(job, TestJob) and refit is not None and self._store.artifacts.find(refit.path) == job.model_path:
            self._store.set_refit_test(self._study_id, end.metrics, evaluation)
        else:
            self._store.set_test(self._study_id, end.number, end.metrics, evaluation)

    def lost(self, job: FinalJob, reason: str) -> RunError:
        """Return the error that ends a run in which a job lost each of its workers."""
        return _failure(
            job, f"the trainer was lost each time ({reason})", f"try it again: {command('study start', self._name)}"
        )

    def _refit_of(self, number: int | None) -> KeptRefit | None:
        refit = self._store.refit(self._study_id)
        return refit if refit is not None and refit.number == number else None


def _failure(job: FinalJob | FinalEnd, reason: str, hint: str) -> RunError:
    action = "trained on all rows" if isinstance(job, RefitJob | RefitEnd) else "evaluated"
    return RunError(f"the best model could not be {action}: {reason}", hint=f"no trial is lost; {hint}")
