"""Reads Parquet files, and frames of polars or pandas."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl
from polars import selectors

from tuner.errors import DataError, UsageError
from tuner.memory import require_memory
from tuner.silence import silenced
from tuner.tables.table import RawTable, checked_names

_CELL = 40  # bytes; the least that a cell takes while it is examined. Long text is counted by the size of the file
_PART = 20_000  # rows that are held at a time
_REDUCED: dict[Any, Any] = {
    pl.Float32: pl.Float64, pl.Decimal: pl.Float64, pl.Categorical: pl.String, pl.Enum: pl.String,
    pl.Date: pl.Datetime("us"), pl.Datetime: pl.Datetime("us"),
}  # fmt: skip
_HINT = "expected a path, a polars frame or a pandas frame"


def read_parquet(path: Path) -> RawTable:
    """Read a Parquet file.

    Raises:
        DataError: If it cannot be read, is damaged, has no rows or needs too much memory.
    """
    with _readable(path):
        lazy = pl.scan_parquet(path, glob=False)
        width = len(lazy.collect_schema())
        rows = lazy.select(pl.len()).collect().item()
        require_memory(path.stat().st_size + _CELL * rows * width, str(path))
        frame = lazy.collect()
    return from_polars(frame, str(path))


def stream_parquet(path: Path, columns: Callable[[Sequence[str]], Sequence[str]]) -> Iterator[RawTable]:
    """Read some columns of a Parquet file, part by part: memory does not depend on the number of rows.

    Args:
        path: The file.
        columns: Returns the names of the columns to read, from those of all columns.

    Yields:
        Parts of at most 20,000 rows, at least one.

    Raises:
        DataError: If the file cannot be read, is damaged or has no rows.
    """
    with _readable(path):
        lazy = pl.scan_parquet(path, glob=False)
        names = lazy.collect_schema().names()
        checked_names(names, str(path))
    chosen = columns([name.strip() for name in names])
    source = [name for name in names if name.strip() in chosen]
    empty = True
    parts = lazy.select(selectors.by_name(*source)).collect_batches(chunk_size=_PART, maintain_order=True)
    while True:
        with _readable(path):
            part = next(parts, None)
        if part is None:
            break
        if part.height:
            empty = False
            yield from_polars(part, str(path))
    if empty:
        raise DataError(f"{path} has 0 rows", hint="a table needs rows and columns")


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Turn errors of polars into errors that name the file."""
    try:
        with silenced():  # threads of polars that meet damage write to stderr
            yield
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from None
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        reason = str(error).partition("\n")[0]
        raise DataError(f"{path} is no Parquet file, or damaged: {reason}", hint="write it again") from None


def from_frame(frame: Any) -> RawTable:
    """Return a table from a frame of polars or pandas.

    Raises:
        DataError: If it has no rows, or two columns with the same name.
        UsageError: If the object is no frame.
    """
    if isinstance(frame, pl.LazyFrame):
        frame = frame.collect()
    if isinstance(frame, pl.DataFrame):
        return from_polars(frame, "the frame")
    pandas = sys.modules.get("pandas")  # who passes such a frame has imported it
    if pandas is None or not isinstance(frame, pandas.DataFrame):
        raise UsageError(f"{type(frame).__name__} is no table", hint=_HINT)
    names, notes = checked_names([str(name) for name in frame.columns], "the frame")
    # One by one, so that no package beside pandas is needed: polars.from_pandas asks for pyarrow.
    columns = [pl.Series(name, _plain(frame.iloc[:, i]), strict=False) for i, name in enumerate(names)]
    return from_polars(pl.DataFrame(columns), "the frame", tuple(notes))


def from_polars(frame: pl.DataFrame, source: str, notes: tuple[str, ...] = ()) -> RawTable:
    """Return a table from a frame of polars, with its types reduced to those that :mod:`tuner.tables.kinds` knows.

    Raises:
        DataError: If it has no rows, or two columns with the same name.
    """
    if not frame.height or not frame.width:
        raise DataError(f"{source} has {frame.height} rows and {frame.width} columns", hint="a table needs both")
    names, unnamed = checked_names(frame.columns, source)
    columns = [_reduced(frame.to_series(index)).alias(name) for index, name in enumerate(names)]
    return RawTable(source=source, frame=pl.DataFrame(columns), notes=(*notes, *unnamed))


def _reduced(column: pl.Series) -> pl.Series:
    """Return a column as text, whole numbers, numbers, truth values, dates or times; others stay as they are."""
    kind = column.dtype
    if kind.is_integer():
        whole = column.cast(pl.Int64, strict=False)
        return whole if whole.null_count() == column.null_count() else column.cast(pl.Float64)
    if isinstance(kind, pl.Datetime) and kind.time_zone is not None:
        column = column.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    elif isinstance(kind, pl.Duration):
        column = column.dt.total_microseconds() / 1e6  # seconds
    elif isinstance(kind, pl.Time):
        column = column.cast(pl.Int64) / 1e9  # seconds since midnight
    return column if (reduced := _REDUCED.get(column.dtype.base_type())) is None else column.cast(reduced)


def _plain(column: Any) -> list[Any]:
    """Return the values of a pandas column as Python objects; missing ones are ``None``."""
    values = column.tolist()
    missing = column.isna().tolist()
    return [None if gone else value for value, gone in zip(values, missing, strict=True)]
