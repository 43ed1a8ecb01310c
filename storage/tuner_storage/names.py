"""The names of the studies, read quickly for the completion of a command line."""

from __future__ import annotations

from sqlalchemy import select

from tuner_storage.engine import Database
from tuner_storage.identity import LINKS
from tuner_storage.location import Location


def read_names(location: Location) -> list[str]:
    """Return the names of our studies, sorted. The database must exist, and nothing is written.

    Raises:
        StorageError: If the database cannot be read.
    """
    database = Database(location)
    try:
        with database.read() as session:
            return sorted(session.scalars(select(LINKS.c.study_name)))
    finally:
        database.close()
