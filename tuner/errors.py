"""The errors that a user can cause or meet: each kind has an exit code, each error a message and a hint."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class TunerError(Exception):
    """An error that one line explains, without a traceback. The base class of all errors of this package.

    Args:
        message: One line that says what is wrong, with the value.
        hint: One line that says what to do.
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class RunError(TunerError):
    """A valid request failed while it was carried out (exit code 1)."""


class StudyChangedError(RunError):
    """Another program changed the study while it ran (exit code 1)."""


class UsageError(TunerError):
    """A request names something that does not exist, or that cannot be done (exit code 2)."""

    exit_code = 2


class RecipeError(UsageError):
    """A recipe, a search space or a setting is wrong (exit code 2)."""


class DataError(UsageError):
    """A data set is missing, malformed or does not fit (exit code 2)."""


class StorageError(TunerError):
    """The database or the artifacts cannot be used (exit code 3)."""

    exit_code = 3


def did_you_mean(wrong: str, names: Iterable[str]) -> str | None:
    """Return a hint for a misspelt name.

    Returns:
        ``did you mean 'x'?`` with the most similar of ``names``; all names if none is similar; ``None`` if there are
        no names.
    """
    candidates = sorted(names)
    similar = difflib.get_close_matches(wrong, candidates, n=1, cutoff=0.5)
    if similar:
        return f"did you mean '{similar[0]}'?"
    return f"choose one of: {', '.join(candidates)}" if candidates else None
