"""Finds what makes a model useless or its test too good: leaks of the target, order of the rows, repeated rows."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from tuner.command_line import shell_quote
from tuner.tables.columns import Column
from tuner.tables.schema import ColumnSchema, TargetSchema
from tuner.tables.table import RawTable

_ALMOST = 0.99  # correlation with the target; of our tables, no honest feature is above 0.97
_SORTED = 0.9  # rank correlation of an identifier with the target
_FEW_VALUES = 0.1  # share of the rows; a feature with more distinct values decides any target by chance
_PAIRED = 300  # numeric features of which all pairs are added: 90,000 pairs
_ROWS = 20  # with fewer rows, every table looks suspicious
_PARTS = ("year", "month", "day", "hour", "minute", "second")
_PART_SIZE = 100  # more than there are of any part
_TAIL = 20  # times the median; 69 for the prices of cars, 14 for PM2.5 in Beijing, 7 for rented bicycles
_RARE = 5  # rows of a class; with fewer, hardly one is left for validation and one for the test


def find_leaks(
    columns: Mapping[str, Column], features: Sequence[ColumnSchema], target: Column, task: TargetSchema
) -> Iterator[str]:
    """Yield a line for each feature, or pair of features, that gives the target away.

    Args:
        columns: The columns by name.
        features: The descriptions of the features.
        target: The target.
        task: What is predicted.
    """
    rows = target.values.is_not_null()
    wanted = target.values.filter(rows)
    if wanted.n_unique() < 2 or len(wanted) < _ROWS:  # noqa: PLR2004 - nothing can tell one value apart
        return
    ranks = wanted.rank("dense").cast(pl.Float64)
    numeric = wanted.cast(pl.Float64) if wanted.dtype.is_numeric() or wanted.dtype == pl.Boolean else None
    ordered = task.task != "multiclass"
    numbers: dict[str, pl.Series] = {}
    for feature in features:
        values = columns[feature.name].values.filter(rows)
        if feature.kind in {"number", "code"}:
            numbers[feature.name] = values.cast(pl.Float64)
            strength = _correlation(numbers[feature.name], ranks if numeric is None else numeric)
            if ordered and strength >= _ALMOST:
                yield f"{_column(feature)} almost equals the target (correlation {strength:.4f}): {_leave_out(feature)}"
                continue
        if _decides(values, wanted):
            yield f"{_column(feature)} has one value of the target for each of its own: {_leave_out(feature)}"
        elif feature.missing and _decides(values.is_null(), wanted):
            yield f"{_column(feature)} is missing for some values of the target only: {_leave_out(feature)}"
    if numeric is not None and task.task == "regression":
        yield from _sums(numbers, numeric)


def find_order(
    table: RawTable, columns: Mapping[str, Column], target: Column, task: TargetSchema, *, random_split: bool
) -> Iterator[str]:
    """Yield a line if the target can be told from the place of a row, or from an identifier.

    Args:
        table: The table.
        columns: The columns that are identifiers, by name.
        target: The target.
        task: What is predicted.
        random_split: Whether the rows will be split at random, so that their order does not matter.
    """
    rows = target.values.is_not_null()
    ranks = target.values.filter(rows).rank("dense").cast(pl.Float64)
    if len(ranks) < _ROWS or ranks.n_unique() < 2:  # noqa: PLR2004 - one value has no order
        return
    if ranks.is_sorted() or ranks.is_sorted(descending=True):
        if not random_split:
            sorted_rows = f"the rows of {table.source} are sorted by the target"
            yield f"{sorted_rows}: shuffle them before you split them by their place"
        return
    if task.task == "multiclass":
        return
    for name, column in columns.items():
        values = column.values.filter(rows)
        if values.dtype.is_numeric() and (strength := _correlation(values.rank(), ranks.rank())) >= _SORTED:
            yield f"the identifier '{name}' sorts the rows by the target (rank correlation {strength:.3f})"


def find_repeated_rows(table: RawTable, names: Sequence[str]) -> Iterator[str]:
    """Yield a line if rows repeat earlier ones in all the columns ``names``."""
    if not names:
        return
    frame = table.frame.select(names).with_row_index("\0row")  # no column has this name
    later = frame.filter(~pl.struct(names).is_first_distinct())
    if not later.height:
        return
    first = later["\0row"][0]
    yield (
        f"{later.height:,} of {frame.height:,} rows repeat an earlier row (the first: {table.row(first)}): "
        "a model that has seen them looks too good in a test"
    )


def find_missing_target(table: RawTable, target: Column) -> Iterator[str]:
    """Yield a line if rows have no target: they are left out."""
    rows = target.values.is_null().arg_true().to_list()
    if rows:
        share = f"{len(rows):,} of {len(target.values):,} rows"
        yield f"{share} have no value in the target '{target.name}' and are left out: {table.rows(rows)}"


def find_long_tail(target: Column, task: TargetSchema) -> Iterator[str]:
    """Yield a line if a few rows have a far larger target than the others."""
    if task.task != "regression":
        return
    values = target.present.cast(pl.Float64)
    values = values.filter(values.is_finite())
    median: Any = values.median() or 0.0
    largest: Any = values.max() or 0.0
    if len(values) >= _ROWS and median > 0 and largest > _TAIL * median:
        yield (
            f"the target '{target.name}' has a long tail (median {median:,.7g}, largest {largest:,.7g}): "
            "a few rows make up most of the squared error"
        )


def find_rare_classes(task: TargetSchema) -> Iterator[str]:
    """Yield a line if a class has too few rows to be in all parts of a split."""
    rare = [f"'{name}' ({rows})" for name, rows in task.classes if rows < _RARE]
    if len(task.classes) == 1:
        yield f"the target '{task.column}' has only one class, '{task.classes[0][0]}': there is nothing to learn"
    elif rare:
        shown = ", ".join(rare[:_RARE]) + (", …" if len(rare) > _RARE else "")
        yield f"{len(rare):,} classes have fewer than {_RARE} rows, too few to split: {shown}"


def find_time(columns: Mapping[str, Column]) -> Iterator[str]:
    """Yield a line for each date by which the rows are sorted; it may be in several columns, from the year on."""
    times = {f"'{name}'": column.present for name, column in columns.items() if column.values.dtype == pl.Datetime}
    named = {name.lower(): column.values for name, column in columns.items() if column.values.dtype.is_numeric()}
    parts = list(itertools.takewhile(named.__contains__, _PARTS))
    if len(parts) > 1:
        moments = named[parts[0]].cast(pl.Float64)
        for part in parts[1:]:
            moments = moments * _PART_SIZE + named[part]
        times["', '".join(parts).join("''")] = moments.drop_nulls()
    for name, values in times.items():
        if values.n_unique() > 1 and (values.is_sorted() or values.is_sorted(descending=True)):
            option = f", with --time {shell_quote(name[1:-1])}" if name[1:-1] in columns else ""
            yield f"the rows are in the order of {name}: to predict what comes later, test on the last rows{option}"


def _sums(numbers: Mapping[str, pl.Series], target: pl.Series) -> Iterator[str]:
    names = list(numbers)[:_PAIRED]
    if not names:
        return
    sample = np.stack([numbers[name].head(_ROWS).to_numpy() for name in names])
    wanted = target.head(_ROWS).to_numpy()
    largest: Any = target.filter(target.is_finite()).abs().max() or 0.0
    tolerance = 1e-6 * max(1.0, largest)
    for sign, word in ((1, "+"), (-1, "-")):
        difference = np.abs(sample[:, None] + sign * sample - wanted)
        for first, second in np.argwhere((~(difference > tolerance)).all(axis=2)):  # where a value is missing, perhaps
            one, other = names[first], names[second]
            if first == second or (sign == 1 and first > second):
                continue
            if _equal(numbers[one] + sign * numbers[other], target, tolerance):
                drop = " ".join(f"--drop {shell_quote(name)}" for name in sorted((one, other), key=names.index))
                yield f"'{one}' {word} '{other}' is the target in each row: if new rows do not have them, use {drop}"


def _equal(one: pl.Series, other: pl.Series, tolerance: float) -> bool:
    """Return whether numbers are equal wherever both are there, which is in most rows."""
    difference = (one - other).abs().drop_nulls()
    return 2 * len(difference) > len(other) and bool((difference <= tolerance).all())


def _correlation(one: pl.Series, other: pl.Series) -> float:
    """Return the absolute correlation of the rows that have both values; 0 if there are too few, or one is constant."""
    pairs = pl.DataFrame({"one": one, "other": other}).filter(pl.col("one").is_finite() & pl.col("other").is_finite())
    if pairs.height < _ROWS:
        return 0.0
    strength = pairs.select(pl.corr("one", "other")).item()
    return abs(strength) if strength is not None and strength == strength else 0.0  # noqa: PLR0124 - NaN if constant


def _decides(values: pl.Series, target: pl.Series) -> bool:
    """Return whether each value of a feature occurs with one value of the target only."""
    distinct = values.n_unique()
    if not 1 < distinct <= _FEW_VALUES * len(values):
        return False
    return pl.DataFrame({"feature": values, "target": target}).n_unique() == distinct


def _column(feature: ColumnSchema) -> str:
    return f"'{feature.name}'"


def _leave_out(feature: ColumnSchema) -> str:
    return f"if new rows do not have it, use --drop {shell_quote(feature.name)}"
