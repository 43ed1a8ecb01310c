"""Paths as users write them: text or path objects, in which ``~`` stands for the home folder."""

from __future__ import annotations

import os
from pathlib import Path

from tuner.errors import UsageError

StrPath = str | os.PathLike[str]


def user_path(path: StrPath) -> Path:
    """Return a path that a user gave. ``~`` or ``~NAME`` at its beginning becomes the home folder of the user.

    A shell does this for most arguments, but not for ``--home=~/runs``, variables, files and Python.

    Raises:
        UsageError: If the user has no home folder, or there is no user NAME.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise UsageError(
            f"{path} begins with a home folder that does not exist", hint="write the whole path, or ./~ for a folder ~"
        ) from None
