"""The folder of artifacts. A study's folder is named after its id, because its name may hold slashes or emoji."""

from __future__ import annotations

import re
import shutil
import uuid
from pathlib import Path

from tuner.command_line import command
from tuner.errors import StorageError
from tuner.files import is_whole

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


class Artifacts:
    """Paths of artifacts in one folder. Rows in the database hold them relative to the folder.

    Another program may have written the rows, and put links into the folder. So a path of a row is used only if it has
    a name that we give to files, and leads through no link below the folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def model_path(self, study_id: int, number: int, attempt: int = 0) -> Path:
        """Return the path for the model of an attempt at a trial. The folder may not exist yet.

        Each attempt has a file of its own: if a run was taken over while it was asleep, its trainers may still write.
        """
        suffix = f".attempt-{attempt}" if attempt else ""
        return self._new_in(study_id) / f"trial-{number:05d}{suffix}.keras"

    def refit_path(self, study_id: int, number: int) -> Path:
        """Return a new path for a refit of trial ``number``, so that a refit never overwrites an earlier one."""
        return self._new_in(study_id) / f"refit-trial-{number:05d}.{uuid.uuid4().hex[:8]}.keras"

    def restored_path(self, study_id: int, number: int) -> Path:
        """Return a new path for a model of trial ``number`` that was trained again."""
        return self._new_in(study_id) / f"trial-{number:05d}.{uuid.uuid4().hex[:8]}.keras"

    def relative(self, path: Path) -> str:
        """Return ``path`` relative to the folder, as rows hold it."""
        return path.relative_to(self.folder.absolute()).as_posix()

    def find(self, relative: object) -> Path | None:
        """Return the absolute path for the path in a row, or ``None`` if we wrote no such path.

        Args:
            relative: The value in the row. SQLite stores values of any type in any column.
        """
        if not isinstance(relative, str) or not _OWN.fullmatch(relative):
            return None
        path = self.folder.absolute() / relative
        return path if path.resolve() == self.folder.resolve() / relative else None

    def path(self, relative: str) -> Path:
        """Return the absolute path for the path in a row. The file may not exist.

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

    def is_whole(self, relative: str, *, size: int, sha256: str) -> bool:
        """Return whether a row's file can be read and has the row's size in bytes and checksum."""
        path = self.find(relative)
        return path is not None and is_whole(path, size=size, sha256=sha256)

    def remove(self, relative: str) -> None:
        """Remove the file of a row, if it exists. Nothing is removed for a path that we did not write."""
        path = self.find(relative)
        if path is not None:
            path.unlink(missing_ok=True)

    def remove_study(self, study_id: int) -> None:
        """Remove all artifacts of a study. If its folder is a link, nothing is removed."""
        shutil.rmtree(self._study(study_id), ignore_errors=True)

    @staticmethod
    def is_own(relative: str) -> bool:
        """Return whether a file has a name that we give to files, complete or not. Others belong to the user."""
        return bool(_OWN.fullmatch(relative) or _UNFINISHED.fullmatch(relative))

    @staticmethod
    def study_of(relative: str) -> int | None:
        """Return the id of the study that a file belongs to, or ``None`` for a file outside the studies' folders."""
        match = _OWN.fullmatch(relative) or _UNFINISHED.fullmatch(relative)
        return int(match["study"]) if match and match["study"] else None

    def _new_in(self, study_id: int) -> Path:
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
