"""Parses JSON and TOML that anybody may have written: limited in depth and in the number of values.

Without limits, a few kilobytes could fill the memory, and whatever walks a deeply nested result ends in a
``RecursionError``.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable
from typing import Any

DEEPEST = 50  # levels of objects and lists
WIDEST = 100_000  # members of one object
VALUES = 6_000_000  # of a whole document
_PER_CONTAINER = 4  # an object or list takes as much memory as a few numbers
_LONGEST_KEY = 32  # parts of a dotted key of TOML: tomllib takes time and memory that grow with the square
_DOTTED = re.compile(
    rf"""(?<![\w-])(?:(?:"(?:[^"\\\n]|\\.)*"|'[^'\n]*'|[\w-]+)[ \t]*\.[ \t]*){{{_LONGEST_KEY}}}""", re.ASCII
)


def parse_json(
    text: bytes | str,
    *,
    object_hook: Callable[[dict[str, Any]], Any] | None = None,
    parse_constant: Callable[[str], Any] | None = None,
) -> Any:
    """Return what a JSON document says.

    Args:
        text: The document. Bytes are UTF-8.
        object_hook: As for :func:`json.loads`.
        parse_constant: As for :func:`json.loads`. Without it, NaN and infinities are read, which are not JSON.

    Raises:
        ValueError: If it is not JSON, or is beyond a limit.
    """
    check_size(text)
    try:
        value = json.loads(text, object_hook=object_hook, parse_constant=parse_constant)
    except RecursionError:
        raise _too_deep() from None
    _check_shape(value)
    return value


def parse_toml(text: str) -> dict[str, Any]:
    """Return what a TOML document says.

    Raises:
        ValueError: If it is not TOML, or is beyond a limit.
    """
    check_size(text)
    if _DOTTED.search(text):
        raise ValueError(f"a dotted key has more than {_LONGEST_KEY} parts")
    try:
        value = tomllib.loads(text)
    except RecursionError:
        raise _too_deep() from None
    _check_shape(value)
    return value


def check_size(text: bytes | str) -> None:
    """Check before parsing how many values a document can have: JSON and TOML separate them by commas and lines.

    Raises:
        ValueError: If there are more than ``VALUES``. An object or a list counts as several.
    """
    if isinstance(text, bytes):
        commas, brackets = text.count(b","), text.count(b"{") + text.count(b"[")
    else:
        commas, brackets = text.count(","), text.count("{") + text.count("[")
    count = commas + _PER_CONTAINER * brackets
    if count > VALUES:
        raise ValueError(f"it has too many values: {count:,}, at most {VALUES:,} are read")


def _check_shape(value: object) -> None:
    level: list[Any] = [value]
    for _ in range(DEEPEST + 1):
        level = [inner for outer in level for inner in _members(outer) if isinstance(inner, dict | list)]
        if not level:
            return
    raise _too_deep()


def _members(value: object) -> Any:
    if isinstance(value, dict):
        if len(value) > WIDEST:
            raise ValueError(f"an object has {len(value):,} members, at most {WIDEST:,} are read")
        return value.values()
    return value if isinstance(value, list) else ()


def _too_deep() -> ValueError:
    return ValueError(f"it is nested more than {DEEPEST} levels deep")
