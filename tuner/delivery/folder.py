"""The folder of an export: checks what may be replaced, and renames the complete folder into place."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tuner.delivery.checked_files import LARGEST, files_in
from tuner.delivery.manifest import MANIFEST, MODEL_CARD
from tuner.documents import parse_json
from tuner.errors import DataError, UsageError
from tuner.memory import read_text


def check_target(folder: Path, *, force: bool) -> None:
    """Check that an export may be written to ``folder``: it is new, empty or, with ``force``, an export.

    Raises:
        UsageError: If the folder must not be replaced.
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
    exported = _exported_files(folder)
    if exported is None:
        raise UsageError(
            f"{folder} is not an exported model: it has no {MANIFEST}", hint="--force replaces exported models only"
        )
    if surplus := sorted(set(files_in(folder)) - exported):
        raise UsageError(
            f"{folder} holds files that are not part of the exported model: {', '.join(surplus[:3])}",
            hint="move them away: --force replaces the whole folder",
        )


@contextmanager
def staging_folder(folder: Path) -> Iterator[Path]:
    """Yield a new folder on the same disk, to be renamed to ``folder``; on any error, it is removed."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    staging = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}.tmp")
    staging.mkdir()
    try:
        yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def publish(staging: Path, folder: Path, *, force: bool) -> None:
    """Rename the complete folder to its final name. An older export is replaced, and restored if the rename fails.

    Raises:
        OSError: If the rename fails, or another program has written to the folder in the meantime.
    """
    for name in files_in(staging):
        with (staging / name).open("rb") as file:
            os.fsync(file.fileno())
    if not folder.exists():
        staging.rename(folder)
        return
    if not force:
        folder.rmdir()  # fails unless it is still empty
        staging.rename(folder)
        return
    old = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}.old")
    folder.rename(old)
    try:
        staging.rename(folder)
    except OSError:
        old.rename(folder)
        raise
    shutil.rmtree(old, ignore_errors=True)  # the new export is in place already


def _exported_files(folder: Path) -> set[str] | None:
    """Return the files that the manifest names, or ``None`` if there is no manifest. The files need not be intact."""
    try:
        raw = parse_json(read_text(folder / MANIFEST, LARGEST))
        return {MANIFEST, MODEL_CARD, *raw["files"]} if "manifest_version" in raw else None
    except (OSError, ValueError, TypeError, KeyError, DataError):
        return None
