"""Suggests commands of ``tuner``: quoted for a shell, and with the places that the running command was given."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

from tuner.printable import is_printable

Places = Callable[[str], Sequence[str]]

_places: ContextVar[Places] = ContextVar("places", default=lambda _verb: ())


def command(verb: str, *operands: object, **options: object) -> str:
    """Return a command line that works where the running command does, with its ``--home``, ``--storage`` and so on.

    Args:
        verb: The command, such as ``study start``.
        operands: Names and files.
        options: Options by name: ``trials=3`` is ``--trials 3``, ``o="x"`` is ``-o x``, and ``fix=True`` is ``--fix``.
            Without effect are ``None`` and ``False``.
    """
    return _join(verb, operands, options, _places.get()(verb))


def command_elsewhere(verb: str, *operands: object, **options: object) -> str:
    """Return a command line for another place; see :func:`command`."""
    return _join(verb, operands, options, ())


@contextmanager
def suggesting(places: Places) -> Iterator[None]:
    """Let :func:`command` add to each verb the words that ``places`` returns for it."""
    token = _places.set(places)
    try:
        yield
    finally:
        _places.reset(token)


def shell_quote(word: str) -> str:
    r"""Return a word for a shell. What cannot be shown is written as in ``$'\x1b'``, which bash and zsh understand."""
    if is_printable(word):
        return shlex.quote(word)
    return "$'" + "".join(_ansi_c(character) for character in word) + "'"


def _join(verb: str, operands: Sequence[object], options: dict[str, object], places: Sequence[str]) -> str:
    words = [word for name, value in options.items() for word in _option(name, value)]
    words += places
    names = [str(operand) for operand in operands]
    if any(name.startswith("-") for name in names):
        words += ["--", *names]
    else:
        words = names + words
    return " ".join(["tuner", verb, *map(shell_quote, words)])


def _option(name: str, value: object) -> list[str]:
    if value is None or value is False:
        return []
    option = f"-{name}" if len(name) == 1 else f"--{name.replace('_', '-')}"
    if value is True:
        return [option]
    return [f"{option}={value}"] if str(value).startswith("-") and len(name) > 1 else [option, str(value)]


def _ansi_c(character: str) -> str:
    if character in "\\'":
        return f"\\{character}"
    if is_printable(character):
        return character
    return "".join(f"\\x{byte:02x}" for byte in character.encode(errors="surrogateescape"))
