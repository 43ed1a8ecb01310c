"""Interpret database errors: decide whether a call is worth repeating, and make one line of text for people."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sqlalchemy.exc import DatabaseError, DBAPIError, InvalidRequestError, PendingRollbackError

from tuner.errors import StorageError
from tuner_storage.location import Location

BUSY_TIMEOUT = 60.0  # seconds that SQLite waits for a lock
# PostgreSQL's codes of transient errors: connection lost, serialization failure, deadlock, lock not available,
# server shuts down or starts, too many connections.
_TRANSIENT_CODES = re.compile(r"08\w{3}|40001|40P01|55P03|57P0[123]|53300")
# A failed connection has no code. These words mark errors that another try will not change.
_LASTING = re.compile(
    r"authentication|password|pg_hba|does not exist|not permitted|invalid|support SSL|certificate|startup parameter",
    re.IGNORECASE,
)
SECRET = 4  # characters; a shorter password may be part of an ordinary word
_SERVER_HINTS = (  # the first one whose pattern is found in the message
    ("support SSL", "switch on ssl on the server; in a network that you trust, end the URL with ?sslmode=prefer"),
    ("query_wait_timeout", "the pooler had no connection left: a run that starts takes three, see default_pool_size"),
    ("startup parameter", "the pooler takes no ?options=: set search_path for the role (docs/teams.md)"),
    ("statement pooling", "set pool_mode = transaction for this database"),
    ("does not match host name", "write the name that the certificate has into the URL, if it is the right server"),
    ("certificate", "name that of the authority that signed the server's: ?sslmode=verify-full&sslrootcert=FILE"),
    ("authentication|password", "check user and password of the URL; a password can also stand in ~/.pgpass"),
    ("database.*does not exist", "make it on the server: createdb NAME"),
    (
        "connection refused|timeout|unreachable|resolve|translate|no such file",
        "check host and port of the URL, and that the server runs",
    ),
)


class ArtifactsAwayError(StorageError):
    """The store of the artifacts cannot be reached or used at the moment."""


class CommitUnknownError(Exception):
    """The connection was lost during a commit, and the server did not come back in time to tell its result."""


def is_transient(error: BaseException) -> bool:
    """Return whether another try may succeed: a connection was lost, or another program held a lock."""
    for cause in _chain(error):
        if isinstance(cause, ArtifactsAwayError):
            return True
        if isinstance(cause, CommitUnknownError):
            return False
        if isinstance(cause, PendingRollbackError) or _is_after_loss(cause):
            return True  # Optuna continued with a session whose connection was lost
        if isinstance(cause, DBAPIError) and cause.orig is not None:
            return cause.connection_invalidated or _is_transient_original(cause.orig)
    return False


def explain(location: Location, error: BaseException) -> StorageError:
    """Return an error with one line of text about an error of the database, and a hint if we have one."""
    if isinstance(error, ArtifactsAwayError):
        return error
    kinds = (DBAPIError, CommitUnknownError)
    cause = next((link for link in _chain(error) if isinstance(link, kinds)), error.__cause__ or error)
    original = getattr(cause, "orig", None) or cause
    reason = _one_line(original)
    if location.url.password and len(str(location.url.password)) >= SECRET:  # a precaution: no driver shows it today
        reason = reason.replace(str(location.url.password), "***")
    if isinstance(original, CommitUnknownError):
        return StorageError(
            f"the database {location} went away in the middle of a write",
            hint="start the study again to continue it: everything written before is kept",
        )
    if "readonly" in reason or "read-only" in reason:
        hint = "you may only read it" if location.is_server else "check the permissions of the file and its folder"
        return StorageError(f"the database {location} is read-only", hint=hint)
    if "locked" in reason:
        return StorageError(
            f"the database {location} stayed locked for {BUSY_TIMEOUT:.0f} s",
            hint="another program holds it: close it, or copy the database",
        )
    if location.is_server:
        advice = _server_hint(reason)
    elif isinstance(cause, DatabaseError) and not _is_operational(cause):
        advice = "make a copy before anything else; nothing was written"
    else:
        advice = None
    return StorageError(f"the database {location} cannot be used: {reason}", hint=advice)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield the error and its causes. Our errors and Optuna's wrap SQLAlchemy's, which wrap the driver's."""
    link: BaseException | None = error
    while link is not None:
        yield link
        link = link.__cause__


def _is_after_loss(error: BaseException) -> bool:
    """Return whether an error says that the transaction of a turn was rolled back before: the connection was lost."""
    return isinstance(error, InvalidRequestError) and "closed transaction" in str(error)


def _is_transient_original(original: BaseException) -> bool:
    """Return whether an error of the driver is transient."""
    code = getattr(original, "sqlstate", None)
    if code is not None:
        return _TRANSIENT_CODES.fullmatch(code) is not None
    text = str(original)
    if type(original).__module__.startswith("sqlite3"):
        return "locked" in text or "busy" in text
    return type(original).__name__ in {"OperationalError", "ConnectionTimeout"} and not _LASTING.search(text)


def _server_hint(reason: str) -> str | None:
    return next((hint for pattern, hint in _SERVER_HINTS if re.search(pattern, reason, re.IGNORECASE)), None)


def _one_line(original: BaseException) -> str:
    """Return the first line of the driver's message. Its details and hints are on the lines below."""
    lines = [line.strip() for line in str(original).splitlines() if line.strip()]
    reason = lines[0] if lines else type(original).__name__
    return reason.removeprefix("connection failed: ")


def _is_operational(error: DatabaseError) -> bool:
    return type(error).__name__ == "OperationalError"
