"""What an error of a database means: whether it passes by itself, and what a person is told in one line."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sqlalchemy.exc import DatabaseError, DBAPIError, PendingRollbackError

from storage.location import Location
from tuner.errors import StorageError

BUSY_TIMEOUT = 60.0  # seconds that SQLite waits for a lock
# Errors of PostgreSQL that another try may not meet again: connection lost, serialization, deadlock, lock not
# available, server stops or starts, too many connections.
_PASSING_CODES = re.compile(r"08\w{3}|40001|40P01|55P03|57P0[123]|53300")
# A connection that cannot be made has no code. What stays wrong:
_LASTING = re.compile(r"authentication|password|pg_hba|does not exist|not permitted|invalid", re.IGNORECASE)
_SECRET = 4  # characters; a shorter password is a part of words
_UNREACHABLE = re.compile(r"connection refused|timeout|unreachable|resolve|translate|no such file", re.IGNORECASE)


class CommitUnknownError(Exception):
    """The connection was lost during a commit, and the server did not come back to say whether it happened."""


def is_transient(error: BaseException) -> bool:
    """Tell whether trying again may help: the connection was lost, or somebody else held a lock."""
    for each in _chain(error):
        if isinstance(each, CommitUnknownError):
            return False
        if isinstance(each, PendingRollbackError):
            return True  # Optuna went on with a session whose connection was lost
        if isinstance(each, DBAPIError) and each.orig is not None:
            return each.connection_invalidated or _passes(each.orig)
    return False


def explain(location: Location, error: BaseException) -> StorageError:
    """Return what a person is told about an error of the database."""
    kinds = (DBAPIError, CommitUnknownError)
    cause = next((each for each in _chain(error) if isinstance(each, kinds)), error.__cause__ or error)
    original = getattr(cause, "orig", None) or cause
    reason = _one_line(original)
    if location.url.password and len(str(location.url.password)) >= _SECRET:  # no driver shows it today
        reason = reason.replace(str(location.url.password), "***")
    if isinstance(original, CommitUnknownError):
        return StorageError(
            f"the database {location} went away in the middle of a write",
            hint="start the study again to go on: what was written is kept",
        )
    if "readonly" in reason or "read-only" in reason:
        where = "you may only read it" if location.is_server else "check the permissions of the file and its folder"
        return StorageError(f"the database {location} is read-only", hint=where)
    if "locked" in reason:
        return StorageError(
            f"the database {location} stayed locked for {BUSY_TIMEOUT:.0f} s",
            hint="another program holds it: close it, or copy the database",
        )
    hint = _server_hint(reason) if location.is_server else None
    if hint is None and isinstance(cause, DatabaseError) and not location.is_server and not _is_operational(cause):
        hint = "make a copy before anything else; nothing was written"
    return StorageError(f"the database {location} cannot be used: {reason}", hint=hint)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield the error and what caused it: ours and Optuna's wrap SQLAlchemy's, which wrap the driver's."""
    following: BaseException | None = error
    while following is not None:
        yield following
        following = following.__cause__


def _passes(original: BaseException) -> bool:
    code = getattr(original, "sqlstate", None)
    if code is not None:
        return _PASSING_CODES.fullmatch(code) is not None
    text = str(original)
    if type(original).__module__.startswith("sqlite3"):
        return "locked" in text or "busy" in text
    return type(original).__name__ in {"OperationalError", "ConnectionTimeout"} and not _LASTING.search(text)


def _server_hint(reason: str) -> str | None:
    if "authentication" in reason or "password" in reason:
        return "check user and password of the URL; a password can also stand in ~/.pgpass"
    if "does not exist" in reason and "database" in reason:
        return "make it on the server: createdb NAME"
    if _UNREACHABLE.search(reason):
        return "check host and port of the URL, and that the server runs"
    return None


def _one_line(original: BaseException) -> str:
    """Return the first line; details and hints of the driver follow it."""
    lines = [line.strip() for line in str(original).splitlines() if line.strip()]
    reason = lines[0] if lines else type(original).__name__
    return reason.removeprefix("connection failed: ")


def _is_operational(error: DatabaseError) -> bool:
    return type(error).__name__ == "OperationalError"
