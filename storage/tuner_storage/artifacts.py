"""The interface of artifact stores: models, refits and checkpoints under names that rows of the database hold.

A study's folder is named after its id, because its name may hold slashes or emoji.
"""

from __future__ import annotations

import re
import uuid
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from tuner.command_line import command
from tuner.errors import StorageError
from tuner_storage.inputs import FinishedFile

_MODEL = r"trial-\d{5,}(?:\.attempt-\d+|\.[0-9a-f]{8})?"
# The names that this class gives to files, and tuner.jobs.TrialJob to checkpoints. Rows name no other file.
_OWN = re.compile(
    rf"study-(?P<study>\d{{5,}})/(?:{_MODEL}\.keras|refit-trial-\d{{5,}}\.[0-9a-f]{{8}}\.keras|{_MODEL}\.after-\d{{5,}}\.npz)",
    re.ASCII,
)
# What a crash leaves: the temporary files of tuner.files.atomic_path, and the files of an unfinished import.
_UNFINISHED = re.compile(
    r"(?:study-(?P<study>\d{5,})/)?\.[^/]*\.[0-9a-f]+\.tmp[^/]*"
    r"|\.import-[0-9a-f]{32}/models/(?:\.[^/]*\.tmp[^/]*|trial-\d{5,}\.keras|refit\.keras)",
    re.ASCII,
)


class RowFile(Protocol):
    """A file as a row of the database describes it."""

    @property
    def path(self) -> str:
        """The name, relative to the artifact store. Another program may have written the row."""

    @property
    def sha256(self) -> str:
        """The SHA-256 checksum in hexadecimal."""

    @property
    def size(self) -> int:
        """The size in bytes."""


class Artifacts(ABC):
    """Artifacts of one database. Trainers write files into ``folder``; rows hold their paths relative to it.

    Another program may have written the rows, and put links into the folder. So a path of a row is used only if it has
    a name that we give to files, and leads through no link below the folder.

    Args:
        folder: The folder of the files on this machine.

    Attributes:
        folder: The folder.
        place: Where the artifacts are kept, for messages.
        is_shared: Whether several machines use the same artifacts. Otherwise, another machine has other files.
    """

    place: str
    is_shared: bool

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @abstractmethod
    def prepare(self) -> None:
        """Make sure that artifacts can be written, before a run or an import.

        Raises:
            StorageError: If they cannot.
        """

    @abstractmethod
    def keep(self, file: FinishedFile) -> None:
        """Store a complete file in ``folder`` under its relative path. Must be called before its row is written.

        Raises:
            StorageError: If it cannot be stored.
        """

    @abstractmethod
    def path(self, file: RowFile) -> Path:
        """Return the local path of a row's file. The file may be missing or damaged: whoever loads it compares it.

        Raises:
            StorageError: If we wrote no such path, or the store cannot be read.
        """

    @abstractmethod
    def intact(self, file: RowFile) -> Path | None:
        """Return the local path of a row's file; ``None`` if it is missing, or its size or checksum is another.

        Raises:
            StorageError: If the store cannot be read.
        """

    @abstractmethod
    def fault(self, file: RowFile, *, quick: bool) -> str | None:
        """Describe what is wrong with a row's file in the store, such as ``is missing``; ``None`` if nothing is.

        Args:
            file: The file.
            quick: Compare the size only, not the checksum.

        Raises:
            StorageError: If the store cannot be read.
        """

    @abstractmethod
    def remove(self, relative: str) -> None:
        """Remove the file of a row, if it exists. Nothing is removed for a path that we did not write.

        A file that cannot be removed stays, for `tuner doctor` to find: its row is gone, and no trial fails for it.
        """

    @abstractmethod
    def remove_study(self, study_id: int) -> None:
        """Remove all artifacts of a study. If its folder is a link, nothing is removed.

        Raises:
            StorageError: If the store cannot be reached.
        """

    @abstractmethod
    def files(self) -> Iterator[tuple[str, int]]:
        """Yield relative path and size in bytes of every file that tuner wrote, sorted. Others are the user's.

        Raises:
            StorageError: If the store cannot be read.
        """

    @abstractmethod
    def discard(self, relative: str) -> None:
        """Remove a file that :meth:`files` yielded, if it still exists.

        Raises:
            OSError, StorageError: If it cannot be removed.
        """

    def model_path(self, study_id: int, number: int, attempt: int = 0) -> Path:
        """Return the path for the model of an attempt at a trial. The folder may not exist yet.

        Each attempt has a file of its own: if a run was taken over while it was asleep, its trainers may still write.
        """
        suffix = f".attempt-{attempt}" if attempt else ""
        return self.new_in(study_id) / f"trial-{number:05d}{suffix}.keras"

    def refit_path(self, study_id: int, number: int) -> Path:
        """Return a new path for a refit of trial ``number``, so that a refit never overwrites an earlier one."""
        return self.new_in(study_id) / f"refit-trial-{number:05d}.{uuid.uuid4().hex[:8]}.keras"

    def restored_path(self, study_id: int, number: int) -> Path:
        """Return a new path for a model of trial ``number`` that was trained again."""
        return self.new_in(study_id) / f"trial-{number:05d}.{uuid.uuid4().hex[:8]}.keras"

    def relative(self, path: Path) -> str:
        """Return ``path`` relative to the folder, as rows hold it."""
        return path.relative_to(self.folder.absolute()).as_posix()

    def find(self, relative: object) -> Path | None:
        """Return the absolute path in ``folder`` for the path in a row, or ``None`` if we wrote no such path.

        Args:
            relative: The value in the row. SQLite stores values of any type in any column.
        """
        if not isinstance(relative, str) or not _OWN.fullmatch(relative):
            return None
        path = self.folder.absolute() / relative
        return path if path.resolve() == self.folder.resolve() / relative else None

    @staticmethod
    def is_own(relative: str) -> bool:
        """Return whether a file has a name that we give to files, complete or not. Others belong to the user."""
        return bool(_OWN.fullmatch(relative) or _UNFINISHED.fullmatch(relative))

    @staticmethod
    def study_of(relative: str) -> int | None:
        """Return the id of the study that a file belongs to, or ``None`` for a file outside the studies' folders."""
        match = _OWN.fullmatch(relative) or _UNFINISHED.fullmatch(relative)
        return int(match["study"]) if match and match["study"] else None

    def _found(self, relative: str) -> Path:
        """Return the absolute path in ``folder`` for the path in a row.

        Raises:
            StorageError: If we wrote no such path.
        """
        path = self.find(relative)
        if path is None:
            raise StorageError(
                f"the database names a file that is not a model of tuner in {self.folder}: {relative!r}",
                hint=f"it is not opened; see all such rows: {command('doctor')}",
            )
        return path

    def _not_ours(self) -> str:
        """Return the fault of a row whose path we did not write."""
        return f"is no file that tuner wrote in {self.folder}, so it is neither opened nor removed"

    def new_in(self, study_id: int) -> Path:
        """Return the absolute path of a study's folder, in which a file will be written.

        Raises:
            StorageError: If it is a link, because the file would be written elsewhere.
        """
        folder = self._study(study_id).absolute()
        if folder.is_symlink():
            raise StorageError(f"{folder} is a link", hint="remove it: models are written to a folder of their own")
        return folder

    def _study(self, study_id: int) -> Path:
        return self.folder / f"study-{study_id:05d}"
