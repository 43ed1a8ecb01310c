"""The folder of artifacts. A study's folder is named after its id, because its name may hold slashes or emoji."""

from __future__ import annotations

import shutil
import uuid
from pathlib import Path


class Artifacts:
    """Paths of artifacts in one folder. Rows in the database hold them relative to the folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def model_path(self, study_id: int, number: int, attempt: int = 0) -> Path:
        """Return the path for the model of an attempt at a trial. The folder may not exist yet.

        Each attempt has a file of its own: if a run was taken over while it was asleep, its trainers may still write.
        """
        suffix = f".attempt-{attempt}" if attempt else ""
        return self._study(study_id).absolute() / f"trial-{number:05d}{suffix}.keras"

    def refit_path(self, study_id: int, number: int) -> Path:
        """Return a new path for a refit of trial ``number``, so that a refit never overwrites an earlier one."""
        return self._study(study_id).absolute() / f"refit-trial-{number:05d}.{uuid.uuid4().hex[:8]}.keras"

    def relative(self, path: Path) -> str:
        """Return ``path`` relative to the folder, as rows hold it."""
        return path.relative_to(self.folder.absolute()).as_posix()

    def path(self, relative: str) -> Path:
        """Return the absolute path for the relative path in a row."""
        return self.folder.absolute() / relative

    def remove(self, relative: str) -> None:
        """Remove one file, if it exists."""
        self.path(relative).unlink(missing_ok=True)

    def remove_study(self, study_id: int) -> None:
        """Remove all artifacts of a study."""
        shutil.rmtree(self._study(study_id), ignore_errors=True)

    def _study(self, study_id: int) -> Path:
        return self.folder / f"study-{study_id:05d}"
