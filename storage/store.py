"""Studies, epochs, attempts and kept models: what the coordinator writes and everybody reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from storage.artifacts import Artifacts
from storage.attempts import INTERRUPTED, begin_attempt, end_attempt, write_fact, write_facts, write_report
from storage.checkpoints import add_checkpoint, forget_checkpoints, read_checkpoints
from storage.copies import Attempt, KeptCheckpoint, KeptModel, KeptRefit, StudyRecord
from storage.engine import Database
from storage.inputs import FinishedAttempt, FinishedCheckpoint, FinishedEpoch, FinishedFile, FinishedRefit
from storage.lease import Holding, Lease, holder, holding, request_stop
from storage.refits import read_refit, replace_refit, write_refit_test
from storage.runs import Run, RunRecord, read_runs
from storage.tables import AttemptRow, CheckpointRow, EpochRow, ModelRow, StudyRow
from storage.trial_attributes import PAUSED, PROMOTED

if TYPE_CHECKING:
    from optuna.storages import BaseStorage, RDBStorage


class Store:
    """One database and its artifact folder."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.artifacts = Artifacts(database.location.artifacts)
        self._rdb: RDBStorage | None = None

    @cached_property
    def optuna(self) -> BaseStorage:
        """Optuna's own storage in the same database."""
        from optuna.storages import get_storage

        from storage.optuna_storage import open_optuna

        self._rdb = open_optuna(self.database)
        return get_storage(self._rdb)

    def add_study(
        self, optuna_id: int, recipe: Mapping[str, Any], fingerprint: str, environment: Mapping[str, Any]
    ) -> StudyRecord:
        """Record what the study with Optuna's ``optuna_id`` is started with."""
        with self.database.write() as session:
            session.add(
                StudyRow(
                    optuna_id=optuna_id,
                    recipe=dict(recipe),
                    data_fingerprint=fingerprint,
                    environment=dict(environment),
                )
            )
        record = self.find_study(optuna_id)
        assert record is not None  # noqa: S101 - written above, for the type checker
        return record

    def find_study(self, optuna_id: int) -> StudyRecord | None:
        """Return what a study was started with, or ``None`` where Optuna's study is not one of ours."""
        with self.database.read() as session:
            row = session.scalar(select(StudyRow).where(StudyRow.optuna_id == optuna_id))
            if row is None:
                return None
            return StudyRecord(
                row.id, row.optuna_id, dict(row.recipe), row.data_fingerprint, dict(row.environment), row.created
            )

    def change_recipe(self, study_id: int, recipe: Mapping[str, Any]) -> None:
        """Replace the recipe snapshot: a resumed study may have a larger budget."""
        with self.database.write() as session:
            session.execute(update(StudyRow).where(StudyRow.id == study_id).values(recipe=dict(recipe)))

    def delete_study(self, study_id: int) -> None:
        """Remove our rows and the kept models of a study; Optuna's rows are Optuna's to remove."""
        with self.database.write() as session:
            session.execute(delete(StudyRow).where(StudyRow.id == study_id))
        self.artifacts.remove_study(study_id)

    def lease(self, study_id: int, name: str, *, wait: bool = False, to_delete: bool = False) -> Lease:
        """Return the lease of a study, not yet acquired.

        Args:
            study_id: Our row of the study.
            name: Its name, for people.
            wait: Wait for another's lease to run out.
            to_delete: The lease will go with the study: no fence asks for it then.
        """
        if to_delete:
            return Lease(self.database, study_id, name)
        _ = self.optuna  # its engine is fenced off as ours is
        engines = [self.database.engine, *([self._rdb.engine] if self._rdb is not None else [])]
        return Lease(self.database, study_id, name, engines=engines, wait=wait)

    def run(self, study_id: int, owner: str, workers: int) -> Run:
        """Note that a run begins."""
        return Run(self.database, study_id, owner, workers)

    def runs(self, study_id: int) -> list[RunRecord]:
        """Return the runs of a study, the first one first."""
        return read_runs(self.database, study_id)

    def lease_holder(self, study_id: int) -> str | None:
        """Return who runs the study at this moment, or ``None``."""
        return holder(self.database, study_id)

    def holding(self, study_id: int) -> Holding | None:
        """Return who runs the study at this moment, since when and until when, or ``None``."""
        return holding(self.database, study_id)

    def request_stop(self, study_id: int) -> bool:
        """Ask the run of a study to stop; ``False`` where none runs."""
        return request_stop(self.database, study_id)

    def start_attempt(
        self,
        study_id: int,
        number: int,
        owner: str,
        *,
        device: str | None = None,
        first_epoch: int = 0,
        promoted: int | None = None,
    ) -> int:
        """Begin an attempt at a trial; returns the attempt's number.

        Args:
            study_id: Our row of the study.
            number: The trial.
            owner: Who begins it.
            device: What it runs on, for people.
            first_epoch: Where it goes on: what earlier attempts left of this epoch and later ones is forgotten.
            promoted: After how many epochs it was paused, if it is paused no more.
        """
        row = AttemptRow(study_id=study_id, trial_number=number, owner=owner, device=device, first_epoch=first_epoch)
        with self.database.write() as session:
            attempt = begin_attempt(session, row)
            if promoted is not None:
                write_fact(session, study_id, number, PAUSED, None)
                write_fact(session, study_id, number, PROMOTED, promoted)
            gone = forget_checkpoints(session, study_id, number, after=first_epoch)
        self._remove(gone)
        return attempt

    def interrupt_attempt(
        self, study_id: int, number: int, reason: str | None, checkpoint: FinishedCheckpoint | None = None
    ) -> None:
        """Record that the running attempt at a trial ended without a result, and the state that it left."""
        gone: list[str] = []
        with self.database.write() as session:
            end_attempt(session, study_id, number, INTERRUPTED, reason)
            if checkpoint is not None:
                gone = add_checkpoint(session, self.artifacts, study_id, number, checkpoint)
        self._remove(gone)

    def attempts(self, study_id: int, number: int | None = None) -> list[Attempt]:
        """Return the attempts of all trials, or of one, in order."""
        query = select(AttemptRow).where(AttemptRow.study_id == study_id)
        if number is not None:
            query = query.where(AttemptRow.trial_number == number)
        with self.database.read() as session:
            rows = session.scalars(query.order_by(AttemptRow.trial_number, AttemptRow.attempt))
            return [Attempt.of(row) for row in rows]

    def add_result(self, study_id: int, end: FinishedAttempt, trial_id: int, facts: Mapping[str, Any]) -> None:
        """Record in one transaction how an attempt ended, its model, and facts that Optuna's dashboard shows.

        Args:
            study_id: Our row of the study.
            end: The end, or a pause; a model or checkpoint in it is complete on disk.
            trial_id: Optuna's row of the trial, which is still running.
            facts: User attributes of the trial; JSON can hold them.
        """
        with self.database.write() as session:
            end_attempt(session, study_id, end.number, end.outcome, end.reason, traceback=end.traceback)
            write_facts(session, trial_id, facts)
            if end.checkpoint is not None:
                gone = add_checkpoint(session, self.artifacts, study_id, end.number, end.checkpoint)
            else:
                gone = forget_checkpoints(session, study_id, end.number)
            if end.model is not None:
                gone += self._replace_model(session, study_id, end.number, end.model)
        self._remove(gone)

    def add_epoch(self, study_id: int, end: FinishedEpoch, report: tuple[int, float] | None = None) -> None:
        """Record in one transaction every metric of an epoch, and the checkpoint after it.

        Args:
            study_id: Our row of the study.
            end: The epoch.
            report: Optuna's row of the trial and the objective that it shall know.
        """
        gone: list[str] = []
        with self.database.write() as session:
            session.add(
                EpochRow(
                    study_id=study_id,
                    trial_number=end.number,
                    epoch=end.epoch,
                    metrics=dict(end.metrics),
                    seconds=end.seconds,
                )
            )
            if report is not None:
                write_report(session, report[0], end.epoch, report[1])
            if end.checkpoint is not None:
                gone = add_checkpoint(session, self.artifacts, study_id, end.number, end.checkpoint)
        self._remove(gone)

    def checkpoints(self, study_id: int, number: int) -> list[KeptCheckpoint]:
        """Return the checkpoints of a trial, the newest first; whether the files are sound is not known."""
        with self.database.read() as session:
            return read_checkpoints(session, self.artifacts, study_id, number)

    def checkpointed(self, study_id: int) -> set[int]:
        """Return the trials that have checkpoints."""
        with self.database.read() as session:
            return set(session.scalars(select(CheckpointRow.trial_number).where(CheckpointRow.study_id == study_id)))

    def forget_checkpoints(self, study_id: int, number: int) -> None:
        """Remove the checkpoints of a trial that has ended."""
        with self.database.write() as session:
            gone = forget_checkpoints(session, study_id, number)
        self._remove(gone)

    def _remove(self, paths: Sequence[str]) -> None:
        """Remove files that no row names any more; what a crash leaves of them, `tuner doctor` finds."""
        for path in paths:
            self.artifacts.remove(path)

    def epochs(self, study_id: int, numbers: Sequence[int] | None = None) -> dict[int, list[dict[str, float]]]:
        """Return the metrics of each epoch in order, by trial number, for all trials or those in ``numbers``."""
        query = select(EpochRow).where(EpochRow.study_id == study_id).order_by(EpochRow.trial_number, EpochRow.epoch)
        if numbers is not None:
            query = query.where(EpochRow.trial_number.in_(numbers))
        curves: dict[int, list[dict[str, float]]] = {}
        with self.database.read() as session:
            for row in session.scalars(query):
                curves.setdefault(row.trial_number, []).append({**row.metrics, "seconds": row.seconds})
        return curves

    def _replace_model(self, session: Session, study_id: int, number: int, model: FinishedFile) -> list[str]:
        """Record a model, in place of one of an earlier attempt; returns the files to remove once it is committed."""
        of_trial = (ModelRow.study_id == study_id, ModelRow.trial_number == number)
        path = self.artifacts.relative(model.path)
        before = [each for each in session.scalars(select(ModelRow.path).where(*of_trial)) if each != path]
        session.execute(delete(ModelRow).where(*of_trial))
        session.add(
            ModelRow(
                study_id=study_id,
                trial_number=number,
                path=path,
                sha256=model.sha256,
                size=model.size,
            )
        )
        return before

    def models(self, study_id: int) -> dict[int, KeptModel]:
        """Return the kept models by trial number."""
        with self.database.read() as session:
            rows = session.scalars(select(ModelRow).where(ModelRow.study_id == study_id))
            return {r.trial_number: KeptModel(r.trial_number, r.path, r.sha256, r.size, r.test) for r in rows}

    def drop_model(self, study_id: int, model: KeptModel) -> None:
        """Forget a model, then remove it: a crash in between leaves a file that no row names, never the reverse."""
        with self.database.write() as session:
            session.execute(
                delete(ModelRow).where(ModelRow.study_id == study_id, ModelRow.trial_number == model.number)
            )
        self.artifacts.remove(model.path)

    def set_test(self, study_id: int, number: int, metrics: Mapping[str, float]) -> None:
        """Record the one evaluation of a kept model on the test split."""
        with self.database.write() as session:
            session.execute(
                update(ModelRow)
                .where(ModelRow.study_id == study_id, ModelRow.trial_number == number)
                .values(test=dict(metrics))
            )

    def set_refit(self, study_id: int, end: FinishedRefit) -> None:
        """Record the refit of the winner, whose model is complete on disk, in place of an earlier one.

        Raises:
            ValueError: If it has no model.
        """
        with self.database.write() as session:
            gone = replace_refit(session, self.artifacts, study_id, end)
        self._remove(gone)

    def refit(self, study_id: int) -> KeptRefit | None:
        """Return the refit of a study, or ``None`` where there is none."""
        with self.database.read() as session:
            return read_refit(session, study_id)

    def set_refit_test(self, study_id: int, metrics: Mapping[str, float]) -> None:
        """Record the evaluation of the refit on the test split."""
        with self.database.write() as session:
            write_refit_test(session, study_id, metrics)

    def close(self) -> None:
        """Give the connections back."""
        if self._rdb is not None:
            self._rdb.remove_session()
            self._rdb.engine.dispose()
        self.database.close()
