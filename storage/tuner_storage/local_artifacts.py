"""Artifacts in a folder of this machine."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from tuner.files import is_whole, sha256_of
from tuner_storage.artifacts import Artifacts, RowFile
from tuner_storage.inputs import FinishedFile
from tuner_storage.private_files import make_folder


class LocalArtifacts(Artifacts):
    """See :class:`Artifacts`. A file is stored where its trainer wrote it."""

    is_shared = False

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.place = str(folder)

    def prepare(self) -> None:
        """See :class:`Artifacts`."""
        make_folder(self.folder.parent)
        make_folder(self.folder)

    def keep(self, file: FinishedFile) -> None:
        """See :class:`Artifacts`. The file is there already."""

    def path(self, file: RowFile) -> Path:
        """See :class:`Artifacts`."""
        return self._found(file.path)

    def intact(self, file: RowFile) -> Path | None:
        """See :class:`Artifacts`."""
        path = self.find(file.path)
        return path if path is not None and is_whole(path, size=file.size, sha256=file.sha256) else None

    def fault(self, file: RowFile, *, quick: bool) -> str | None:
        """See :class:`Artifacts`."""
        path = self.find(file.path)
        if path is None:
            return self._not_ours()
        try:
            size = path.stat().st_size
            if size != file.size:
                return f"has {size} bytes, {file.size} were written"
            return None if quick or sha256_of(path) == file.sha256 else "was changed (SHA-256)"
        except FileNotFoundError:
            return "is missing"
        except OSError as error:
            return f"cannot be read: {error.strerror}"

    def remove(self, relative: str) -> None:
        """See :class:`Artifacts`."""
        path = self.find(relative)
        if path is not None:
            path.unlink(missing_ok=True)

    def remove_study(self, study_id: int) -> None:
        """See :class:`Artifacts`."""
        shutil.rmtree(self._study(study_id), ignore_errors=True)

    def files(self) -> Iterator[tuple[str, int]]:
        """See :class:`Artifacts`. Links are not followed."""
        for path in sorted(self.folder.rglob("*")) if self.folder.is_dir() else ():
            relative = path.relative_to(self.folder).as_posix()
            if path.is_file() and not path.is_symlink() and self.is_own(relative):
                yield relative, path.stat().st_size

    def discard(self, relative: str) -> None:
        """See :class:`Artifacts`. Folders that are empty then go too."""
        path = self.folder / relative
        path.unlink(missing_ok=True)
        for parent in path.parents:
            if parent == self.folder or not parent.is_dir() or any(parent.iterdir()):
                return
            parent.rmdir()
