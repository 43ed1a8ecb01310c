"""Chooses the columns of a CSV file that are the model's input, or names those that are not."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tuner.command_line import shell_quote
from tuner.delivery.manifest import InputSpec
from tuner.delivery.rows import Note
from tuner.errors import DataError, UsageError, did_you_mean
from tuner.tables.header import Cells, is_number

LABELS = frozenset({"label", "y"})  # names of columns that hold the class, unless the model has such a column
_INDEX_NAME = re.compile(r"|index|Unnamed: \d+")  # pandas writes the first, and reads it back as the last
_WITHOUT_INDEX = "df.to_csv(FILE, index=False) leaves out pandas' index"
_FLATTENED = "expected one line per row with its flattened values, separated by commas, semicolons or tabs"
_SHOWN = 5  # columns in a message


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the input is in each line.

    Attributes:
        columns: Positions of the input columns, in the model's order.
        width: How many columns a line has.
        named: Whether the first line holds names.
    """

    columns: tuple[int, ...]
    width: int
    named: bool


@dataclass(frozen=True, slots=True)
class Table:
    """What is known of a CSV file before its rows are read.

    Attributes:
        path: The file.
        header: The names of its columns, without blanks around them; ``None`` if it has no header line.
        sample: The cells of some rows.
        width: How many columns it has.
    """

    path: Path
    header: Cells | None
    sample: Sequence[Cells]
    width: int


def choose_columns(table: Table, spec: InputSpec, ignore: Sequence[str], note: Note) -> Layout:
    """Return the columns of a file that are the model's input. A column of the model is never left out.

    Args:
        table: The file.
        spec: The model's input. If its columns have names, the file must have exactly these, in any order.
        ignore: Names of columns to leave out. Columns named as in ``LABELS`` are left out as well, unless they belong
            to the model.
        note: Receives a line if a column that may be a label is used as input.

    Raises:
        DataError: If columns are missing or left over; the message names them.
        UsageError: If there is no column with a name in ``ignore``.
    """
    header = table.header
    if header is None:
        _check_unnamed(table, spec, ignore)
        return Layout(tuple(range(table.width)), table.width, named=False)
    for name in ignore:
        if name not in header:
            raise UsageError(f"{table.path} has no column '{name}'", hint=did_you_mean(name, filter(None, header)))
    left = [i for i, name in enumerate(header) if name not in ignore]
    columns = _by_count(table, header, left, spec, note) if spec.columns is None else _by_name(table, left, spec)
    return Layout(tuple(columns), table.width, named=True)


def _check_unnamed(table: Table, spec: InputSpec, ignore: Sequence[str]) -> None:
    """Check a file without a header line: every column must be input."""
    if spec.columns is not None or ignore:
        expected = f"expected columns named {', '.join(spec.columns)}" if spec.columns else None
        raise DataError(
            f"{table.path} has no header line", hint=expected or "--ignore-column needs one; or use --header"
        )
    surplus = table.width - math.prod(spec.shape)
    if not surplus:
        return
    message = f"{table.path} has {table.width} columns, expected {_expected(spec)}"
    hint = _FLATTENED
    if surplus == 1 and _is_empty(table, table.width - 1):
        message = f"{message}: the last one is empty"
        hint = "remove the separator at the end of each line"
    elif surplus == 1 and _counts_rows(table, 0):
        message = f"{message}: the first one counts the rows"
        hint = _WITHOUT_INDEX
    elif surplus == 1:
        hint = "if one of them is the label, add a header line that names it 'label'"
    raise DataError(message, hint=hint)


def _by_count(table: Table, header: Cells, left: Sequence[int], spec: InputSpec, note: Note) -> list[int]:
    """Return the input columns of a model whose columns have no names: as many as it has, in the order of the file."""
    labels = [i for i in left if header[i].lower() in LABELS]
    surplus = len(left) - math.prod(spec.shape)
    if surplus == 0:
        for i in labels:
            note(f"{table.path}: column '{header[i]}' is used as input, because the model has {len(left)} columns")
        return list(left)
    if surplus == len(labels):
        return [i for i in left if i not in labels]
    message = f"{table.path} has {len(left)} columns, expected {_expected(spec)}"
    if surplus < 0:
        raise DataError(message, hint=_FLATTENED)
    extra = _no_features(table, header, left)
    if extra:
        names = ", ".join(f"'{header[i]}' ({reason})" for i, reason in extra.items())
        raise DataError(f"{message}; no features are {names}", hint=_how_to_ignore([header[i] for i in extra]))
    shown = [header[i] for i in left[:_SHOWN]] + ["…"] * (len(left) > _SHOWN)
    raise DataError(
        f"{message}; the columns are {', '.join(shown)}",
        hint="leave out those that are no features: --ignore-column NAME",
    )


def _by_name(table: Table, left: Sequence[int], spec: InputSpec) -> list[int]:
    """Return the positions of the model's columns."""
    header, expected = table.header or (), spec.columns or ()
    given = [header[i] for i in left if header[i].lower() not in LABELS or header[i] in expected]
    problems = {
        "missing": [name for name in expected if name not in given],
        "unknown": [name for name in given if name not in expected],
        "twice": sorted({name for name in given if given.count(name) > 1}),
    }
    differences = "; ".join(f"{kind}: {', '.join(map(_shown, names))}" for kind, names in problems.items() if names)
    if differences:
        only_more = not problems["missing"] and not problems["twice"]
        raise DataError(
            f"the columns of {table.path} do not fit: {differences}",
            hint=_how_to_ignore(problems["unknown"]) if only_more else f"expected, in any order: {', '.join(expected)}",
        )
    return [header.index(name) for name in expected]


def _no_features(table: Table, header: Cells, left: Sequence[int]) -> dict[int, str]:
    """Return the columns that can hardly be features, each with the reason."""
    found = {}
    numbered = sum(header[i].isdecimal() for i in left) > len(left) / 2
    for i in left:
        if _INDEX_NAME.fullmatch(header[i]) and (i == left[0] or _counts_rows(table, i)):
            found[i] = "pandas' index"
        elif _is_empty(table, i):
            found[i] = "empty"
        elif header[i].lower() in LABELS:
            found[i] = "the label"
        elif any(i < len(cells) and cells[i] and not is_number(cells[i]) for cells in table.sample):
            found[i] = "text"
        elif numbered and not header[i].isdecimal():
            found[i] = "the others are numbered"
    return found


def _counts_rows(table: Table, column: int) -> bool:
    """Return whether a column holds 0, 1, 2, … or 1, 2, 3, … in the sample."""
    cells = [cells[column] for cells in table.sample if column < len(cells)]
    return len(cells) > 1 and any(cells == [str(i) for i in range(begin, begin + len(cells))] for begin in (0, 1))


def _is_empty(table: Table, column: int) -> bool:
    """Return whether a column has no value in the sample, as after a separator at the end of each line."""
    return bool(table.sample) and not any(cells[column] for cells in table.sample if column < len(cells))


def _how_to_ignore(names: Sequence[str]) -> str:
    options = " ".join(f"--ignore-column {shell_quote(name)}" for name in names)
    index = any(_INDEX_NAME.fullmatch(name) for name in names)
    return f"leave out what is no feature: {options}{f'; {_WITHOUT_INDEX}' if index else ''}"


def _shown(name: str) -> str:
    return name or "'' (pandas' index)"


def _expected(spec: InputSpec) -> str:
    return f"{math.prod(spec.shape)} ({' x '.join(map(str, spec.shape))})"
