"""Coordinators that share a study need the same artifacts: each goes on from checkpoints that another has written.

In S3 they have them. In a folder, each coordinator leaves a file while it runs, and looks for the files of the others.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tuner.errors import StorageError
from tuner_storage.artifacts import Artifacts
from tuner_storage.owner import describe_owner
from tuner_storage.private_files import make_folder


@contextmanager
def marked(artifacts: Artifacts, study_id: int, owner: str) -> Iterator[None]:
    """Leave a file for the other coordinators within the block. After a crash, `tuner doctor` removes it."""
    mark = _mark(artifacts, study_id, owner)
    if artifacts.is_shared or mark.exists():  # that of another run in this process, whose lease is refused
        yield
        return
    make_folder(mark.parent)
    mark.touch()
    try:
        yield
    finally:
        mark.unlink(missing_ok=True)


def check_common(artifacts: Artifacts, study_id: int, name: str, others: Sequence[str]) -> None:
    """Check that the other coordinators have the same artifacts.

    Args:
        artifacts: Those of this coordinator.
        study_id: Our row of the study.
        name: The name of the study, for the message.
        others: The owners of the other leases. Each was marked before it had its lease.

    Raises:
        StorageError: If one of them has another folder.
    """
    for owner in () if artifacts.is_shared else others:
        if not _mark(artifacts, study_id, owner).exists():
            raise StorageError(
                f"study '{name}' is being run by {describe_owner(owner)}, whose models are not in {artifacts.place}",
                hint="give all runs the same folder, for example on NFS, with --home; or begin the study with "
                "--artifacts s3://BUCKET/PREFIX",
            )


def _mark(artifacts: Artifacts, study_id: int, owner: str) -> Path:
    """Return the path of the file of a coordinator, with a name that `tuner doctor` knows as left over from a crash."""
    return artifacts.new_in(study_id) / f".run.{hashlib.sha256(owner.encode()).hexdigest()[:16]}.tmp"
