"""Reads CSV files into columns of text, part by part. Each complaint names the line.

Python's reader is used, not that of polars: polars fills lines that are too short, takes misplaced quotes as they come,
and names no line.
"""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TextIO

import polars as pl

from tuner.errors import DataError
from tuner.memory import require_memory
from tuner.tables.dialect import Dialect, Sample, find_dialect, judge_first_line
from tuner.tables.encoding import DAMAGED, Text, examine, open_bytes
from tuner.tables.table import CsvFormat, RawTable, checked_names, numbered_names

_SAMPLE = 200  # lines from which the separator is found
_LONGEST = 2**24  # characters of a line
_PART = 20_000  # rows that are held as Python objects at a time
_CELL = 40  # bytes that a cell takes beside its text: 16 as text, the others while the column is examined
_SHOWN = 3  # cells of the first line in a message
_HEADERLESS = "if the first line is a row, use --no-header"


def read_csv(path: Path, *, header: bool | None = None) -> RawTable:
    """Read a ``.csv`` or ``.tsv`` file, which may be packed as ``.gz``. All cells are kept as text.

    Args:
        path: The file. If its name ends with ``.tsv``, tabs separate the cells.
        header: Whether the first line holds names; ``None`` decides by :func:`tuner.tables.dialect.judge_first_line`.

    Raises:
        DataError: If the file cannot be read, holds no row, needs too much memory, or is no table; the message names
            the line.
    """
    parts = list(_parts(path, header, whole=True))
    first = parts[0]
    frame = pl.concat([part.frame for part in parts], rechunk=True)
    lines = pl.concat([part.lines for part in parts if part.lines is not None], rechunk=True)
    return replace(first, frame=frame, lines=lines)


def stream_csv(path: Path, *, header: bool | None = None) -> Iterator[RawTable]:
    """Read a file as :func:`read_csv` does, part by part: memory does not depend on the size of the file.

    Yields:
        Parts of at most 20,000 rows, at least one. Each has all notes.
    """
    return _parts(path, header, whole=False)


def _parts(path: Path, header: bool | None, *, whole: bool) -> Iterator[RawTable]:
    try:
        text = examine(path, whole=whole)
        with _open(path, text.encoding) as file:
            lines = list(itertools.islice(_lines(path, file), _SAMPLE))
        known = "\t" if path.name.lower().removesuffix(".gz").endswith(".tsv") else None
        sample = find_dialect(lines, known, whole=len(lines) < _SAMPLE)
        if not sample.records:
            raise DataError(f"{path} is empty", hint="expected a header line and one line per row")
        width = len(sample.records[0])
        if whole:
            require_memory(2 * text.size + _CELL * width * text.lines, str(path))
        with _open(path, text.encoding) as file:
            yield from _read(path, file, text, sample, header=header)
    except UnicodeDecodeError as error:
        byte = error.object[error.start : error.start + 1].hex()
        raise DataError(
            f"{path} is not text: the byte 0x{byte} fits none of UTF-8, UTF-16 and Windows-1252",
            hint="save the table as CSV with UTF-8 encoding",
        ) from None
    except (OSError, *DAMAGED) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else f"damaged: {error}"
        raise DataError(f"cannot read {path}: {reason}") from None


def _open(path: Path, encoding: str) -> TextIO:
    return io.TextIOWrapper(open_bytes(path), encoding=encoding, newline="")


def _lines(path: Path, file: TextIO) -> Iterator[str]:
    for number in itertools.count(1):
        line = file.readline(_LONGEST)
        if not line:
            return
        if len(line) == _LONGEST:
            raise DataError(f"{path}, line {number}: more than {_LONGEST - 1:,} characters", hint="is it a CSV file?")
        if "\0" in line:
            raise DataError(
                f"{path}, line {number}: a zero byte, which no text has",
                hint="save the table as CSV with UTF-8 encoding",
            )
        yield line


def _read(path: Path, file: TextIO, text: Text, sample: Sample, *, header: bool | None) -> Iterator[RawTable]:
    notes = [] if text.note is None else [text.note]
    lines = _lines(path, file)
    dialect = sample.dialect
    first, *below = sample.records
    if header is None:
        verdict = judge_first_line(first, below)
        header = verdict.names
        if not verdict.certain:
            notes.append(_note_on(first, names=header))
    names, unnamed = checked_names(first if header else numbered_names(len(first)), str(path))
    described = CsvFormat(text.encoding, dialect, header)
    records = _records(path, lines, dialect, len(first))
    if header:
        next(records)
    empty = True
    while part := list(itertools.islice(records, _PART)):
        empty = False
        columns = zip(*(record for _, record in part), strict=True)
        frame = pl.DataFrame([pl.Series(n, c, pl.String) for n, c in zip(names, columns, strict=True)])
        numbers = pl.Series([number for number, _ in part], dtype=pl.UInt32)
        yield RawTable(str(path), frame, (*notes, *unnamed), described, numbers)
    if empty:
        raise DataError(f"{path} has 0 rows below its header line", hint=_HEADERLESS)


def _records(path: Path, lines: Iterator[str], dialect: Dialect, width: int) -> Iterator[tuple[int, list[str]]]:
    """Yield the cells of each record that is not blank, with the line where it begins."""
    for _ in range(dialect.skip):
        next(lines)
    reader = dialect.reader(lines)
    begin = dialect.skip + 1
    try:
        for record in reader:
            if len(record) == width:
                yield begin, record
            elif record:
                raise _ragged(path, begin, record, width, dialect)
            begin = dialect.skip + reader.line_num + 1
    except csv.Error as error:
        raise _quote_error(path, begin, dialect, str(error)) from None


def _ragged(path: Path, line: int, record: list[str], width: int, dialect: Dialect) -> DataError:
    separator = {"\t": "tab"}.get(dialect.separator, dialect.separator)
    if width == 1:
        hint = "separate the cells by commas, semicolons, tabs or bars, also in the first line"
    elif len(record) == width + 1 and not record[-1].strip():
        hint = f"remove the '{separator}' at the end of the line, or add one to the first line"
    else:
        hint = f"each line needs as many cells as the first one; put a cell that holds '{separator}' between quotes"
    return DataError(f"{path}, line {line}: {len(record)} cells, expected {width}", hint=hint)


def _quote_error(path: Path, line: int, dialect: Dialect, reason: str) -> DataError:
    hint = f"write a {dialect.quote} inside a cell twice, and put the cell between {dialect.quote}"
    if "end of data" in reason or "field limit" in reason:
        return DataError(f"{path}, line {line}: a cell begins with {dialect.quote} and never ends", hint=hint)
    return DataError(f"{path}, line {line}: text follows the {dialect.quote} that ends a cell", hint=hint)


def _note_on(first: list[str], *, names: bool) -> str:
    shown = ",".join(first if len(first) <= _SHOWN + 1 else [*first[:_SHOWN], "…", first[-1]])
    taken, option, other = (
        ("names of columns", "--no-header", "a row") if names else ("a row", "--header", "the names of the columns")
    )
    return f"the first line ({shown}) was taken for {taken}; if it is {other}, use {option}"
