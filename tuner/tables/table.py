"""A table as it was read: its columns, and where each row comes from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from tuner.errors import DataError
from tuner.tables.dialect import Dialect


@dataclass(frozen=True, slots=True)
class CsvFormat:
    """What was found out about a CSV file.

    Attributes:
        encoding: Name of a Python codec.
        dialect: How its cells are separated.
        header: Whether its first line holds names.
    """

    encoding: str
    dialect: Dialect
    header: bool


@dataclass(frozen=True, slots=True)
class RawTable:
    """Columns as they were read. Those of a CSV file are text, with the cells unchanged.

    Attributes:
        source: The path of the file, or ``frame``.
        frame: The columns, shape ``(rows, columns)``.
        notes: What was assumed, one line each.
        csv: How the file is written, if it is a CSV file.
        lines: The line of each row, from 1; ``None`` if the rows come from no CSV file.
    """

    source: str
    frame: pl.DataFrame
    notes: tuple[str, ...] = ()
    csv: CsvFormat | None = None
    lines: pl.Series | None = None

    def row(self, index: int) -> str:
        """Return where a row is, such as ``line 12``."""
        return f"row {index + 1}" if self.lines is None else f"line {self.lines[index]}"

    def rows(self, indices: Sequence[int], shown: int = 3) -> str:
        """Return where some rows are, such as ``lines 2, 3, 4 and 7 more``."""
        numbers = [str(index + 1 if self.lines is None else self.lines[index]) for index in indices[:shown]]
        unit = "row" if self.lines is None else "line"
        plural = "s" if len(indices) > 1 else ""
        more = f" and {len(indices) - shown:,} more" if len(indices) > shown else ""
        return f"{unit}{plural} {', '.join(numbers)}{more}"


def checked_names(names: Sequence[str], where: str) -> tuple[list[str], list[str]]:
    """Return the names of the columns, without blanks around them, and a note for each that had no name.

    Raises:
        DataError: If two columns have the same name.
    """
    stripped = [name.strip() for name in names]
    taken = set(stripped)
    result: list[str] = []
    notes: list[str] = []
    for number, name in enumerate(stripped, 1):
        if name in result:
            first = result.index(name) + 1
            raise DataError(
                f"{where}: columns {first} and {number} are both named '{name}'", hint="give each column its own name"
            )
        if not name:
            name = next(new for new in _names_for(number) if new not in taken)  # noqa: PLW2901 - the column is renamed
            taken.add(name)
            notes.append(f"column {number} has no name: it is called '{name}'")
        result.append(name)
    return result, notes


def numbered_names(width: int) -> list[str]:
    """Return names for the columns of a table without a header line."""
    return [f"column_{number}" for number in range(1, width + 1)]


def _names_for(number: int) -> Sequence[str]:
    return [f"column_{number}{'_' * underscores}" for underscores in range(100)]
