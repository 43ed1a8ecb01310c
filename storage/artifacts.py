"""The folder of kept models. Study names never become paths: they may hold slashes, quotes or emoji."""

from __future__ import annotations

import shutil
import uuid
from pathlib import Path


class Artifacts:
    """Paths below one folder; rows in the database hold them relative to it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def model_path(self, study_id: int, number: int, attempt: int = 0) -> Path:
        """Where the model of an attempt at a trial goes; the folder may not exist yet.

        No two attempts share a file: the trainers of a run that was taken over in its sleep may finish theirs.
        """
        again = f".attempt-{attempt}" if attempt else ""
        return self._study(study_id).absolute() / f"trial-{number:05d}{again}.keras"

    def refit_path(self, study_id: int, number: int) -> Path:
        """Where a refit of trial ``number`` goes: each time elsewhere, so that none is written over one that counts."""
        return self._study(study_id).absolute() / f"refit-trial-{number:05d}.{uuid.uuid4().hex[:8]}.keras"

    def relative(self, path: Path) -> str:
        """Return ``path`` as a row holds it."""
        return path.relative_to(self.folder.absolute()).as_posix()

    def path(self, relative: str) -> Path:
        """Return the absolute path of what a row holds."""
        return self.folder.absolute() / relative

    def remove(self, relative: str) -> None:
        """Remove one model; one that is gone already is fine."""
        self.path(relative).unlink(missing_ok=True)

    def remove_study(self, study_id: int) -> None:
        """Remove every model of a study."""
        shutil.rmtree(self._study(study_id), ignore_errors=True)

    def _study(self, study_id: int) -> Path:
        return self.folder / f"study-{study_id:05d}"
