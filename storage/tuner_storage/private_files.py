"""Creates the home folder, the database and the artifact folder so that only their owner can read them.

A folder that exists already keeps its mode. If it belongs to a group whose members share it (``chmod g+ws``), the
group gets what the umask allows.
"""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

from tuner.errors import StorageError
from tuner_storage.location import Location

_SHARED = stat.S_ISGID | stat.S_IWGRP


def make_folder(folder: Path) -> None:
    """Create a folder, if it does not exist. The folders above it follow the umask, because they are not ours alone.

    Raises:
        StorageError: If it cannot be made.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o777 if _is_shared(folder.parent) else 0o700, exist_ok=True)
    except OSError as error:
        raise StorageError(
            f"the folder {folder} cannot be made: {error.strerror}", hint="name another with --home FOLDER"
        ) from None


def make_file(location: Location) -> None:
    """Create the file of an SQLite database, empty, if it does not exist. SQLite gives its log the same mode.

    Raises:
        StorageError: If it cannot be made, or is a link. SQLite would create the database where the link leads.
    """
    if location.file.is_symlink():
        raise StorageError(
            f"{location} is a link to {location.file.readlink()}, where there is no study",
            hint="remove the link, or name the other file with --storage",
        )
    mode = 0o660 if _is_shared(location.file.parent) else 0o600
    try:
        with contextlib.suppress(FileExistsError):
            os.close(os.open(location.file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode))
    except OSError as error:
        raise StorageError(
            f"the database {location} cannot be made: {error.strerror}", hint="name another folder with --home FOLDER"
        ) from None


def _is_shared(folder: Path) -> bool:
    """Whether a group shares a folder: its members may write, and new files belong to the group."""
    return folder.stat().st_mode & _SHARED == _SHARED
