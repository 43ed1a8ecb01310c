"""The store: what the coordinator writes about a study, and what every other part of tuner reads."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tuner_storage.artifacts import Artifacts
from tuner_storage.assessments import read_assessment, replace_assessment
from tuner_storage.attempts import INTERRUPTED, begin_attempt, end_attempt, read_attempts, read_completed
from tuner_storage.checkpoints import (
    KEPT_PAUSED,
    add_checkpoint,
    forget_checkpoints,
    read_checkpointed,
    read_checkpoints,
)
from tuner_storage.copies import Attempt, KeptCheckpoint, KeptData, KeptModel, KeptRefit, StudyRecord
from tuner_storage.data import read_data, write_data
from tuner_storage.engine import Database
from tuner_storage.epochs import read_epochs, write_epochs
from tuner_storage.findings import orphans, remove_rows
from tuner_storage.holding import Holding, holdings, request_stop
from tuner_storage.inputs import (
    FinishedAttempt,
    FinishedCheckpoint,
    FinishedEpoch,
    FinishedFile,
    FinishedModel,
    FinishedRefit,
)
from tuner_storage.lease import Lease
from tuner_storage.live import read_confirms
from tuner_storage.models import forget_model, read_model_evaluation, read_models, replace_model, write_model_test
from tuner_storage.optuna_rows import Report, add_reports, replace_attributes, write_attribute
from tuner_storage.own_values import read_own_values
from tuner_storage.refits import read_refit, read_refit_evaluation, replace_refit, write_refit_test
from tuner_storage.runs import Run, RunRecord, read_runs
from tuner_storage.study_rows import read_named, read_study, write_recipe, write_study
from tuner_storage.tables import AttemptRow
from tuner_storage.trial_attributes import PAUSED, PROMOTED

if TYPE_CHECKING:
    from optuna.storages import BaseStorage
    from optuna.trial import FrozenTrial
    from sqlalchemy import Connection

    from tuner_storage.optuna_storage import PersistentRDBStorage


class Store:
    """One database and its artifacts. Each method that writes is one transaction.

    A file is stored before the transaction with its row, and removed after the transaction that removes its row. So
    each row has its file, and after a crash, `tuner doctor` finds the files without a row.
    """

    def __init__(self, database: Database, artifacts: Artifacts) -> None:
        self.database = database
        self.artifacts = artifacts
        self._rdb: PersistentRDBStorage | None = None
        self._superseded: list[str] = []  # files to remove once a joined transaction is committed

    @contextmanager
    def joined(self) -> Iterator[Connection]:
        """Write all that the block writes, through Optuna too, in one transaction at its end."""
        optuna = self.share()
        try:
            with self.database.joined() as connection, optuna.joined(connection):
                yield connection
        except BaseException:
            self._superseded.clear()
            raise
        superseded, self._superseded = self._superseded, []
        self._remove(superseded)

    def share(self) -> PersistentRDBStorage:
        """Use Optuna's storage without its cache from now on, which knows only what this process has written."""
        self.optuna = self.uncached
        return self.uncached

    @property
    def uncached(self) -> PersistentRDBStorage:
        """Optuna's own storage without its cache of trials that have ended."""
        _ = self.optuna
        assert self._rdb is not None  # noqa: S101 - opened with it
        return self._rdb

    @cached_property
    def optuna(self) -> BaseStorage:
        """Optuna's own storage in the same database."""
        from optuna.storages import get_storage

        from tuner_storage.optuna_log import quiet_optuna
        from tuner_storage.optuna_storage import open_optuna

        quiet_optuna()
        self._rdb = open_optuna(self.database)
        return get_storage(self._rdb)

    def add_study(
        self,
        name: str,
        directions: Sequence[str],
        recipe: Mapping[str, Any],
        fingerprint: str,
        environment: Mapping[str, Any],
        *,
        data: KeptData | None = None,
    ) -> StudyRecord:
        """Add a study to Optuna's tables and to ours, in one transaction.

        If Optuna has a study of this name that is not ours, it becomes ours.

        Args:
            name: The name of the study.
            directions: ``minimize`` or ``maximize`` for each objective.
            recipe: The recipe with which the study starts.
            fingerprint: The fingerprint of its data set.
            environment: The versions and the machine.
            data: What it stores of its data.

        Raises:
            StorageError: If the study is ours already, or the database cannot be written.
        """
        with self.database.write() as session:
            record = write_study(
                session, name, directions, recipe=recipe, fingerprint=fingerprint, environment=environment
            )
            if data is not None:
                write_data(session, record.id, data)
            return record

    def find_study(self, optuna_id: int) -> StudyRecord | None:
        """Return the record of a study, or ``None`` if the study is one of Optuna alone."""
        with self.database.read() as session:
            return read_study(session, optuna_id)

    def find_named(self, name: str) -> StudyRecord | None:
        """Return the record of the study of this name, or ``None`` if there is none of ours."""
        with self.database.read() as session:
            return read_named(session, name)

    def change_recipe(self, study_id: int, recipe: Mapping[str, Any]) -> None:
        """Replace the stored recipe. A study that is continued may have a larger budget."""
        with self.database.write() as session:
            write_recipe(session, study_id, recipe)

    def set_data(self, study_id: int, data: KeptData) -> None:
        """Record what a study stores of its data, in place of what it stored before."""
        with self.database.write() as session:
            write_data(session, study_id, data)

    def data(self, study_id: int) -> KeptData | None:
        """Return what a study stores of its data, or ``None`` if it began with a version that stored nothing."""
        with self.database.read() as session:
            return read_data(session, study_id)

    def remove_deleted(self) -> None:
        """Remove our rows and the artifacts of studies that are no longer in Optuna's tables.

        A study whose run has not noticed yet is left to the next call. The caller holds the creation lock: SQLite may
        give the id of a removed row to a new study, whose artifacts would then lie in the same folder.
        """
        deleted = orphans(self.database)
        for study_id in deleted:
            self.artifacts.remove_study(study_id)  # first: after a crash the row is still there, and is found again
        if deleted:
            remove_rows(self.database, deleted)

    def lease(
        self, study_id: int, name: str, *, wait: bool = False, to_delete: bool = False, shared: bool = False
    ) -> Lease:
        """Return the lease of a study, not yet acquired.

        Args:
            study_id: Our row of the study.
            name: The name of the study, for messages.
            wait: If another run holds the lease, wait until it expires.
            to_delete: The study will be deleted together with its lease, so no fence may require the lease.
            shared: Other coordinators may share the study.
        """
        if to_delete:
            return Lease(self.database, study_id, name)
        _ = self.optuna  # opens Optuna's engine, which is fenced like ours
        engines = [self.database.engine, *([self._rdb.engine] if self._rdb is not None else [])]
        return Lease(self.database, study_id, name, engines=engines, wait=wait, shared=shared)

    def run(self, study_id: int, owner: str, workers: int) -> Run:
        """Record the beginning of a run."""
        return Run(self.database, study_id, owner, workers)

    def runs(self, study_id: int) -> list[RunRecord]:
        """Return the runs of a study, the first one first."""
        return read_runs(self.database, study_id)

    def holdings(self, study_id: int) -> list[Holding]:
        """Return the owners and the times of the study's leases; an empty list if the study is not running."""
        return holdings(self.database, study_id)

    def request_stop(self, study_id: int) -> bool:
        """Request that all runs of a study stop. Return ``False`` if the study is not running."""
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
        self._keep(checkpoint)
        with self.database.write() as session:
            end_attempt(session, study_id, number, INTERRUPTED, reason)
            if checkpoint is not None:
                superseded = add_checkpoint(session, self.artifacts, study_id, number, checkpoint)
        self._remove(superseded)

    def attempts(self, study_id: int, number: int | None = None) -> list[Attempt]:
        """Return the attempts at one trial, or at all trials if ``number`` is ``None``, in order."""
        with self.database.read() as session:
            return read_attempts(session, study_id, number)

    def completed(self, study_id: int, numbers: Collection[int] | None = None) -> set[int]:
        """Return the numbers of the trials with a complete attempt, among all or only ``numbers``."""
        with self.database.read() as session:
            return read_completed(session, study_id, numbers)

    def trials(self, optuna_id: int, numbers: Collection[int] | None = None) -> list[FrozenTrial]:
        """Return Optuna's trials of a study, all or those in ``numbers``, in order.

        Those with a result of ours have no reported values: :meth:`epochs` returns the same.

        Raises:
            StorageError: If the database cannot be read, or a value in it is not JSON.
        """
        from tuner_storage.bulk_reads import json_errors, read_trials

        with json_errors(), self.database.read() as session:
            return read_trials(session, optuna_id, numbers, reports=False)

    def own_values(self, record: StudyRecord, objectives: Sequence[str]) -> dict[int, tuple[float, ...]]:
        """Return the objectives of each complete trial whose result a run wrote, by number."""
        with self.database.read() as session:
            return read_own_values(session, record.optuna_id, record.id, objectives)

    def confirms(self, record: StudyRecord) -> dict[int, int]:
        """Return the trial that each confirming trial trains again."""
        with self.database.read() as session:
            return read_confirms(session, record.optuna_id)

    def add_result(self, study_id: int, end: FinishedAttempt, trial_id: int, attributes: Mapping[str, Any]) -> None:
        """Record the result of an attempt, its model, and the attributes that Optuna's dashboard shows.

        Args:
            study_id: Our row of the study.
            end: The end of the trial, or a pause. Its model or checkpoint is complete on disk.
            trial_id: Optuna's row of the trial, which is still running.
            attributes: User attributes of the trial, as values that JSON can hold.
        """
        self._keep(end.checkpoint, end.model)
        with self.database.write() as session:
            end_attempt(session, study_id, end.number, end.outcome, end.reason, traceback=end.traceback)
            replace_attributes(session, trial_id, attributes)
            if end.checkpoint is not None:
                superseded = add_checkpoint(
                    session, self.artifacts, study_id, end.number, end.checkpoint, keep=KEPT_PAUSED
                )
            else:
                superseded = forget_checkpoints(session, study_id, end.number)
            if end.model is not None:
                superseded += replace_model(session, self.artifacts, study_id, end.number, end.model)
        self._remove(superseded)

    def add_epochs(self, study_id: int, ends: Sequence[FinishedEpoch], reports: Sequence[Report] = ()) -> None:
        """Record the metrics of epochs and the checkpoints after them, in one transaction.

        Args:
            study_id: Our row of the study.
            ends: The epochs, at least one.
            reports: The objectives to report to Optuna.
        """
        superseded: list[str] = []
        self._keep(*(end.checkpoint for end in ends))
        with self.database.write() as session:
            write_epochs(session, study_id, ends)
            if reports:
                add_reports(session, reports)
            for end in ends:
                if end.checkpoint is not None:
                    superseded += add_checkpoint(session, self.artifacts, study_id, end.number, end.checkpoint)
        self._remove(superseded)

    def epochs(self, study_id: int, numbers: Sequence[int] | None = None) -> dict[int, list[dict[str, float]]]:
        """Return the metrics of each epoch in order, by trial number, for all trials or those in ``numbers``."""
        with self.database.read() as session:
            return read_epochs(session, study_id, numbers)

    def checkpoints(self, study_id: int, number: int) -> list[KeptCheckpoint]:
        """Return the checkpoints of a trial, the newest first. The files are not checked."""
        with self.database.read() as session:
            return read_checkpoints(session, study_id, number)

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

    def restore_model(self, study_id: int, number: int, model: FinishedModel) -> None:
        """Record a model that was trained again, with the test metrics of the one that it replaces."""
        self._keep(model)
        with self.database.write() as session:
            kept = read_models(session, study_id).get(number)
            evaluation = read_model_evaluation(session, study_id, number)
            superseded = replace_model(session, self.artifacts, study_id, number, model)
            if kept is not None and kept.test:
                write_model_test(session, study_id, number, kept.test, evaluation)
        self._remove(superseded)

    def drop_model(self, study_id: int, model: KeptModel) -> None:
        """Remove the row of a model, then its file. A crash in between leaves a file without a row."""
        with self.database.write() as session:
            forget_model(session, study_id, model.number)
        self._remove([model.path])

    def set_test(
        self, study_id: int, number: int, metrics: Mapping[str, float], evaluation: Mapping[str, Any] | None = None
    ) -> None:
        """Record the metrics of a kept model on the test split, and its evaluation."""
        with self.database.write() as session:
            write_model_test(session, study_id, number, metrics, evaluation)

    def evaluation(self, study_id: int, number: int) -> dict[str, Any] | None:
        """Return the evaluation of a kept model, or ``None`` if nothing was recorded."""
        with self.database.read() as session:
            return read_model_evaluation(session, study_id, number)

    def set_refit(self, study_id: int, end: FinishedRefit) -> None:
        """Record the refit, with its model complete on disk, in place of an earlier one.

        Raises:
            ValueError: If the refit has no model.
        """
        self._keep(end.model)
        with self.database.write() as session:
            superseded = replace_refit(session, self.artifacts, study_id, end)
        self._remove(superseded)

    def refit(self, study_id: int) -> KeptRefit | None:
        """Return the refit of a study, or ``None`` if it has none."""
        with self.database.read() as session:
            return read_refit(session, study_id)

    def set_refit_test(
        self, study_id: int, metrics: Mapping[str, float], evaluation: Mapping[str, Any] | None = None
    ) -> None:
        """Record the metrics of the refit on the test split, and its evaluation."""
        with self.database.write() as session:
            write_refit_test(session, study_id, metrics, evaluation)

    def refit_evaluation(self, study_id: int) -> dict[str, Any] | None:
        """Return the evaluation of the refit, or ``None`` if nothing was recorded."""
        with self.database.read() as session:
            return read_refit_evaluation(session, study_id)

    def set_assessment(self, study_id: int, facts: Mapping[str, Any]) -> None:
        """Record what was measured of the winner and of the ensemble, in place of what was recorded before."""
        with self.database.write() as session:
            replace_assessment(session, study_id, facts)

    def assessment(self, study_id: int) -> dict[str, Any] | None:
        """Return what was measured of the winner and of the ensemble, or ``None`` if nothing was."""
        with self.database.read() as session:
            return read_assessment(session, study_id)

    def close(self) -> None:
        """Close all connections."""
        if self._rdb is not None:
            self._rdb.remove_session()
            self._rdb.engine.dispose()
        self.database.close()

    def _keep(self, *files: FinishedFile | None) -> None:
        """Store files before their rows are written."""
        for file in files:
            if file is not None:
                self.artifacts.keep(file)

    def _remove(self, paths: Sequence[str]) -> None:
        """Remove files without a row."""
        if self.database.is_joined:
            self._superseded += paths
            return
        for path in paths:
            self.artifacts.remove(path)
