"""The runs of a study: process, device, times, stop reason, and how long each part of the work took."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select, update

from tuner_storage.engine import Database
from tuner_storage.tables import RunRow, utc_now


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run. ``ended`` and ``stopped_by`` stay null if the run was killed. Times are UTC."""

    owner: str
    workers: int
    device: str | None
    started: datetime
    ended: datetime | None
    stopped_by: str | None
    timing: Mapping[str, Any] | None


class Run:
    """The run of this process. Creating the object records its beginning."""

    def __init__(self, database: Database, study_id: int, owner: str, workers: int) -> None:
        self._database = database
        self._id = database.retry(lambda: _add(database, RunRow(study_id=study_id, owner=owner, workers=workers)))

    def save_timing(self, timing: Mapping[str, Any], device: str | None) -> None:
        """Record the timing so far, so that it is kept if the run is killed."""
        self._update(timing=dict(timing), device=device)

    def end(self, timing: Mapping[str, Any], device: str | None, stopped_by: str | None) -> None:
        """Record the end. ``stopped_by`` is the stop reason, or ``None`` if the run finished its budget."""
        self._update(timing=dict(timing), device=device, stopped_by=stopped_by, ended=utc_now())

    def _update(self, **values: Any) -> None:
        def write() -> None:
            with self._database.write() as session:
                session.execute(update(RunRow).where(RunRow.id == self._id).values(**values))

        self._database.retry(write)


def _add(database: Database, row: RunRow) -> int:
    with database.write() as session:
        session.add(row)
        session.flush()
        return row.id


def read_runs(database: Database, study_id: int) -> list[RunRecord]:
    """Return the runs of a study, the first one first."""
    with database.read() as session:
        rows = session.scalars(select(RunRow).where(RunRow.study_id == study_id).order_by(RunRow.id))
        return [
            RunRecord(row.owner, row.workers, row.device, row.started, row.ended, row.stopped_by, row.timing)
            for row in rows
        ]
