"""Tables that are written as text, and read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import polars as pl
import pytest

from tuner.tables.inspection import inspect_table
from tuner.tables.reading import read_table
from tuner.tables.schema import ColumnSchema, TableSchema
from tuner.tables.table import RawTable

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a file with some content, and return its path."""

    def _write(content: str | bytes, name: str = "table.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return _write


def table_of(**columns: Sequence[object]) -> RawTable:
    """Return a table of cells as they stand in a CSV file."""
    frame = pl.DataFrame({name: [str(cell) for cell in cells] for name, cells in columns.items()})
    return read_table(frame)


def column_of(cells: Sequence[object], name: str = "x") -> ColumnSchema:
    """Return what is in a column of such cells."""
    return inspect_table(table_of(**{name: cells})).schema.columns[0]


def inspected(target: str | None = None, **columns: Sequence[object]) -> TableSchema:
    """Return what is in a table of such columns."""
    return inspect_table(table_of(**columns), target).schema
