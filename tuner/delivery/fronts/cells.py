"""Turns the raw cells of a table into what each format takes, as a program that uses the exported model does."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tuner.delivery.fronts.calendar import MISSING_DATE
from tuner.delivery.fronts.columns import RawColumn
from tuner.tables.cells import read_categories, read_numbers, read_times
from tuner.tables.inputs import TableInput

Cells = NDArray[np.float32] | NDArray[np.int64] | list[str]


def numbers_of(raw: pl.Series, table: TableInput) -> NDArray[np.float32]:
    """Return a column of numbers as ``float32``, NaN where one is missing, shape ``(rows,)``."""
    written = next(number.written for number in table.numbers if number.column == raw.name)
    numbers = read_numbers(raw, written).fill_null(float("nan")).to_numpy()
    with np.errstate(over="ignore"):  # a number that is too large becomes infinite
        return numbers.astype(np.float32)


def texts_of(raw: pl.Series) -> list[str]:
    """Return a column of categories as text, nothing where one is missing. Text is left as it is."""
    return (raw if raw.dtype == pl.String else read_categories(raw)).fill_null("").to_list()


def times_of(raw: pl.Series, table: TableInput) -> pl.Series:
    """Return a column of dates as times; null where one is missing."""
    written = next(number.date_format for number in table.numbers if number.column == raw.name)
    return read_times(raw, written)


def seconds_of(times: pl.Series) -> NDArray[np.int64]:
    """Return times as seconds since 1970, shape ``(rows,)``; :data:`MISSING_DATE` where one is missing."""
    seconds: NDArray[np.int64] = times.dt.epoch("s").cast(pl.Int64).fill_null(MISSING_DATE).to_numpy()
    return seconds


def iso_texts(times: pl.Series) -> list[str]:
    """Return times as text in ISO 8601, nothing where one is missing."""
    return times.dt.strftime("%Y-%m-%dT%H:%M:%S").fill_null("").to_list()


def cells_of(
    raw: Mapping[str, pl.Series], columns: tuple[RawColumn, ...], table: TableInput, *, iso: bool
) -> dict[str, Cells]:
    """Return raw cells by the name of the model's input; dates as text in ISO 8601 or as seconds."""
    cells: dict[str, Cells] = {}
    for column in columns:
        series = raw[column.name].alias(column.name)
        if column.kind == "number":
            cells[column.argument] = numbers_of(series, table)
        elif column.kind == "category":
            cells[column.argument] = texts_of(series)
        else:
            times = times_of(series, table)
            cells[column.argument] = iso_texts(times) if iso else seconds_of(times)
    return cells
