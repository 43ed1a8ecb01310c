"""Finds and escapes characters that a terminal would obey instead of showing them."""

from __future__ import annotations

import unicodedata

from tuner.errors import TunerError

# Controls, invisible formats such as a change of the writing direction, lone surrogates, and separators of lines.
_UNPRINTABLE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_JOINERS = "\u200c\u200d"  # Persian and Hindi words and joined emoji need them
_BYTES = range(0xDC80, 0xDD00)  # bytes of a file name or an argument that are not UTF-8, as Python holds them


def is_printable(text: str) -> bool:
    """Return whether the text is one line that a terminal shows without obeying any of it."""
    return text.isprintable() or not any(map(_is_unprintable, text))


def escaped(text: str, *, keep: str = "") -> str:
    r"""Return the text with each unprintable character as an escape such as ``\x1b``, except those in ``keep``."""
    if text.isprintable():
        return text
    return "".join(
        _escape(character) if _is_unprintable(character) and character not in keep else character for character in text
    )


def check_printable(text: str, what: str, error: type[TunerError]) -> str:
    """Return a name if it is printable.

    Args:
        text: The name.
        what: What has this name, for the message.
        error: The class of the error to raise.

    Raises:
        TunerError: If the name has a line break, a control character or invalid text; of the class ``error``.
    """
    if is_printable(text):
        return text
    raise error(
        f"{what} must be one line of printable text, got '{escaped(text)}'",
        hint="remove line breaks, control characters and bytes that are not UTF-8",
    )


def _is_unprintable(character: str) -> bool:
    return unicodedata.category(character) in _UNPRINTABLE and character not in _JOINERS


def _escape(character: str) -> str:
    if ord(character) in _BYTES:
        return f"\\x{ord(character) - 0xDC00:02x}"
    return repr(character)[1:-1]
