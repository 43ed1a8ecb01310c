"""Where log records and warnings go: ours to stderr, with ``--debug`` all of them, with ``--log-file`` into a file."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tuner.cli.output import err
from tuner.errors import UsageError
from tuner.printable import escaped

_OURS = ("tuner", "tuner_storage")
_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_TIME = "%Y-%m-%dT%H:%M:%S%z"


@contextmanager
def logging_to(file: Path | None, *, debug: bool) -> Iterator[None]:
    """Handle the log records and the warnings of this process inside the block.

    Args:
        file: The file to which all records are appended, with tracebacks.
        debug: Whether stderr shows all records with tracebacks, instead of our own warnings as one line each.

    Raises:
        UsageError: If the file cannot be written.
    """
    with ExitStack() as stack:
        for name in _OURS:
            stack.callback(logging.getLogger(name).setLevel, logging.getLogger(name).level)
            logging.getLogger(name).setLevel(logging.DEBUG if debug or file is not None else logging.WARNING)
        _add(stack, _DebugHandler() if debug else _WarningHandler())
        if file is not None:
            _add(stack, _open(file))
        # A warning of a library is of use to us, and not to the user, who cannot act on it.
        logging.captureWarnings(capture=True)
        stack.callback(logging.captureWarnings, capture=False)
        stack.callback(setattr, logging, "raiseExceptions", logging.raiseExceptions)
        logging.raiseExceptions = False  # a log file on a full disk must not disturb the run
        yield


class _PlainFormatter(logging.Formatter):
    """Escapes control characters, as a log file is read in a terminal. Only a traceback has several lines."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the name in the standard library
        return escaped(super().formatMessage(record))

    def format(self, record: logging.LogRecord) -> str:
        return escaped(super().format(record), keep="\n\t")


class _WarningHandler(logging.Handler):
    """Shows our own warnings without their tracebacks."""

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno >= logging.WARNING and record.name.partition(".")[0] in _OURS:
            err(escaped(record.getMessage()))


class _DebugHandler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        err(self.format(record))


def _open(file: Path) -> logging.Handler:
    try:
        return logging.FileHandler(file, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise UsageError(
            f"the log file {file} cannot be written: {error.strerror or error}", hint="name a file in a folder of yours"
        ) from error


def _add(stack: ExitStack, handler: logging.Handler) -> None:
    """Add a handler to the root logger until the end of the block."""
    handler.setFormatter(_PlainFormatter(_FORMAT, _TIME))
    logging.getLogger().addHandler(handler)
    stack.callback(handler.close)
    stack.callback(logging.getLogger().removeHandler, handler)
