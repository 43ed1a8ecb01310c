"""Reads a table from a file or a frame."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tuner.config.data_files import TABLES
from tuner.errors import DataError
from tuner.tables.csv_files import read_csv
from tuner.tables.frames import from_frame, read_parquet
from tuner.tables.table import RawTable


def read_table(source: Any, *, header: bool | None = None) -> RawTable:
    """Read a table.

    Args:
        source: A path with one of :data:`tuner.config.data_files.TABLES`, or a frame of polars or pandas.
        header: Whether the first line of a CSV file holds names; ``None`` decides by the lines below it.

    Raises:
        DataError: If it cannot be read, is no table, or needs more memory than there is.
        UsageError: If the source is neither a path nor a frame.
    """
    if not isinstance(source, str | Path):
        return from_frame(source)
    path = Path(source)
    if not path.exists():
        raise DataError(f"there is no file {path}")
    if not path.is_file():
        raise DataError(f"{path} is not a file", hint=f"a table is one file: {', '.join(TABLES)}")
    name = path.name.lower()
    if name.endswith(".parquet"):
        return read_parquet(path)
    if name.endswith(TABLES):
        return read_csv(path, header=header)
    raise DataError(f"{path} is no table", hint=f"the name of a table ends with {', '.join(TABLES)}")
