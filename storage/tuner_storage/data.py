"""The row with what a study stores of its data, written and read within a transaction of the store."""

from __future__ import annotations

from sqlalchemy.orm import Session

from tuner_storage.copies import KeptData
from tuner_storage.tables import DataRow


def write_data(session: Session, study_id: int, data: KeptData) -> None:
    """Record what a study stores of its data, in place of what it stored before."""
    session.merge(DataRow(study_id=study_id, description=dict(data.description), sample=data.sample))


def read_data(session: Session, study_id: int) -> KeptData | None:
    """Return what a study stores of its data, or ``None`` if it stores nothing."""
    row = session.get(DataRow, study_id)
    return None if row is None else KeptData(dict(row.description), row.sample)
