"""Reads rows from CSV files: one row per line, one pixel or feature per column, with or without a header."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuner.delivery.manifest import InputSpec
from tuner.errors import DataError

LABELS = frozenset({"label", "y"})  # columns that hold the class and are not an input


def read_csv(path: Path, spec: InputSpec) -> NDArray[np.float64]:
    """Read a file separated by commas or semicolons as rows of shape ``(rows, *spec.shape)``.

    The first line is a header if it holds no number, or if it is ``0,1,2,…``, which pandas writes for unnamed columns.
    Columns named ``label`` or ``y`` are left out. If the model's columns have names, they are put in its order.

    Raises:
        DataError: If the file is not UTF-8 text, a line is not numeric or of another length, or the columns do not fit.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path} is not UTF-8 text: {error.reason}", hint="save it as CSV with UTF-8 encoding"
        ) from None
    first_line = text.partition("\n")[0]
    delimiter = ";" if first_line.count(";") > first_line.count(",") else ","
    names = next(csv.reader([first_line], delimiter=delimiter), [])
    header = [name.strip() for name in names] if _is_header(names) else None
    columns = _choose_columns(path, header, len(names), spec)
    table = _parse(path, text, delimiter, skip=int(header is not None), width=len(names))
    return table[:, columns].reshape(-1, *spec.shape)


def _is_header(cells: Sequence[str]) -> bool:
    inputs = [cell for cell in cells if cell.strip().lower() not in LABELS]
    if len(inputs) > 1 and inputs == [str(i) for i in range(len(inputs))]:
        return True
    return bool(cells) and not any(_is_number(cell) for cell in cells)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _choose_columns(path: Path, header: Sequence[str] | None, width: int, spec: InputSpec) -> list[int]:
    """Return the positions of the input columns, in the model's order."""
    if spec.columns is not None:
        return _by_name(path, header, spec.columns)
    columns = [i for i in range(width) if header is None or header[i].lower() not in LABELS]
    expected = math.prod(spec.shape)
    if len(columns) != expected:
        shape = " x ".join(map(str, spec.shape))
        labelled = header is None and width == expected + 1
        raise DataError(
            f"{path} has {len(columns)} columns, expected {expected} ({shape})",
            hint="if one of them is the label, add a header line that names it 'label'"
            if labelled
            else "expected one line per row with its flattened values; a column 'label' or 'y' is allowed",
        )
    return columns


def _by_name(path: Path, header: Sequence[str] | None, expected: Sequence[str]) -> list[int]:
    """Return the positions of the expected columns."""
    if header is None:
        raise DataError(f"{path} has no header line", hint=f"expected columns named {', '.join(expected)}")
    given = [name for name in header if name.lower() not in LABELS or name in expected]
    problems = {
        "missing": [name for name in expected if name not in given],
        "unknown": [name for name in given if name not in expected],
        "twice": sorted({name for name in given if given.count(name) > 1}),
    }
    differences = "; ".join(f"{kind}: {', '.join(names)}" for kind, names in problems.items() if names)
    if differences:
        raise DataError(
            f"the columns of {path} do not fit: {differences}", hint=f"expected, in any order: {', '.join(expected)}"
        )
    return [header.index(name) for name in expected]


def _parse(path: Path, text: str, delimiter: str, *, skip: int, width: int) -> NDArray[Any]:
    """Parse the numbers, shape ``(rows, width)``."""
    lines = io.StringIO(text)
    if not any(line.strip() for line in text.splitlines()[skip:]):
        raise DataError(f"{path} has 0 rows", hint="expected one line of numbers per row")
    try:
        return np.loadtxt(lines, delimiter=delimiter, skiprows=skip, ndmin=2, comments=None, quotechar='"')
    except ValueError as error:
        raise _first_bad_line(path, text, delimiter, skip, width) or DataError(f"{path}: {error}") from None


def _first_bad_line(path: Path, text: str, delimiter: str, skip: int, width: int) -> DataError | None:
    """Return an error that names the first line that NumPy cannot parse."""
    reader = csv.reader(io.StringIO(text), delimiter=delimiter)
    for i, cells in enumerate(reader):
        if i < skip or not cells:
            continue
        if len(cells) != width:
            hint = "every line must have the same number of columns"
            return DataError(f"{path}, line {reader.line_num}: {len(cells)} columns, expected {width}", hint=hint)
        for column, cell in enumerate(cells, start=1):
            if not _is_number(cell):
                where = f"{path}, line {reader.line_num}, column {column}"
                return DataError(f"{where}: '{cell}' is not a number", hint="only the header line may hold text")
    return None
