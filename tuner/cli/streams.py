"""Standard streams that may be closed, full, without a reader, or of an encoding that cannot hold every character."""

from __future__ import annotations

import codecs
import contextlib
import io
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO, cast

from tuner.printable import escaped

# What is written instead of our own characters to a stream that cannot hold them. Other characters become escapes.
_LOOKALIKES = dict(zip("█▁▂▃▄▅▆▇·…±", (*"#__..--=.", "...", "+-"), strict=True))
_ERRORS = "tuner.lookalike"
_LAYOUT = "\n\t"  # the control characters that a text may have


class GuardedStream:
    """A stream that escapes control characters, and discards what cannot be written: a run outlives its terminal.

    Any other attribute is that of the stream itself.

    Attributes:
        error: The first error of writing; ``None`` if there was none. After it, everything is discarded.
        used: Whether anything was written.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.error: OSError | None = None
        self.used = False

    @property
    def unescaped(self) -> _Unescaped:
        """The same stream for text that has been escaped already, and that moves the cursor or sets colours."""
        return _Unescaped(self)

    @property
    def buffer(self) -> _Bytes:
        """The same stream for bytes."""
        return _Bytes(self)

    def write(self, text: str) -> int:
        """Write the text with escapes, or discard it."""
        self.pass_on("\r\n".join(escaped(lines, keep=_LAYOUT) for lines in text.split("\r\n")))  # CSV ends lines so
        return len(text)

    def pass_on(self, text: str | bytes) -> None:
        """Write the text or the bytes as they are, or discard them."""
        self.used = self.used or bool(text)
        self._attempt(lambda: self._stream.write(text) if isinstance(text, str) else self._stream.buffer.write(text))

    def writelines(self, lines: list[str]) -> None:
        """Write the lines, or discard them."""
        self.write("".join(lines))

    def flush(self) -> None:
        """Flush the stream, or discard what it holds."""
        self._attempt(self._stream.flush)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _attempt(self, action: Callable[[], object]) -> None:
        if self.error is not None:
            return
        try:
            action()
        except OSError as error:
            self.error = error
            _discard(self._stream)


class _Unescaped:
    def __init__(self, guard: GuardedStream) -> None:
        self._guard = guard

    def write(self, text: str) -> int:
        self._guard.pass_on(text)
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._guard, name)


class _Bytes:
    def __init__(self, guard: GuardedStream) -> None:
        self._guard = guard

    def write(self, data: bytes) -> int:
        self._guard.flush()
        self._guard.pass_on(data)
        return len(data)

    def flush(self) -> None:
        self._guard.flush()


@contextmanager
def guarded_streams() -> Iterator[GuardedStream]:
    """Guard ``sys.stdout`` and ``sys.stderr`` inside the block, and yield the guard of stdout."""
    _open_missing()
    before = sys.stdout, sys.stderr
    for stream in before:
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_ERRORS)
    guard = GuardedStream(sys.stdout)
    sys.stdout, sys.stderr = cast("TextIO", guard), cast("TextIO", GuardedStream(sys.stderr))
    try:
        yield guard
    finally:
        sys.stdout, sys.stderr = before


def _open_missing() -> None:
    """Open the null device in the place of each closed standard stream.

    Otherwise the next file that is opened, such as the database, would get the number of the stream, and a library
    that prints would write into it.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            _redirect_to_null(descriptor)
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115 - lives as long as the process


def _discard(stream: TextIO) -> None:
    """Let all output of a stream go nowhere, also what its buffer holds: Python would report it again at the end."""
    with contextlib.suppress(OSError, ValueError):  # a stream of a test has no descriptor
        _redirect_to_null(stream.fileno())


def _redirect_to_null(descriptor: int) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    if null != descriptor:
        os.dup2(null, descriptor)
        os.close(null)


def _lookalike(error: UnicodeError) -> tuple[str, int]:
    r"""Return what is written instead of characters that an encoding does not have, such as ``#`` or ``\xe9``."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    return "".join(_LOOKALIKES.get(c) or c.encode("ascii", "backslashreplace").decode() for c in text), error.end


codecs.register_error(_ERRORS, _lookalike)
