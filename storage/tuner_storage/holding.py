"""Who holds the lease of a study at the moment, and the request that its run stops."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from tuner.times import for_people
from tuner_storage.engine import Database
from tuner_storage.owner import describe_owner, is_alive
from tuner_storage.tables import LeaseRow


@dataclass(frozen=True, slots=True)
class Holding:
    """The holder of a lease. ``expires`` moves with each renewal. Times are UTC."""

    owner: str
    since: datetime
    expires: datetime

    def __str__(self) -> str:
        """Describe the holder for people."""
        since, expires = for_people(self.since, seconds=True), for_people(self.expires, seconds=True)
        return f"{describe_owner(self.owner)} since {since}, lease until {expires}"


def holding(database: Database, study_id: int) -> Holding | None:
    """Return the holder of the study's lease, or ``None`` if the study is not running."""
    with database.read() as session:
        row = session.get(LeaseRow, study_id)
        if row is None or row.expires <= database.now(session) or not is_alive(row.owner):
            return None
        return Holding(row.owner, row.since, row.expires)


def holder(database: Database, study_id: int) -> str | None:
    """Return the owner of the study's lease, or ``None`` if the study is not running."""
    current = holding(database, study_id)
    return None if current is None else current.owner


def request_stop(database: Database, study_id: int) -> bool:
    """Request that the coordinator stops. Return ``False`` if the study is not running."""
    if holder(database, study_id) is None:
        return False
    with database.write() as session:
        row = session.get(LeaseRow, study_id, with_for_update=True)
        if row is not None:
            row.stop_requested = True
        return row is not None
