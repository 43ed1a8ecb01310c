"""Tables of a page: plain text in cells, which the template escapes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

from tuner.printable import escaped

_NUMBER = re.compile(r"[-+±]?[\d.,]+(?:e[-+]?\d+)?(?: %| s| min| h)?|[\d:]+ (?:min|h)|-|nan|inf|")


@dataclass(frozen=True)
class PageTable:
    """A table.

    Attributes:
        title: Its caption.
        head: Names of the columns.
        rows: The cells; control characters are escaped.
        numbers: Positions of the columns that hold numbers, which stand on the right.
        best: Position of the row to emphasise.
        note: A sentence below the table.
    """

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: frozenset[int]
    best: int | None = None
    note: str = ""

    @classmethod
    def of(
        cls,
        title: str,
        head: Sequence[str],
        rows: Iterable[Sequence[object]],
        *,
        best: int | None = None,
        note: str = "",
    ) -> Self:
        """Return a table of any values."""
        cells = tuple(tuple(escaped("" if cell is None else str(cell)) for cell in row) for row in rows)
        numbers = {
            i for i in range(len(head)) if any(row[i] for row in cells) and all(_NUMBER.fullmatch(r[i]) for r in cells)
        }
        return cls(escaped(title), tuple(map(escaped, head)), cells, frozenset(numbers), best, note)


def title_of_model(name: str) -> str:
    """Return the name of a metric in words."""
    return name.replace("_", " ")
