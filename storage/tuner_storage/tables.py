"""Our tables, beside Optuna's own in the same database. All times are in UTC, without a zone."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


def utc_now() -> datetime:
    """Return the time in UTC without a zone, as our columns hold it."""
    return datetime.now(UTC).replace(tzinfo=None)


def new_identity() -> str:
    """Return a random identity for a study."""
    return uuid.uuid4().hex


class Base(DeclarativeBase):
    """The base class of our tables."""

    type_annotation_map = {dict[str, Any]: JSON}  # noqa: RUF012 - SQLAlchemy's documented form


class StudyRow(Base):
    """A study: its recipe, data and environment.

    ``optuna_id`` is its row in Optuna's ``studies``, if that has the same ``identity``: see
    :mod:`tuner_storage.identity`.
    """

    __tablename__ = "tuner_study"

    id: Mapped[int] = mapped_column(primary_key=True)
    optuna_id: Mapped[int] = mapped_column(unique=True)  # negative: deleted in Optuna's tables
    identity: Mapped[str] = mapped_column(
        String(32), index=True, unique=True, default=new_identity, server_default="none"
    )
    recipe: Mapped[dict[str, Any]]
    data_fingerprint: Mapped[str] = mapped_column(String(64))  # sha256 of the data set's rows
    environment: Mapped[dict[str, Any]]  # versions of Python and packages, backend, device
    created: Mapped[datetime] = mapped_column(default=utc_now)


class DataRow(Base):
    """What a study stores of its data. A study that began before this table was added has no row."""

    __tablename__ = "tuner_data"

    study_id: Mapped[int] = mapped_column(ForeignKey("tuner_study.id", ondelete="CASCADE"), primary_key=True)
    description: Mapped[dict[str, Any]]  # tuner.data.schema.DataSchema: input, classes, how numbers are standardised
    sample: Mapped[str]  # raw rows on which exports are checked, in base64: see tuner.data.settle.pack


class ArtifactsRow(Base):
    """Where the artifacts of this database are, if not in its folder. There is at most one row, with the id 1."""

    __tablename__ = "tuner_artifacts"

    id: Mapped[int] = mapped_column(primary_key=True)
    address: Mapped[str]  # s3://bucket/prefix
    identity: Mapped[str] = mapped_column(String(32), default=new_identity)  # part of each key: see S3Artifacts


class LeaseRow(Base):
    """A lease of a study: the only one, or one of several shared ones. Its coordinator moves ``expires`` forward."""

    __tablename__ = "tuner_lease"

    study_id: Mapped[int] = mapped_column(ForeignKey("tuner_study.id", ondelete="CASCADE"), primary_key=True)
    owner: Mapped[str] = mapped_column(String(200), primary_key=True)  # host:pid:start, see tuner_storage.owner
    since: Mapped[datetime]
    expires: Mapped[datetime]
    stop_requested: Mapped[bool] = mapped_column(default=False)
    shared: Mapped[bool] = mapped_column(default=False)  # other coordinators may work on the study too
    role: Mapped[str | None] = mapped_column(String(20))  # at the end of a shared study, see tuner_storage.turns


class TurnRow(Base):
    """The turn of a study's coordinators: whoever locks this row may change the states of trials."""

    __tablename__ = "tuner_turn"

    study_id: Mapped[int] = mapped_column(ForeignKey("tuner_study.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int]  # of the last turn that changed a trial


class ChangeRow(Base):
    """The last change of a trial's state. While a trial runs, it belongs to the coordinator that made this change."""

    __tablename__ = "tuner_change"
    __table_args__ = (Index("ix_tuner_change_turn", "study_id", "turn"),)

    study_id: Mapped[int] = mapped_column(ForeignKey("tuner_study.id", ondelete="CASCADE"), primary_key=True)
    trial_number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    turn: Mapped[int]
    owner: Mapped[str] = mapped_column(String(200))


class EpochRow(Base):
    """The metrics of one finished epoch. The trial itself is in Optuna's tables."""

    __tablename__ = "tuner_epoch"
    __table_args__ = (UniqueConstraint("study_id", "trial_number", "epoch"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("tuner_study.id", ondelete="CASCADE"))
    trial_number: Mapped[int]
    epoch: Mapped[int]  # 0-based
    metrics: Mapped[dict[str, Any]]  # loss, accuracy, val_loss, val_accuracy, learning_rate
    seconds: Mapped[float]


class AttemptRow(Base):
    """One attempt at a trial. ``outcome`` is null while it runs."""

    __tablename__ = "tuner_attempt"
    __table_args__ = (UniqueConstraint("study_id", "trial_number", "attempt"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("tuner_study.id", ondelete="CASCADE"))
    trial_number: Mapped[int]
    attempt: Mapped[int]  # 0-based
    owner: Mapped[str] = mapped_column(String(200))
    started: Mapped[datetime] = mapped_column(default=utc_now)
    ended: Mapped[datetime | None]
    outcome: Mapped[str | None] = mapped_column(String(20))
    reason: Mapped[str | None]
    device: Mapped[str | None] = mapped_column(String(200))
    # More than 0 if the attempt continued from a checkpoint.
    first_epoch: Mapped[int] = mapped_column(default=0, server_default="0")
    traceback: Mapped[str | None]


class CheckpointRow(Base):
    """The checkpoint of a trial after ``epochs`` epochs. ``path`` is relative to the artifact folder."""

    __tablename__ = "tuner_checkpoint"
    __table_args__ = (UniqueConstraint("study_id", "trial_number", "epochs"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("tuner_study.id", ondelete="CASCADE"))
    trial_number: Mapped[int]
    epochs: Mapped[int]
    path: Mapped[str]
    sha256: Mapped[str] = mapped_column(String(64))
    size: Mapped[int]  # bytes


class RunRow(Base):
    """One run of a study. ``ended`` is null while the run goes on, and stays null if it was killed."""

    __tablename__ = "tuner_run"

    id: Mapped[int] = mapped_column(primary_key=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("tuner_study.id", ondelete="CASCADE"))
    owner: Mapped[str] = mapped_column(String(200))
    workers: Mapped[int]
    device: Mapped[str | None] = mapped_column(String(200))
    started: Mapped[datetime] = mapped_column(default=utc_now)
    ended: Mapped[datetime | None]
    stopped_by: Mapped[str | None] = mapped_column(String(20))
    timing: Mapped[dict[str, Any] | None]  # see tuner.run.timing


class ModelRow(Base):
    """A kept model. ``path`` is relative to the artifact folder."""

    __tablename__ = "tuner_model"
    __table_args__ = (UniqueConstraint("study_id", "trial_number"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("tuner_study.id", ondelete="CASCADE"))
    trial_number: Mapped[int]
    path: Mapped[str]
    sha256: Mapped[str] = mapped_column(String(64))
    size: Mapped[int]  # bytes
    test: Mapped[dict[str, Any] | None]  # loss and accuracy on the test split
    # tuner.evaluation.evaluation.Evaluation, on the test split. It is large, so it is read only on request.
    evaluation: Mapped[dict[str, Any] | None] = mapped_column(deferred=True)
    outputs: Mapped[str | None]  # probabilities for the rows of tuner_data.sample, as they were when it was trained


class AssessmentRow(Base):
    """What was measured of the winner and of the ensemble of a study."""

    __tablename__ = "tuner_assessment"

    study_id: Mapped[int] = mapped_column(ForeignKey("tuner_study.id", ondelete="CASCADE"), primary_key=True)
    facts: Mapped[dict[str, Any]]  # tuner.evaluation.assessment.Assessment
    created: Mapped[datetime] = mapped_column(default=utc_now)


class RefitRow(Base):
    """The refit of a study. ``path`` is relative to the artifact folder."""

    __tablename__ = "tuner_refit"

    study_id: Mapped[int] = mapped_column(ForeignKey("tuner_study.id", ondelete="CASCADE"), primary_key=True)
    trial_number: Mapped[int]
    epochs: Mapped[int]
    rows: Mapped[int]  # how many it was trained on
    path: Mapped[str]
    sha256: Mapped[str] = mapped_column(String(64))
    size: Mapped[int]  # bytes
    metrics: Mapped[dict[str, Any]]  # loss and accuracy of the last epoch, on the rows that it was trained on
    seconds: Mapped[float]
    created: Mapped[datetime] = mapped_column(default=utc_now)
    test: Mapped[dict[str, Any] | None]  # loss and accuracy on the test split
    evaluation: Mapped[dict[str, Any] | None] = mapped_column(deferred=True)  # as in ModelRow
    outputs: Mapped[str | None]  # as in ModelRow
