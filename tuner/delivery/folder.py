"""The folder of a bundle: what may be replaced, where it is prepared, and how it comes into place in one step."""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tuner.delivery.manifest import MANIFEST, files_in
from tuner.errors import UsageError


def check_target(folder: Path, *, force: bool) -> None:
    """Refuse to touch anything but a new name, an empty folder or, with ``force``, a bundle.

    Raises:
        UsageError: If the folder has to stay as it is.
    """
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file, not a folder", hint="choose another -o FOLDER")
    if Path.cwd().is_relative_to(folder):
        raise UsageError(f"{folder} holds the current directory", hint="choose a folder of its own, e.g. -o model")
    if not folder.is_dir() or not any(folder.iterdir()):
        return
    if not force:
        raise UsageError(
            f"{folder} exists and is not empty", hint="use --force to replace it, or choose another folder"
        )
    listed = _listed_files(folder)
    if listed is None:
        raise UsageError(
            f"{folder} is no exported model: it has no {MANIFEST}", hint="--force replaces exported models only"
        )
    if surplus := sorted(set(files_in(folder)) - listed):
        raise UsageError(
            f"{folder} holds files that are not part of the exported model: {', '.join(surplus[:3])}",
            hint="move them away: --force replaces the whole folder",
        )


@contextmanager
def staging_folder(folder: Path) -> Iterator[Path]:
    """Yield a new folder beside the final one, so that a rename puts it into place; removed on any error."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    staging = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}.tmp")
    staging.mkdir()
    try:
        yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def publish(staging: Path, folder: Path, *, force: bool) -> None:
    """Rename the complete folder into place; an older bundle leaves only now, and comes back if that fails.

    Raises:
        OSError: If the disk refuses, or the folder was filled by another program in the meantime.
    """
    for name in files_in(staging):
        with (staging / name).open("rb") as file:
            os.fsync(file.fileno())
    if not folder.exists():
        staging.rename(folder)
        return
    if not force:
        folder.rmdir()  # refuses unless it is still empty
        staging.rename(folder)
        return
    old = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}.old")
    folder.rename(old)
    try:
        staging.rename(folder)
    except OSError:
        old.rename(folder)
        raise
    shutil.rmtree(old, ignore_errors=True)  # the new bundle is complete already


def _listed_files(folder: Path) -> set[str] | None:
    """Return the names that belong to a bundle, even a damaged one, or ``None`` where there is no bundle."""
    try:
        raw = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        return {MANIFEST, *raw["files"]} if "manifest_version" in raw else None
    except (OSError, ValueError, TypeError, KeyError):
        return None
