"""The one place where commands write: lines, tables and JSON on stdout, progress and errors on stderr.

Names and messages may come from a file of somebody else. So control characters are shown as escapes everywhere, and
no text is read as markup.
"""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import sys
import textwrap
from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING, Any, TextIO, cast

import click

from tuner.printable import escaped, is_printable

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.segment import Segment

PIPE_WIDTH = 140  # columns of a table if stdout is not a terminal
LINE_WIDTH = 100  # columns of a paragraph
_NO_BREAK = "\u2060"  # replaces a blank where a line must not end
_LAYOUT = "\n\t"  # the control characters that a text for people may have
_CLEAR_LINE = "\r\033[K"


class StdoutLostError(Exception):
    """A large result cannot be written to stdout, so the rest of it need not be computed."""


class _ResultStream(io.TextIOBase):
    """See :func:`result_stream`."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json

    def write(self, text: str) -> int:
        """Write the text with escapes."""
        sys.stdout.write(_json_text(text) if self._as_json else escaped(text, keep=_LAYOUT))
        if getattr(sys.stdout, "error", None) is not None:
            raise StdoutLostError
        return len(text)


def result_stream(*, as_json: bool) -> TextIO:
    """Return a text stream on stdout for a large result. Its ``write`` raises :class:`StdoutLostError`.

    Args:
        as_json: Whether the result is JSON, where a character that cannot be shown is written as in ``\\u001b``.
    """
    return cast("TextIO", _ResultStream(as_json=as_json))


def out(text: str = "", *, end: str = "\n") -> None:
    """Write a text on stdout, and end the line."""
    sys.stdout.write(escaped(text, keep=_LAYOUT) + end)
    sys.stdout.flush()


def err(text: str = "", *, style: str | None = None) -> None:
    """Write a text on stderr, and end the line.

    Args:
        text: One or more lines.
        style: A colour, which a terminal shows.
    """
    line = escaped(text, keep=_LAYOUT)
    if style is not None and sys.stderr.isatty() and not os.environ.get("NO_COLOR"):
        _unescaped(sys.stderr).write(click.style(line, fg=style) + "\n")
    else:
        sys.stderr.write(line + "\n")
    sys.stderr.flush()


def overwrite(line: str) -> None:
    """Replace the current line of the terminal on stderr."""
    _unescaped(sys.stderr).write(_CLEAR_LINE + escaped(line))
    sys.stderr.flush()


def confirm(question: str) -> None:
    """Ask a question on stderr.

    Raises:
        click.Abort: If the answer is no, or there is nobody to ask.
    """
    click.confirm(escaped(question), abort=True, err=True)


def print_json(value: object) -> None:
    """Print one JSON document on stdout."""
    sys.stdout.write(_json_text(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)) + "\n")
    sys.stdout.flush()


def print_note(line: str) -> None:
    """Print on stderr what a command assumed or changed without failing."""
    err(f"Note:  {line}")


def print_next(*commands: tuple[str, str]) -> None:
    """Print the next useful commands on stderr.

    Args:
        commands: Pairs of a command line and its purpose.
    """
    err("\nNext:")
    width = max(len(command) for command, _ in commands)
    for command, purpose in commands:
        err(f"  {command:<{width}}   {purpose}")


def print_paragraph(text: str) -> None:
    """Print a paragraph on stdout, wrapped; a command between backticks stays on one line."""
    width = min(shutil.get_terminal_size().columns, LINE_WIDTH) if sys.stdout.isatty() else LINE_WIDTH
    joined = re.sub("`[^`]*`", lambda command: command[0].replace(" ", _NO_BREAK), escaped(text))
    filled = textwrap.fill(joined, width, break_long_words=False, break_on_hyphens=False)
    out(filled.replace(_NO_BREAK, " ") + "\n")


def print_rich(renderable: RenderableType) -> None:
    """Print a rich table on stdout."""
    result_console().print(renderable)


def result_console() -> Console:
    """Return a rich console on stdout."""
    # A pipe has no width, so use one that fits every table.
    return console(width=None if sys.stdout.isatty() else PIPE_WIDTH)


def console(*, stderr: bool = False, width: int | None = None) -> Console:
    """Return a rich console that shows every text as it is."""
    return _plain_console()(file=_unescaped(sys.stderr if stderr else sys.stdout), width=width)


def _unescaped(stream: TextIO) -> TextIO:
    """Return a stream that passes on colours; a stream of :mod:`tuner.cli.streams` would escape them."""
    return cast("TextIO", getattr(stream, "unescaped", stream))


@cache
def _plain_console() -> type[Console]:
    """Return the class of our consoles. Rich is imported on first use: `tuner --help` must stay instant."""
    from rich.console import Console, ConsoleOptions
    from rich.text import Text

    class PlainConsole(Console):
        """Reads no text as markup or emoji, and shows control characters as escapes."""

        def render_str(self, text: str, **options: Any) -> Text:
            """Return the text as it is."""
            as_it_is = {"markup": False, "emoji": False, "highlight": False}
            return super().render_str(escaped(text, keep=_LAYOUT), **{**options, **as_it_is})

        def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
            """Render an object, with escapes in a styled text too."""
            if isinstance(renderable, Text) and (plain := escaped(renderable.plain, keep=_LAYOUT)) != renderable.plain:
                layout = {
                    name: getattr(renderable, name) for name in ("style", "justify", "overflow", "no_wrap", "end")
                }
                renderable = Text(plain, **layout)
            return super().render(renderable, options)

    return PlainConsole


def _json_text(text: str) -> str:
    r"""Return JSON in which each character that stdout cannot hold or show is an escape such as ``\u001b``."""
    all_characters = (sys.stdout.encoding or "ascii").lower().startswith("utf")
    if text.isascii() or all_characters:
        if escaped(text, keep="\n") == text:
            return text
        return "".join(c if c == "\n" or is_printable(c) else json.dumps(c)[1:-1] for c in text)
    return "".join(c if c == "\n" or (c.isascii() and is_printable(c)) else json.dumps(c)[1:-1] for c in text)
