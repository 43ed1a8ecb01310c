"""Artifacts in S3, with a local folder for files in progress and copies of what was read."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

from tuner.command_line import command
from tuner.errors import StorageError
from tuner.files import atomic_path, is_whole
from tuner_storage.artifacts import Artifacts, RowFile
from tuner_storage.inputs import FinishedFile
from tuner_storage.local_artifacts import LocalArtifacts
from tuner_storage.retry import Retry
from tuner_storage.s3 import Bucket
from tuner_storage.s3_address import S3Address

_log = logging.getLogger(__name__)


class S3Artifacts(Artifacts):
    """See :class:`Artifacts`. Trainers write local files; each is uploaded when complete, before its row is written.

    The key of an object is the prefix, the identity of the database, and the relative path in the row. So two databases
    never share an object, unless one is a copy of the other. Paths of models are random: not even a copy that runs
    overwrites an object.

    Args:
        folder: The folder on this machine.
        address: The bucket and the prefix.
        identity: The identity of the database.
        retry: Repeats what failed because the network was away, during a run.
    """

    is_shared = True

    def __init__(self, folder: Path, address: S3Address, identity: str, retry: Retry) -> None:
        super().__init__(folder)
        self.place = str(address)
        self._bucket = Bucket(address)
        self._prefix = f"{address.prefix}/{identity}/".removeprefix("/")
        self._local = LocalArtifacts(folder)
        self._retry = retry
        self._kept: set[tuple[str, str]] = set()  # path and checksum of what was uploaded by this process

    def prepare(self) -> None:
        """See :class:`Artifacts`. An object is written and deleted, so that missing rights are noticed before a run."""
        self._local.prepare()
        self._bucket.check_writable(f"{self._prefix}.write-test")

    def model_path(self, study_id: int, number: int, attempt: int = 0) -> Path:  # noqa: ARG002 - all paths differ
        """See :class:`Artifacts`. A copy of the database would give the same name to another model."""
        return self.restored_path(study_id, number)

    def keep(self, file: FinishedFile) -> None:
        """See :class:`Artifacts`."""
        relative = self.relative(file.path)
        if (relative, file.sha256) in self._kept:
            return
        try:
            if not is_whole(file.path, size=file.size, sha256=file.sha256):
                raise StorageError(f"{file.path} was removed or changed before it was stored in {self.place}")
            self._retry(lambda: self._bucket.put(self._key(relative), file.path, size=file.size, sha256=file.sha256))
        except OSError as error:
            raise StorageError(f"{file.path} cannot be read: {error.strerror}") from None
        self._kept.add((relative, file.sha256))

    def path(self, file: RowFile) -> Path:
        """See :class:`Artifacts`. The object is downloaded, unless its copy on this machine is intact.

        Raises:
            StorageError: Also if the object is another one than was written.
        """
        path = self._found(file.path)
        if not is_whole(path, size=file.size, sha256=file.sha256) and self._downloaded(file, path) is False:
            raise StorageError(
                f"checksum mismatch: {self._shown(file.path)} is not the file that was written",
                hint=f"see all such files: {command('doctor')}",
            )
        return path

    def intact(self, file: RowFile) -> Path | None:
        """See :class:`Artifacts`. The object must exist even if there is a copy: other machines read it."""
        path = self.find(file.path)
        if path is None or self._retry(lambda: self._bucket.size(self._key(file.path))) != file.size:
            return None
        if is_whole(path, size=file.size, sha256=file.sha256):
            return path
        return path if self._downloaded(file, path) else None

    def fault(self, file: RowFile, *, quick: bool) -> str | None:
        """See :class:`Artifacts`. The copy on this machine is not read."""
        if self.find(file.path) is None:
            return self._not_ours()
        size = self._bucket.size(self._key(file.path))
        if size is None:
            return "is missing"
        if size != file.size:
            return f"has {size} bytes, {file.size} were written"
        if quick:
            return None
        with Path(os.devnull).open("wb") as nowhere:
            checksum = self._bucket.get(self._key(file.path), nowhere, most=file.size)
        return None if checksum == file.sha256 else "was changed (SHA-256)"

    def remove(self, relative: str) -> None:
        """See :class:`Artifacts`."""
        if self.find(relative) is None:
            return
        self._local.remove(relative)
        try:
            self._bucket.delete(self._key(relative))
        except StorageError:
            # Not raised: the caller has written its rows, and would write them again.
            _log.info("%s could not be removed", self._shown(relative), exc_info=True)

    def remove_study(self, study_id: int) -> None:
        """See :class:`Artifacts`."""
        self._local.remove_study(study_id)
        for key, _ in list(self._bucket.list(f"{self._prefix}{self._study(study_id).name}/")):
            self._bucket.delete(key)

    def files(self) -> Iterator[tuple[str, int]]:
        """See :class:`Artifacts`. Files of the local folder are among them, such as those of trials that run."""
        found = dict(self._local.files())
        found |= {key.removeprefix(self._prefix): size for key, size in self._bucket.list(self._prefix)}
        yield from sorted((relative, size) for relative, size in found.items() if self.is_own(relative))

    def discard(self, relative: str) -> None:
        """See :class:`Artifacts`."""
        self._local.discard(relative)
        self._bucket.delete(self._key(relative))

    def _downloaded(self, file: RowFile, path: Path) -> bool | None:
        """Download an object to ``path``; return whether it is what was written, or ``None`` if there is no object."""

        def download() -> bool:
            self._local.prepare()
            with atomic_path(path) as temporary, temporary.open("wb") as copy:
                checksum = self._bucket.get(self._key(file.path), copy, most=file.size)
                if checksum != file.sha256:
                    raise _NotWrittenError(checksum)
            return True

        try:
            return self._retry(download)
        except _NotWrittenError as error:
            return None if error.args[0] is None else False
        except OSError as error:
            raise StorageError(f"{self.folder} cannot be written: {error.strerror}") from None

    def _key(self, relative: str) -> str:
        return self._prefix + relative

    def _shown(self, relative: str) -> str:
        return f"s3://{self._bucket.address.bucket}/{self._key(relative)}"


class _NotWrittenError(Exception):
    """An object has another checksum than the row says, or ``None``: it is missing."""
