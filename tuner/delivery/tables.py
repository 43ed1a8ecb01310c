"""Reads rows from CSV files, part by part: one row per line, one pixel or feature per column."""

from __future__ import annotations

import csv
import itertools
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TextIO

import numpy as np
from numpy.typing import NDArray

from tuner.delivery.columns import Layout, Table, choose_columns
from tuner.delivery.manifest import InputSpec
from tuner.delivery.rows import Note
from tuner.errors import DataError
from tuner.tables.header import is_number, judge

_SAMPLE = 100  # lines with which the first one is compared
_CELL = 64  # characters; no number needs more
_SLACK = 2**20  # characters of a line beyond its numbers, for text in other columns
_SHOWN = 3  # cells of a long line in a message


class Line(NamedTuple):
    """A line that is not blank, with its number from 1."""

    number: int
    text: str


def read_csv(
    path: Path, spec: InputSpec, rows: int, note: Note, *, header: bool | None = None, ignore: Sequence[str] = ()
) -> Iterator[NDArray[np.float64]]:
    """Read a file separated by commas, semicolons or tabs, at most ``rows`` rows at a time.

    Args:
        path: The file.
        spec: The model's input. If its columns have names, the file's are put in that order.
        rows: The largest number of rows to read at a time.
        note: Receives what the first line was taken for, if that is not certain.
        header: Whether the first line holds names; ``None`` decides by :func:`tuner.tables.header.judge`.
        ignore: Names of columns that are left out.

    Yields:
        Parts of shape ``(rows, *spec.shape)``.

    Raises:
        DataError: If the file is not UTF-8 text, a line is not numeric or of another length, or the columns do not fit.
    """
    longest = math.prod(spec.shape) * _CELL + _SLACK
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield from _read(path, _lines(path, file, longest), spec, rows, note, header=header, ignore=ignore)
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path} is not UTF-8 text: {error.reason}", hint="save it as CSV with UTF-8 encoding"
        ) from None
    except csv.Error as error:
        raise DataError(f"{path} is not a table: {error}", hint="expected one line of numbers per row") from None


def _read(
    path: Path,
    lines: Iterator[Line],
    spec: InputSpec,
    rows: int,
    note: Note,
    *,
    header: bool | None,
    ignore: Sequence[str],
) -> Iterator[NDArray[np.float64]]:
    first = next(lines, None)
    if first is None:
        raise DataError(f"{path} is empty", hint="expected one line of numbers per row")
    delimiter = max(",;\t", key=first.text.count)
    begun = itertools.chain([first], lines)
    cells = [cell.strip() for cell in next(csv.reader((line.text for line in begun), delimiter=delimiter))]
    sample = list(itertools.islice(begun, _SAMPLE))
    values = [[cell.strip() for cell in split] for split in csv.reader([s.text for s in sample], delimiter=delimiter)]
    if header is None:
        header = _has_header(path, cells, values, spec, note)
    table = Table(path, cells if header else None, values if header else [cells, *values], len(cells))
    layout = choose_columns(table, spec, ignore, note)
    remaining = itertools.chain([] if header else [first], sample, begun)
    empty = True
    while part := list(itertools.islice(remaining, rows)):
        empty = False
        yield _parse(path, part, delimiter, layout).reshape(-1, *spec.shape)
    if empty:
        hint = "if its first line is a row, use --no-header" if all(map(is_number, cells)) else None
        raise DataError(f"{path} has 0 rows", hint=hint or "expected one line of numbers per row")


def _lines(path: Path, file: TextIO, longest: int) -> Iterator[Line]:
    for number in itertools.count(1):
        text = file.readline(longest)
        if not text:
            return
        if len(text) == longest:
            raise DataError(
                f"{path}, line {number}: more than {longest - 1} characters", hint="expected one line per row"
            )
        if text.strip():
            yield Line(number, text)


def _has_header(path: Path, cells: Sequence[str], values: Sequence[Sequence[str]], spec: InputSpec, note: Note) -> bool:
    verdict = judge(cells, values, spec.columns)
    if not verdict.certain:
        shown = ",".join(cells if len(cells) <= _SHOWN + 1 else [*cells[:_SHOWN], "…", cells[-1]])
        taken, option, other = (
            ("names of columns", "--no-header", "a row")
            if verdict.names
            else ("a row", "--header", "the names of the columns")
        )
        note(f"{path}: took the first line ({shown}) for {taken}; if it is {other}, use {option}")
    return verdict.names


def _parse(path: Path, lines: Sequence[Line], delimiter: str, layout: Layout) -> NDArray[Any]:
    """Parse the numbers of some lines, shape ``(rows, columns)``, in the model's order."""
    try:
        if all(_width(line.text, delimiter) == layout.width for line in lines):
            texts = [line.text for line in lines]
            return np.loadtxt(texts, delimiter=delimiter, usecols=layout.columns, ndmin=2, comments=None, quotechar='"')
    except ValueError as error:
        raise _first_bad_line(path, lines, delimiter, layout) or DataError(f"{path}: {error}") from None
    raise _first_bad_line(path, lines, delimiter, layout) or DataError(f"{path}: lines of different lengths")


def _width(text: str, delimiter: str) -> int:
    return len(next(csv.reader([text], delimiter=delimiter))) if '"' in text else text.count(delimiter) + 1


def _first_bad_line(path: Path, lines: Sequence[Line], delimiter: str, layout: Layout) -> DataError | None:
    """Return an error that names the first line that NumPy cannot parse."""
    for line in lines:
        cells = next(csv.reader([line.text], delimiter=delimiter))
        if len(cells) != layout.width:
            hint = "every line must have the same number of columns"
            return DataError(f"{path}, line {line.number}: {len(cells)} columns, expected {layout.width}", hint=hint)
        for column in sorted(layout.columns):
            if not is_number(cells[column]):
                return DataError(
                    f"{path}, line {line.number}, column {column + 1}: '{cells[column].strip()}' is not a number",
                    hint=_hint(cells[column], line.number, layout),
                )
    return None


def _hint(cell: str, line: int, layout: Layout) -> str:
    if is_number(cell.replace(",", ".")):
        return "write numbers with a decimal point, such as 1.5"
    if line == 1 and not layout.named:
        return "the first line was taken for a row; if it holds the names of the columns, use --header"
    return "only the header line may hold text; leave out other columns with --ignore-column NAME"
