"""The store: what the coordinator writes about a study, and what every other part of tuner reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, select, update

from storage.artifacts import Artifacts
from storage.attempts import INTERRUPTED, begin_attempt, end_attempt, read_attempts
from storage.checkpoints import add_checkpoint, forget_checkpoints, read_checkpointed, read_checkpoints
from storage.copies import Attempt, KeptCheckpoint, KeptModel, KeptRefit, StudyRecord
from storage.engine import Database
from storage.epochs import read_epochs, write_epoch
from storage.inputs import FinishedAttempt, FinishedCheckpoint, FinishedEpoch, FinishedRefit
from storage.lease import Holding, Lease, holder, holding, request_stop
from storage.models import forget_model, read_models, replace_model, write_model_test
from storage.optuna_rows import add_report, replace_attributes, write_attribute
from storage.refits import read_refit, replace_refit, write_refit_test
from storage.runs import Run, RunRecord, read_runs
from storage.tables import AttemptRow, StudyRow
from storage.trial_attributes import PAUSED, PROMOTED

if TYPE_CHECKING:
    from optuna.storages import BaseStorage, RDBStorage


class Store:
    """One database and its artifact folder. Each method that writes is one transaction."""

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
        """Record the recipe, data and environment with which the study ``optuna_id`` of Optuna starts."""
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
        """Return the record of a study, or ``None`` if the study is one of Optuna alone."""
        with self.database.read() as session:
            row = session.scalar(select(StudyRow).where(StudyRow.optuna_id == optuna_id))
            return None if row is None else StudyRecord.of(row)

    def change_recipe(self, study_id: int, recipe: Mapping[str, Any]) -> None:
        """Replace the stored recipe. A study that is continued may have a larger budget."""
        with self.database.write() as session:
            session.execute(update(StudyRow).where(StudyRow.id == study_id).values(recipe=dict(recipe)))

    def delete_study(self, study_id: int) -> None:
        """Remove our rows of a study and its artifacts. Optuna removes its own rows."""
        with self.database.write() as session:
            session.execute(delete(StudyRow).where(StudyRow.id == study_id))
        self.artifacts.remove_study(study_id)

    def lease(self, study_id: int, name: str, *, wait: bool = False, to_delete: bool = False) -> Lease:
        """Return the lease of a study, not yet acquired.

        Args:
            study_id: Our row of the study.
            name: The name of the study, for messages.
            wait: If another run holds the lease, wait until it expires.
            to_delete: The study will be deleted together with its lease, so no fence may require the lease.
        """
        if to_delete:
            return Lease(self.database, study_id, name)
        _ = self.optuna  # opens Optuna's engine, which is fenced like ours
        engines = [self.database.engine, *([self._rdb.engine] if self._rdb is not None else [])]
        return Lease(self.database, study_id, name, engines=engines, wait=wait)

    def run(self, study_id: int, owner: str, workers: int) -> Run:
        """Record the beginning of a run."""
        return Run(self.database, study_id, owner, workers)

    def runs(self, study_id: int) -> list[RunRecord]:
        """Return the runs of a study, the first one first."""
        return read_runs(self.database, study_id)

    def lease_holder(self, study_id: int) -> str | None:
        """Return the owner of the study's lease, or ``None`` if the study is not running."""
        return holder(self.database, study_id)

    def holding(self, study_id: int) -> Holding | None:
        """Return the owner and the times of the study's lease, or ``None`` if the study is not running."""
        return holding(self.database, study_id)

    def request_stop(self, study_id: int) -> bool:
        """Request that the run of a study stops. Return ``False`` if the study is not running."""
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
        """Begin an attempt at a trial and return the attempt's number.

        Args:
            study_id: Our row of the study.
            number: The trial.
            owner: The process that runs the study.
            device: The device that the trial trains on, for people.
            first_epoch: The epoch to continue with. Earlier attempts lose this epoch and all later ones.
            promoted: If the trial was paused and is now promoted, the number of epochs after which it was paused.
        """
        row = AttemptRow(study_id=study_id, trial_number=number, owner=owner, device=device, first_epoch=first_epoch)
        with self.database.write() as session:
            attempt = begin_attempt(session, row)
            if promoted is not None:
                write_attribute(session, study_id, number, PAUSED, None)
                write_attribute(session, study_id, number, PROMOTED, promoted)
            superseded = forget_checkpoints(session, study_id, number, after=first_epoch)
        self._remove(superseded)
        return attempt

    def interrupt_attempt(
        self, study_id: int, number: int, reason: str | None, checkpoint: FinishedCheckpoint | None = None
    ) -> None:
        """End the running attempt at a trial without a result, and record its last checkpoint."""
        superseded: list[str] = []
        with self.database.write() as session:
            end_attempt(session, study_id, number, INTERRUPTED, reason)
            if checkpoint is not None:
                superseded = add_checkpoint(session, self.artifacts, study_id, number, checkpoint)
        self._remove(superseded)

    def attempts(self, study_id: int, number: int | None = None) -> list[Attempt]:
        """Return the attempts at one trial, or at all trials if ``number`` is ``None``, in order."""
        with self.database.read() as session:
            return read_attempts(session, study_id, number)

    def add_result(self, study_id: int, end: FinishedAttempt, trial_id: int, attributes: Mapping[str, Any]) -> None:
        """Record the result of an attempt, its model, and the attributes that Optuna's dashboard shows.

        Args:
            study_id: Our row of the study.
            end: The end of the trial, or a pause. Its model or checkpoint is complete on disk.
            trial_id: Optuna's row of the trial, which is still running.
            attributes: User attributes of the trial, as values that JSON can hold.
        """
        with self.database.write() as session:
            end_attempt(session, study_id, end.number, end.outcome, end.reason, traceback=end.traceback)
            replace_attributes(session, trial_id, attributes)
            if end.checkpoint is not None:
                superseded = add_checkpoint(session, self.artifacts, study_id, end.number, end.checkpoint)
            else:
                superseded = forget_checkpoints(session, study_id, end.number)
            if end.model is not None:
                superseded += replace_model(session, self.artifacts, study_id, end.number, end.model)
        self._remove(superseded)

    def add_epoch(self, study_id: int, end: FinishedEpoch, report: tuple[int, float] | None = None) -> None:
        """Record the metrics of an epoch, and the checkpoint after it.

        Args:
            study_id: Our row of the study.
            end: The epoch.
            report: Optuna's row of the trial, and the objective to report to Optuna.
        """
        superseded: list[str] = []
        with self.database.write() as session:
            write_epoch(session, study_id, end)
            if report is not None:
                trial_id, value = report
                add_report(session, trial_id, end.epoch, value)
            if end.checkpoint is not None:
                superseded = add_checkpoint(session, self.artifacts, study_id, end.number, end.checkpoint)
        self._remove(superseded)

    def epochs(self, study_id: int, numbers: Sequence[int] | None = None) -> dict[int, list[dict[str, float]]]:
        """Return the metrics of each epoch in order, by trial number, for all trials or those in ``numbers``."""
        with self.database.read() as session:
            return read_epochs(session, study_id, numbers)

    def checkpoints(self, study_id: int, number: int) -> list[KeptCheckpoint]:
        """Return the checkpoints of a trial, the newest first. The files are not checked."""
        with self.database.read() as session:
            return read_checkpoints(session, self.artifacts, study_id, number)

    def checkpointed(self, study_id: int) -> set[int]:
        """Return the numbers of the trials that have checkpoints."""
        with self.database.read() as session:
            return read_checkpointed(session, study_id)

    def forget_checkpoints(self, study_id: int, number: int) -> None:
        """Remove the checkpoints of a trial that has ended."""
        with self.database.write() as session:
            superseded = forget_checkpoints(session, study_id, number)
        self._remove(superseded)

    def models(self, study_id: int) -> dict[int, KeptModel]:
        """Return the kept models by trial number."""
        with self.database.read() as session:
            return read_models(session, study_id)

    def drop_model(self, study_id: int, model: KeptModel) -> None:
        """Remove the row of a model, then its file. A crash in between leaves a file without a row."""
        with self.database.write() as session:
            forget_model(session, study_id, model.number)
        self._remove([model.path])

    def set_test(self, study_id: int, number: int, metrics: Mapping[str, float]) -> None:
        """Record the metrics of a kept model on the test split."""
        with self.database.write() as session:
            write_model_test(session, study_id, number, metrics)

    def set_refit(self, study_id: int, end: FinishedRefit) -> None:
        """Record the refit, with its model complete on disk, in place of an earlier one.

        Raises:
            ValueError: If the refit has no model.
        """
        with self.database.write() as session:
            superseded = replace_refit(session, self.artifacts, study_id, end)
        self._remove(superseded)

    def refit(self, study_id: int) -> KeptRefit | None:
        """Return the refit of a study, or ``None`` if it has none."""
        with self.database.read() as session:
            return read_refit(session, study_id)

    def set_refit_test(self, study_id: int, metrics: Mapping[str, float]) -> None:
        """Record the metrics of the refit on the test split."""
        with self.database.write() as session:
            write_refit_test(session, study_id, metrics)

    def close(self) -> None:
        """Close all connections."""
        if self._rdb is not None:
            self._rdb.remove_session()
            self._rdb.engine.dispose()
        self.database.close()

    def _remove(self, paths: Sequence[str]) -> None:
        """Remove files without a row. After a crash, `tuner doctor` finds the ones that are left."""
        for path in paths:
            self.artifacts.remove(path)
