"""Is everything in order? Looks at the database, the artifact folder and the machine, and changes nothing by itself."""

from __future__ import annotations

from pathlib import Path

from storage import Location
from tuner.doctor.findings import Examination
from tuner.doctor.kept import examine_files
from tuner.doctor.machine import examine_data, examine_device, examine_versions
from tuner.doctor.studies import examine_database

__all__ = ["Examination", "examine"]


def examine(location: Location, data_dir: Path | None = None, *, quick: bool = False, fix: bool = False) -> Examination:
    """Return what was looked at, and what was found.

    Args:
        location: The database and its artifact folder.
        data_dir: Folder that is searched first for data sets.
        quick: Skip what takes long: the checksums of files, and the GPU.
        fix: Remove files that no row names, and rows that lead nowhere.
    """
    found = Examination()
    database = examine_database(location, found, fix=fix)
    if database is not None:
        try:
            examine_files(database, found, quick=quick, fix=fix)
            examine_data(found, data_dir, database)
        finally:
            database.close()
    else:
        examine_data(found, data_dir, None)
    if not quick:
        examine_device(found)
    examine_versions(found)
    return found
