"""Examines the database, the artifact folder and the machine. Changes something only if asked to."""

from __future__ import annotations

from pathlib import Path

from tuner_storage import Location

from tuner.doctor.artifacts import examine_artifacts
from tuner.doctor.checks import Examination
from tuner.doctor.machine import examine_data, examine_device, examine_versions
from tuner.doctor.studies import examine_database

__all__ = ["Examination", "examine"]


def examine(location: Location, data_dir: Path | None = None, *, quick: bool = False, fix: bool = False) -> Examination:
    """Run all checks.

    Args:
        location: The database and its artifact folder.
        data_dir: Folder that is searched first for data sets.
        quick: Skip the slow checks: the checksums of files, and the search for a GPU.
        fix: Remove files that no row refers to, rows without a study, and imports that did not end.

    Returns:
        The checks and their results, and what was removed.
    """
    examination = Examination()
    database = examine_database(location, examination, fix=fix)
    if database is not None:
        try:
            examine_artifacts(database, examination, quick=quick, fix=fix)
            examine_data(examination, data_dir, database)
        finally:
            database.close()
    else:
        examine_data(examination, data_dir, None)
    if not quick:
        examine_device(examination)
    examine_versions(examination)
    return examination
