"""Studies, epochs, attempts and kept models: what the coordinator writes and everybody reads."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

from sqlalchemy import Update, column, delete, func, insert, select, table, text, update
from sqlalchemy.orm import Session

from storage.artifacts import Artifacts
from storage.checkpoints import add_checkpoint, forget_checkpoints, read_checkpoints
from storage.engine import Database, engine_arguments, storage_errors
from storage.lease import Holding, Lease, holder, holding, request_stop
from storage.runs import Run, RunRecord, read_runs
from storage.tables import AttemptRow, EpochRow, ModelRow, StudyRow, utc_now
from tuner.errors import StorageError
from tuner.records import CheckpointFile, EpochEnd, ModelFile, Outcome, TrialEnd

if TYPE_CHECKING:
    from optuna.storages import BaseStorage, RDBStorage

# Optuna's own table: a result has nine facts or so, and Optuna writes one per transaction.
_ATTRIBUTES = table("trial_user_attributes", column("trial_id"), column("key"), column("value_json"))
_FORGET_REPORTS = text(
    "DELETE FROM trial_intermediate_values WHERE trial_id IN (SELECT t.trial_id FROM trials t JOIN tuner_study s "
    "ON t.study_id = s.optuna_id WHERE s.id = :study_id AND t.number = :number) AND step >= :first_epoch"
)


@dataclass(frozen=True, slots=True)
class StudyRecord:
    """What a study was started with; a copy, so changing it changes nothing."""

    id: int
    optuna_id: int
    recipe: Mapping[str, Any]
    data_fingerprint: str
    environment: Mapping[str, Any]
    created: datetime  # UTC


@dataclass(frozen=True, slots=True)
class KeptModel:
    """A model on disk; ``path`` is relative to the artifact folder, ``test`` holds loss and accuracy once evaluated."""

    number: int
    path: str
    sha256: str
    size: int  # bytes
    test: Mapping[str, float] | None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt at a trial; ``ended`` and ``outcome`` are null while it runs. Times are UTC."""

    number: int
    attempt: int
    owner: str
    device: str | None
    started: datetime
    ended: datetime | None
    outcome: str | None
    reason: str | None
    first_epoch: int
    traceback: str | None

    @classmethod
    def of(cls, row: AttemptRow) -> Self:
        """Copy a row."""
        names = [name for name in cls.__dataclass_fields__ if name != "number"]
        return cls(number=row.trial_number, **{name: getattr(row, name) for name in names})


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

        from storage.optuna_storage import PersistentRDBStorage

        location = self.database.location
        # The password stays out of it: the arguments say how to connect. Optuna runs str.format over the URL.
        url = f"{location.url.drivername}://"
        if not location.is_server:
            url = location.url.render_as_string(hide_password=False)
        arguments = engine_arguments(location)
        try:
            with storage_errors(location):
                self._rdb = PersistentRDBStorage(
                    self.database.retry, url.replace("{", "{{").replace("}", "}}"), arguments
                )
        except RuntimeError as error:
            raise StorageError(
                f"Optuna's tables in {location} were made by another version of Optuna",
                hint="bring them up to date, a copy is kept: tuner storage upgrade",
            ) from error
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
        self, study_id: int, number: int, owner: str, *, device: str | None = None, first_epoch: int = 0
    ) -> int:
        """Begin an attempt at a trial; returns the attempt's number.

        Args:
            study_id: Our row of the study.
            number: The trial.
            owner: Who begins it.
            device: What it runs on, for people.
            first_epoch: Where it goes on: what earlier attempts left of this epoch and later ones is forgotten.
        """
        of_trial = (AttemptRow.study_id == study_id, AttemptRow.trial_number == number)
        with self.database.write() as session:
            attempt = session.scalar(select(func.count()).where(*of_trial)) or 0
            if attempt:
                self._forget_attempts(session, study_id, number, first_epoch)
            session.add(
                AttemptRow(
                    study_id=study_id,
                    trial_number=number,
                    attempt=attempt,
                    owner=owner,
                    device=device,
                    first_epoch=first_epoch,
                )
            )
            gone = forget_checkpoints(session, study_id, number, after=first_epoch)
        self._remove(gone)
        return attempt

    def _forget_attempts(self, session: Session, study_id: int, number: int, first_epoch: int) -> None:
        """End attempts that nobody ended, and remove what was written of the epochs that come again."""
        killed = _end(study_id, number).values(ended=utc_now(), outcome=Outcome.INTERRUPTED, reason="killed")
        session.execute(killed)
        of_trial = (EpochRow.study_id == study_id, EpochRow.trial_number == number)
        session.execute(delete(EpochRow).where(*of_trial, EpochRow.epoch >= first_epoch))
        # Optuna keeps reported values for ever; those of an attempt that is gone would mislead its pruners.
        session.execute(_FORGET_REPORTS, {"study_id": study_id, "number": number, "first_epoch": first_epoch})

    def interrupt_attempt(
        self, study_id: int, number: int, reason: str | None, checkpoint: CheckpointFile | None = None
    ) -> None:
        """Record that the running attempt at a trial ended without a result, and the state that it left."""
        gone: list[str] = []
        ended = {"ended": utc_now(), "outcome": Outcome.INTERRUPTED, "reason": reason}
        with self.database.write() as session:
            session.execute(_end(study_id, number).values(**ended))
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

    def add_result(self, study_id: int, end: TrialEnd, trial_id: int, facts: Mapping[str, Any]) -> None:
        """Record in one transaction how an attempt ended, its model, and facts that Optuna's dashboard shows.

        Args:
            study_id: Our row of the study.
            end: The end; a model in it is complete on disk.
            trial_id: Optuna's row of the trial, which is still running.
            facts: User attributes of the trial; JSON can hold them.
        """
        with self.database.write() as session:
            ended = {"ended": utc_now(), "outcome": end.outcome, "reason": end.reason, "traceback": end.traceback}
            session.execute(_end(study_id, end.number).values(**ended))
            rows = [{"trial_id": trial_id, "key": key, "value_json": json.dumps(fact)} for key, fact in facts.items()]
            session.execute(delete(_ATTRIBUTES).where(_ATTRIBUTES.c.trial_id == trial_id))
            if rows:
                session.execute(insert(_ATTRIBUTES), rows)
            if end.model is not None:
                self._replace_model(session, study_id, end.number, end.model)
            gone = forget_checkpoints(session, study_id, end.number)
        self._remove(gone)

    def add_epoch(self, study_id: int, end: EpochEnd) -> None:
        """Record every metric of one epoch, and the checkpoint after it."""
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
            if end.checkpoint is not None:
                gone = add_checkpoint(session, self.artifacts, study_id, end.number, end.checkpoint)
        self._remove(gone)

    def checkpoints(self, study_id: int, number: int) -> list[CheckpointFile]:
        """Return the checkpoints of a trial, the newest first; whether the files are sound is not known."""
        with self.database.read() as session:
            return read_checkpoints(session, self.artifacts, study_id, number)

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

    def _replace_model(self, session: Session, study_id: int, number: int, model: ModelFile) -> None:
        """Record a model, in place of one of an earlier attempt."""
        session.execute(delete(ModelRow).where(ModelRow.study_id == study_id, ModelRow.trial_number == number))
        session.add(
            ModelRow(
                study_id=study_id,
                trial_number=number,
                path=self.artifacts.relative(model.path),
                sha256=model.sha256,
                size=model.size,
            )
        )

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

    def close(self) -> None:
        """Give the connections back."""
        if self._rdb is not None:
            self._rdb.remove_session()
            self._rdb.engine.dispose()
        self.database.close()


def _end(study_id: int, number: int) -> Update:
    """Update the attempt at a trial that nobody has ended yet."""
    return update(AttemptRow).where(
        AttemptRow.study_id == study_id, AttemptRow.trial_number == number, AttemptRow.outcome.is_(None)
    )
