"""Prints a table of thousands of rows piece by piece: the first rows at once, and none after the reader has gone."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

from tuner.cli.output import StdoutLostError, result_console

if TYPE_CHECKING:
    from rich.table import Table

_LAST = 30  # columns that are left to the last column, at least


def print_long(pieces: Iterable[Table]) -> None:
    """Print tables with the same columns as one: a header at the beginning, and columns that never become narrower.

    Args:
        pieces: One table at least. Each is requested after the one before it was printed.

    Raises:
        StdoutLostError: If nobody reads stdout any more.
    """
    from rich.segment import Segments

    console, bottom = result_console(), None
    widths: list[int] = []
    for table in pieces:
        table.show_header = bottom is None
        widths = _widen(table, widths, console.width)
        first, *lines, bottom = console.render_lines(table, pad=False, new_lines=True)
        lines = [first, *lines] if table.show_header else lines  # without a header, it is an empty line
        console.print(Segments([segment for line in lines for segment in line]), end="")
        if getattr(sys.stdout, "error", None) is not None:
            raise StdoutLostError
    console.print(Segments(bottom or []), end="")


def _widen(table: Table, before: list[int], width: int) -> list[int]:
    """Make all columns but the last at least as wide as those before; returns the widths.

    On a terminal that is too narrow for that, each table has widths of its own.
    """
    from rich.cells import cell_len

    columns = table.columns[:-1]
    widths = [max(cell_len(str(cell)) for cell in (column.header, *column.cells)) for column in columns]
    widths = [max(pair) for pair in zip(widths, before or widths, strict=True)]
    if sum(widths) + 2 * len(widths) + _LAST <= width:
        for column, least in zip(columns, widths, strict=True):
            column.min_width = least
    return widths
