"""Ties our row of a study to Optuna's study: both hold the same random identity.

Optuna's id alone is not enough. SQLite gives the id of a deleted study to the next one, and the Optuna dashboard
renames a study by copying it to a new id. The identity is a user attribute of Optuna's study: a rename copies these.
"""

from __future__ import annotations

from sqlalchemy import Connection, and_, column, func, literal, select, table, update
from sqlalchemy.orm import Session

from tuner_storage.engine import Database
from tuner_storage.tables import StudyRow
from tuner_storage.trial_attributes import IDENTITY

STUDIES = table("studies", column("study_id"), column("study_name"))
ATTRIBUTES = table("study_user_attributes", column("study_id"), column("key"), column("value_json"))

_HOLDS_IDENTITY = and_(
    ATTRIBUTES.c.key == IDENTITY,
    ATTRIBUTES.c.value_json == literal('"') + StudyRow.identity + literal('"'),  # as JSON
)
# All studies of Optuna with the identity of one of our rows. A copy of a study has the same identity as its original.
_HOLDERS = (
    select(StudyRow.id.label("row_id"), STUDIES.c.study_id, STUDIES.c.study_name)
    .join(ATTRIBUTES, ATTRIBUTES.c.study_id == STUDIES.c.study_id)
    .join(StudyRow, _HOLDS_IDENTITY)
)
HOLDERS = _HOLDERS.subquery("identity_holders")
# Our rows whose study exists in Optuna's tables, with its id and name there. All queries of both tables join this.
LINKS = _HOLDERS.where(STUDIES.c.study_id == StudyRow.optuna_id).subquery("linked_studies")
_UNLINKED = StudyRow.id.not_in(select(LINKS.c.row_id))


def relink(session: Session) -> None:
    """Point each of our rows to the study of Optuna that has its identity now.

    If the study was renamed, that is the renamed one; of several copies, the newest, because a rename makes a copy and
    deletes the original at once. If the study was deleted, the row gets a negative ``optuna_id``, because Optuna may
    give its id to another study.
    """
    session.execute(update(StudyRow).where(_UNLINKED).values(optuna_id=-StudyRow.id))
    moved = select(HOLDERS.c.row_id, func.max(HOLDERS.c.study_id)).join(StudyRow, StudyRow.id == HOLDERS.c.row_id)
    for row_id, optuna_id in session.execute(moved.where(_UNLINKED).group_by(HOLDERS.c.row_id)).all():
        session.execute(update(StudyRow).where(StudyRow.id == row_id).values(optuna_id=optuna_id))


def follow_renamed(database: Database) -> None:
    """Follow the studies that another program renamed. Nothing is written if there are none.

    Raises:
        StorageError: If the database cannot be used.
    """
    renamed = select(HOLDERS.c.row_id).join(StudyRow, StudyRow.id == HOLDERS.c.row_id).where(_UNLINKED).limit(1)
    with database.read() as session:
        if session.scalar(renamed) is None:
            return
    with database.write() as session:
        relink(session)


def dead_rows(session: Session) -> list[int]:
    """Return our rows whose study is no longer in Optuna's tables under any id."""
    query = select(StudyRow.id).where(StudyRow.id.not_in(select(HOLDERS.c.row_id))).order_by(StudyRow.id)
    return list(session.scalars(query))


def is_linked(connection: Connection, row_id: int, optuna_id: int) -> bool:
    """Return whether the study ``optuna_id`` of Optuna is that of our row."""
    query = select(LINKS.c.row_id).where(LINKS.c.row_id == row_id, LINKS.c.study_id == optuna_id)
    return connection.scalar(query) is not None


def name_of(connection: Connection, row_id: int) -> str | None:
    """Return the name under which Optuna has the study of our row now, or ``None`` if the study was deleted."""
    query = select(HOLDERS.c.study_name).where(HOLDERS.c.row_id == row_id).order_by(HOLDERS.c.study_id.desc()).limit(1)
    name: str | None = connection.scalar(query)
    return name
