"""Reads a column as the kind that the user named."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, cast, get_args

import polars as pl

from tuner.errors import DataError, UsageError, did_you_mean
from tuner.tables.columns import Column, as_dates, as_numbers, as_text, as_truth, read_column
from tuner.tables.schema import Kind
from tuner.tables.table import RawTable

Override = Literal["number", "boolean", "category", "date", "text", "identifier"]
OVERRIDES: tuple[str, ...] = get_args(Override)

_SIGNS = {"number:,": True, "number:.": False}
_SHOWN = 40  # characters of a cell
_FORMAT_HINT = "name its format as in strftime, as in --column 'day=date:%d.%m.%Y'"
_HINTS = {"date": _FORMAT_HINT, "boolean": "a boolean column has two distinct values"}


def read_as(table: RawTable, name: str, asked: str, *, decimal_comma: bool) -> tuple[Column, Kind]:
    """Return a column, and its kind.

    Args:
        table: The table.
        name: Name of the column.
        asked: One of ``OVERRIDES``, ``date:FORMAT`` with a format as in ``strftime``, or ``number:,`` or ``number:.``,
            which name the decimal sign.
        decimal_comma: Whether the file has decimal commas.

    Raises:
        UsageError: If there is no such kind.
        DataError: If no cell can be read as that kind.
    """
    kind, _, pattern = asked.partition(":")
    if kind not in OVERRIDES or (pattern and kind != "date" and asked not in _SIGNS):
        raise UsageError(f"'{asked}' is no kind of column, in {name}={asked}", hint=did_you_mean(kind, OVERRIDES))
    raw = table.frame[name]
    decimal_comma = _SIGNS.get(asked, decimal_comma)
    usual = read_column(raw, decimal_comma=decimal_comma)
    text = None if usual.values.dtype.is_nested() else as_text(raw)
    if text is not None and not len(text.present):
        return text, "empty"
    column = None if text is None else _read(kind, pattern, usual, text, decimal_comma=decimal_comma)
    if column is None or not len(column.present):
        first = raw.is_not_null().arg_true() if text is None else text.values.is_not_null().arg_true()
        example = f": {table.row(first[0])} holds '{str(raw[first[0]])[:_SHOWN]}'" if len(first) else ""
        raise DataError(f"{table.source}, column '{name}' cannot be read as {asked}{example}", hint=_HINTS.get(kind))
    return column, cast("Kind", kind)


def _read(kind: str, pattern: str, usual: Column, text: Column, *, decimal_comma: bool) -> Column | None:
    readers: dict[str, Callable[[], Column | None]] = {
        "number": lambda: _numbers(usual) or as_numbers(text, decimal_comma=decimal_comma, mostly=False),
        "boolean": lambda: usual if usual.values.dtype == pl.Boolean else as_truth(text),
        "date": lambda: _dates(usual, text, pattern),
    }
    return readers.get(kind, lambda: text)()


def _numbers(usual: Column) -> Column | None:
    if usual.values.dtype == pl.Boolean:
        return Column(usual.name, usual.raw, usual.values.cast(pl.Float64))
    return usual if usual.values.dtype.is_numeric() else None


def _dates(usual: Column, text: Column, pattern: str) -> Column | None:
    if not pattern:
        return usual if usual.values.dtype == pl.Datetime else None
    try:
        return as_dates(text, pattern)
    except pl.exceptions.PolarsError:
        return None
