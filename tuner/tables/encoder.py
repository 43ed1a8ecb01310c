"""Encodes raw rows of a table as the numbers and codes that a model reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tuner.tables.cells import present, read_categories, read_numbers, read_times, without_point
from tuner.tables.inputs import UNSEEN, CodeInput, NumberInput, Part, TableInput
from tuner.tables.missing import NAMIBIA

LARGEST = 3e38
"""Larger numbers, and infinities, become this: they count as very large, and are numbers of ``float32``."""

_PARTS: dict[Part, Callable[[pl.Series], pl.Series]] = {
    "days": lambda times: times.dt.epoch("us") / 86_400e6,
    "year": lambda times: times.dt.year(),
    "month": lambda times: times.dt.month(),
    "day": lambda times: times.dt.day(),
    "weekday": lambda times: times.dt.weekday(),  # 1 is Monday
    "hour": lambda times: times.dt.hour(),
    "minute": lambda times: times.dt.minute(),
}
PARTS: tuple[Part, ...] = tuple(_PARTS)
"""The parts of a date."""


class Problem(NamedTuple):
    """Cells of one column that a model cannot use as they are.

    Attributes:
        cells: How many there are.
        first: Index of the first row.
        example: The first cell.
    """

    cells: int
    first: int
    example: str


@dataclass(frozen=True)
class Encoded:
    """Encoded rows.

    Attributes:
        rows: Numbers, NaN where one is missing, then codes as whole numbers; shape ``(rows, width)``.
        unseen: Columns with categories that no training row has.
        unreadable: Columns with cells that are no number or no time of the known format. They count as missing.
    """

    rows: NDArray[np.float32] = field(repr=False)
    unseen: dict[str, Problem]
    unreadable: dict[str, Problem]


def encode(columns: Mapping[str, pl.Series], table: TableInput, *, decimal_comma: bool = False) -> Encoded:
    """Encode raw rows.

    Args:
        columns: The raw cells by name, all of the same length. Other columns are ignored.
        table: The input of the model.
        decimal_comma: Whether text has decimal commas; it counts for columns that were no text in training.

    Raises:
        KeyError: If a column is missing.
    """
    height = len(columns[table.columns[0]]) if table.columns else 0
    rows = np.empty((height, table.width), np.float32)
    unseen: dict[str, Problem] = {}
    unreadable: dict[str, Problem] = {}
    times: dict[str, pl.Series] = {}
    for i, number in enumerate(table.numbers):
        raw = columns[number.column]
        if number.part == "value":
            values = read_numbers(raw, number.written, decimal_comma=decimal_comma)
        else:
            if number.column not in times:
                times[number.column] = read_times(raw, number.date_format)
            values = times[number.column]
        if number.column not in unreadable and (problem := _problem(raw, values.is_null())):
            unreadable[number.column] = problem
        rows[:, i] = _numbers(values, number)
    for i, code in enumerate(table.codes, len(table.numbers)):
        raw = columns[code.column]
        codes = read_codes(raw, code)
        if problem := _problem(raw, codes == UNSEEN):
            unseen[code.column] = problem
        rows[:, i] = codes.to_numpy()
    return Encoded(rows, unseen, unreadable)


def _numbers(values: pl.Series, number: NumberInput) -> NDArray[np.float64]:
    part = _PARTS.get(number.part)
    numbers = (values if part is None else part(values)).cast(pl.Float64)
    clipped: NDArray[np.float64] = numbers.clip(-LARGEST, LARGEST).fill_null(float("nan")).to_numpy()
    return clipped


def read_codes(raw: pl.Series, code: CodeInput) -> pl.Series:
    """Return the code of each raw cell, of type ``Int32``."""
    texts = read_categories(raw, namibia=NAMIBIA in code.vocabulary)
    known = {name: i for i, name in enumerate(code.vocabulary, 1)}
    known |= {spelling: known[name] for spelling, name in code.spellings.items()}
    codes = _looked_up(texts, known)
    unknown = codes.is_null() & texts.is_not_null()
    if unknown.any():
        codes = codes.fill_null(_looked_up(without_point(texts), known))
    missing = code.codes - 1 if code.missing else UNSEEN
    return codes.fill_null(UNSEEN).set(texts.is_null(), missing)


def _looked_up(texts: pl.Series, known: Mapping[str, int]) -> pl.Series:
    return texts.replace_strict(list(known), list(known.values()), default=None, return_dtype=pl.Int32)


def _problem(raw: pl.Series, unknown: pl.Series) -> Problem | None:
    """Return the unknown cells that hold something."""
    if not unknown.any():
        return None
    cells = unknown & present(raw)
    count = int(cells.sum() or 0)
    if not count:
        return None
    first = int(cells.arg_true()[0])
    return Problem(count, first, str(raw[first]).strip())
