"""Where the artifacts of a database are: in its folder or in S3. The database remembers S3, as its first study said."""

from __future__ import annotations

import re
from contextlib import closing, suppress

from sqlalchemy import func, inspect, select

from tuner.errors import StorageError, UsageError
from tuner_storage.artifacts import Artifacts
from tuner_storage.creation_lock import creation_lock
from tuner_storage.engine import Database, storage_errors
from tuner_storage.local_artifacts import LocalArtifacts
from tuner_storage.location import Location
from tuner_storage.s3_address import S3Address, parse_address
from tuner_storage.s3_artifacts import S3Artifacts
from tuner_storage.tables import ArtifactsRow, StudyRow, new_identity

_ONLY = 1  # the id of the only row
_IDENTITY = re.compile(r"[0-9a-f]{32}")


def open_artifacts(database: Database, *, create: bool = False) -> Artifacts:
    """Return the artifacts of a database.

    Args:
        database: An open database with the newest schema.
        create: Make sure that artifacts can be written. If the location names S3, a database without a study remembers
            it. One with studies must remember it already.

    Raises:
        StorageError: If the artifacts cannot be written, are elsewhere than the location says, or the row that
            remembers them is damaged.
    """
    wanted = database.location.s3
    artifacts = _remembered(database)
    if not create:
        return artifacts
    if wanted is None or artifacts.place == str(wanted):
        artifacts.prepare()
        return artifacts
    with creation_lock(database.location):
        return _chosen(database, wanted)


def place_of(location: Location) -> str:
    """Return where the artifacts of a database are, which may have an older schema.

    Raises:
        StorageError: If the database cannot be read.
    """
    with closing(Database(location)) as database:
        with storage_errors(location):
            remembers = inspect(database.engine).has_table(ArtifactsRow.__tablename__)
        return _remembered(database).place if remembers else str(location.artifacts)


def _remembered(database: Database) -> Artifacts:
    location = database.location
    with database.read() as session:
        row = session.get(ArtifactsRow, _ONLY)
        if row is None:
            return LocalArtifacts(location.artifacts)
        address, identity = row.address, row.identity
    with suppress(UsageError):
        if _IDENTITY.fullmatch(identity):
            return S3Artifacts(location.artifacts, parse_address(address), identity, database.retry)
    raise StorageError(
        f"the database {location} does not say where in S3 its artifacts are",
        hint="another program has changed the table tuner_artifacts",
    )


def _chosen(database: Database, address: S3Address) -> Artifacts:
    """Let a database without a study remember an address, after a test that it can be written."""
    with database.read() as session:
        studies = session.scalar(select(func.count()).select_from(StudyRow))
    if studies:
        raise StorageError(
            f"the artifacts of {database.location} are in {_remembered(database).place}, not in {address}",
            hint="leave out --artifacts and TUNER_ARTIFACTS, or name another database with --storage or --home; "
            "`tuner study export-archive` and `tuner study import` move a study",
        )
    row = ArtifactsRow(id=_ONLY, address=str(address), identity=new_identity())
    artifacts = S3Artifacts(database.location.artifacts, address, row.identity, database.retry)
    artifacts.prepare()
    with database.write() as session:
        session.merge(row)
    return artifacts
