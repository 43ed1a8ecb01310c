"""The tables of `tables.py`: how they are split, and what is prepared for the peers, which do not read raw cells."""

from __future__ import annotations

import csv
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

MISSING = frozenset({"", "NA", "N/A", "?"})
MOSTLY = 0.9  # share of the cells with a value that are numbers or dates in a column of them
DATES = ("%d/%m/%Y", "%Y-%m-%d", "%Y-%m-%d %H:%M:%S")


@dataclass(frozen=True, slots=True)
class Source:
    """A table.

    Attributes:
        target: The column to predict.
        classes: Whether it holds classes.
        drop: Columns that give the target away.
        separator: The character between two cells.
    """

    target: str
    classes: bool = False
    drop: tuple[str, ...] = ()
    separator: str = ","


SOURCES = {
    "california_housing": Source("median_house_value"),
    "bike_hour": Source("cnt", drop=("casual", "registered")),
    "cars": Source("MSRP"),
    "winequality-white": Source("quality", separator=";"),
    "telco_churn": Source("Churn", classes=True),
    "bank_churn": Source("Exited", classes=True),
}


@dataclass(frozen=True, slots=True)
class Split:
    """The rows of a table, as they are in the file.

    Attributes:
        columns: Names of the columns, the target included.
        target: Name of the target.
        classes: The classes in alphabetical order; empty if the target is a number.
        train: Training rows.
        test: Test rows.
    """

    columns: list[str]
    target: str
    classes: list[str]
    train: list[list[str]]
    test: list[list[str]]

    def y(self, rows: Sequence[Sequence[str]]) -> NDArray[np.float64] | NDArray[np.int64]:
        """Return the target of rows: numbers, or classes as numbers from 0."""
        place = self.columns.index(self.target)
        if self.classes:
            return np.array([self.classes.index(row[place]) for row in rows])
        return np.array([float(row[place]) for row in rows])


def split(folder: Path, name: str) -> Split:
    """Read a table and split it: the rows are shuffled with seed 0, and every fifth one is a test row."""
    source = SOURCES[name]
    with (folder / f"{name}.csv").open(encoding="utf-8-sig", newline="") as file:
        header, *rows = csv.reader(file, delimiter=source.separator)
    kept = [i for i, column in enumerate(header) if column not in source.drop]
    columns = [header[i] for i in kept]
    rows = [[row[i] for i in kept] for row in rows]
    random.Random(0).shuffle(rows)  # noqa: S311 - a split, no secret
    place = columns.index(source.target)
    classes = sorted({row[place] for row in rows}) if source.classes else []
    return Split(columns, source.target, classes, [row for i, row in enumerate(rows) if i % 5], rows[::5])


def write_csv(path: Path, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Write raw rows as a CSV file."""
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([columns, *rows])


def prepare(path: Path, data: Split) -> None:
    """Write what the peers read: numbers with NaN, categories as text, and the target of the training rows.

    Text that is mostly numbers or dates becomes numbers. Text that is different in each row is left out.
    """
    numbers, categories = [], []
    for place, name in enumerate(data.columns):
        if name == data.target:
            continue
        cells = [row[place].strip() for row in (*data.train, *data.test)]
        values = as_numbers(cells)
        if values is not None:
            numbers.append(values)
        elif len(set(cells)) < len(cells):
            categories.append(cells)
    count, rows = len(data.train), len(data.train) + len(data.test)
    number = np.array(numbers, np.float64).reshape(-1, rows).T
    category = np.array(categories, str).reshape(-1, rows).T
    np.savez(
        path,
        number_train=number[:count],
        number_test=number[count:],
        category_train=category[:count],
        category_test=category[count:],
        y=data.y(data.train),
        classes=np.array(len(data.classes)),
    )


def as_numbers(cells: Sequence[str]) -> NDArray[np.float64] | None:
    """Return a column as numbers, dates as days; ``None`` if it is neither. Cells without a value become NaN."""
    present = [cell for cell in cells if cell not in MISSING]
    for read in (_number, *(lambda cell, form=form: _days(cell, form) for form in DATES)):
        values = {cell: read(cell) for cell in set(present)}
        if present and sum(values[cell] is not None for cell in present) >= MOSTLY * len(present):
            return np.array([np.nan if (value := values.get(cell)) is None else value for cell in cells])
    return None


def _number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None


def _days(cell: str, form: str) -> float | None:
    try:
        return float(datetime.strptime(cell, form).toordinal())  # noqa: DTZ007 - days alone count
    except ValueError:
        return None
