"""Who holds the leases of a study at the moment, and the request that its runs stop."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update

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


def holdings(database: Database, study_id: int) -> list[Holding]:
    """Return the holders of the study's leases, the first one first; an empty list if the study is not running."""
    query = select(LeaseRow).where(LeaseRow.study_id == study_id).order_by(LeaseRow.since, LeaseRow.owner)
    with database.read() as session:
        now = database.now(session)
        live = [row for row in session.scalars(query) if row.expires > now and is_alive(row.owner)]
        return [Holding(row.owner, row.since, row.expires) for row in live]


def request_stop(database: Database, study_id: int) -> bool:
    """Request that all coordinators stop. Return ``False`` if the study is not running."""
    if not holdings(database, study_id):
        return False
    query = update(LeaseRow).where(LeaseRow.study_id == study_id).values(stop_requested=True)
    with database.write() as session:
        return bool(session.execute(query.returning(LeaseRow.owner)).all())
