"""What can go wrong, each kind with the exit code of the command and a hint for the person in front of it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class TunerError(Exception):
    """A failure that is explained in one line and needs no traceback.

    Args:
        message: One line that names what was wrong, with the value seen.
        hint: One line that says what to do about it.
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class RunError(TunerError):
    """The work was asked for correctly and failed all the same (exit code 1)."""


class UsageError(TunerError):
    """What was asked for does not exist or cannot be done (exit code 2)."""

    exit_code = 2


class RecipeError(UsageError):
    """A recipe, a search space or a setting is wrong (exit code 2)."""


class DataError(UsageError):
    """A data set is missing, malformed or does not fit (exit code 2)."""


class StorageError(TunerError):
    """The database or the artifact folder cannot be used (exit code 3)."""

    exit_code = 3


def did_you_mean(wrong: str, known: Iterable[str]) -> str | None:
    """Return ``did you mean 'x'?`` for the nearest of ``known``, or the whole list where none is near."""
    names = sorted(known)
    near = difflib.get_close_matches(wrong, names, n=1, cutoff=0.5)
    if near:
        return f"did you mean '{near[0]}'?"
    return f"known: {', '.join(names)}" if names else None
