"""Decides whether the first line of a CSV file holds the names of its columns or a row.

Names can be numbers: pandas writes ``0,1,2,…`` for unnamed columns. So a line of numbers is compared with the lines
below it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

_WHOLE = re.compile("0|[1-9][0-9]*")
_MISSING = frozenset({"", "nan", "inf", "-inf", "+inf", "infinity", "na", "n/a", "null", "none"})
_FEW = 4  # columns; with fewer, a row may well hold 1, 2, 3 by chance
_MANY = 8  # columns; so many numbers that count up are names, wherever they begin

Cells = Sequence[str]


class FirstLine(NamedTuple):
    """What the first line was taken for.

    Attributes:
        names: Whether it holds names.
        certain: Whether it can hardly be anything else.
    """

    names: bool
    certain: bool


def judge(first: Cells, sample: Sequence[Cells], known: Sequence[str] | None) -> FirstLine:
    """Decide what the first line is.

    Args:
        first: Its cells, without blanks around them.
        sample: The cells of some lines below it.
        known: The names of the model's columns, if they have names.
    """
    words = [cell for cell in first if not is_number(cell) and not _is_missing(cell)]
    numbers = [cell for cell in first if is_number(cell) and not _is_missing(cell)]
    if known is not None:
        return FirstLine(names=bool(words) or not set(known).isdisjoint(first), certain=True)
    if not numbers:
        return FirstLine(names=bool(words), certain=True)
    if _count_up(numbers):
        certain = bool(words) or first[0] == ""
        return FirstLine(names=certain or len(numbers) >= _FEW or _is_new(first, sample), certain=certain)
    if not words and len(numbers) >= _FEW and _only_whole(numbers, sample):
        return FirstLine(names=True, certain=False)
    return FirstLine(names=False, certain=not words)


def is_number(cell: str) -> bool:
    """Return whether a cell can be read as a number; ``nan`` and ``inf`` can."""
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _is_missing(cell: str) -> bool:
    """Return whether a cell stands for a missing value; such a cell says nothing about its line."""
    return cell.lower() in _MISSING


def _count_up(numbers: Cells) -> bool:
    """Return whether the numbers are 0, 1, 2, …; if they are more than a few, they may begin elsewhere."""
    if not all(_WHOLE.fullmatch(cell) for cell in numbers):
        return False
    begin = int(numbers[0])
    if begin and len(numbers) < (_FEW if begin == 1 else _MANY):
        return False
    return [int(cell) for cell in numbers] == list(range(begin, begin + len(numbers)))


def _is_new(first: Cells, sample: Sequence[Cells]) -> bool:
    """Return whether a cell of the line is not a value of its column further down."""
    return bool(sample) and any(
        all(column >= len(cells) or cells[column] != cell for cells in sample) for column, cell in enumerate(first)
    )


def _only_whole(numbers: Cells, sample: Sequence[Cells]) -> bool:
    """Return whether the line holds different whole numbers above lines without any whole number."""
    return (
        bool(sample)
        and len(set(numbers)) == len(numbers)
        and all(_WHOLE.fullmatch(cell) for cell in numbers)
        and not any(_WHOLE.fullmatch(cell) for cells in sample for cell in cells)
    )
