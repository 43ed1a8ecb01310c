"""Decides what is in a column. The thresholds are those of other tools where these agree with our tables."""

from __future__ import annotations

import re
from typing import Any

import polars as pl

from tuner.tables.columns import Column
from tuner.tables.schema import Kind

_CODES = 31  # distinct whole numbers: days of a month, the longest of the usual codes
_LARGEST_CODE = 100  # years are numbers
_CODE_SHARE = 0.05  # of the rows; AutoGluon takes a whole target with fewer distinct values for classes
_UNIQUE = 0.95  # share of distinct values from which a column tells rows apart; AutoGluon has 0.99, LightAutoML 0.999
_ROWS = 20  # with fewer rows, values may all be different by chance
_LONG = 400  # rows; whole numbers that count up so far are no years
_WORDS = 3  # on average, from which text is sentences; as AutoGluon, Ludwig has 5
_REPEATED = 0.1  # share of distinct values below which even long texts are categories
_FEW_TEXTS = 20
_SAMPLE = 10_000  # rows in which words are counted
_HALF = 0.5  # share of distinct values from which the name of a column of text is trusted
_NAMES = frozenset({
    "code", "guid", "id", "identifier", "ids", "idx", "index", "key", "no", "nr", "num", "number", "pk", "row", "uid",
    "uuid",
})  # fmt: skip
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")  # of customerID, CustomerId, customer_id


def kind_of(column: Column) -> Kind:
    """Return what is in a column."""
    values, dtype = column.present, column.values.dtype
    if dtype.is_nested() or (dtype in {pl.Binary, pl.Object, pl.Null} and len(values)):
        return "nested"
    if not len(values):
        return "empty"
    distinct = values.n_unique()
    if distinct == 1 and len(values) == len(column.values):
        return "constant"
    if dtype == pl.Boolean:
        return "boolean"
    if dtype == pl.Datetime:
        return "date"
    return _kind_of_text(column, distinct) if dtype == pl.String else _kind_of_numbers(column, distinct)


def has_name_of_identifier(name: str) -> bool:
    """Return whether a name says that the column tells rows apart, such as ``CustomerId`` or ``No``."""
    return not _NAMES.isdisjoint(word.lower() for word in _WORD.findall(name))


def is_whole(values: pl.Series) -> bool:
    """Return whether all numbers are whole and finite."""
    return bool(values.is_finite().all() and (values == values.round()).all())


def _kind_of_numbers(column: Column, distinct: int) -> Kind:
    values = column.present.cast(pl.Float64)
    if (column.number_format is not None and column.number_format.unit) or not is_whole(values):
        return "number"
    if set(values.unique().to_list()) == {0.0, 1.0}:
        return "boolean"
    if _counts_rows(column, values, distinct):
        return "identifier"
    if has_name_of_identifier(column.name) and len(values) >= _ROWS and distinct >= _UNIQUE * len(values):
        return "identifier"
    few = distinct <= min(_CODES, _CODE_SHARE * len(values))
    return "code" if few and values.is_between(0, _LARGEST_CODE).all() else "number"


def _counts_rows(column: Column, values: pl.Series, distinct: int) -> bool:
    """Return whether the values are the numbers of the rows, in any order."""
    rows = len(column.values)
    if distinct != rows or rows < _ROWS:
        return False
    low: Any = values.min()
    high: Any = values.max()
    if high - low + 1 != rows:
        return False
    return low in {0.0, 1.0} or bool((values.diff().drop_nulls() == 1).all() and rows >= _LONG)


def _kind_of_text(column: Column, distinct: int) -> Kind:
    values = column.present
    share = distinct / len(values)
    words: Any = values.head(_SAMPLE).str.count_matches(r"\S+").mean()
    if words >= _WORDS and distinct > _FEW_TEXTS and share > _REPEATED:
        return "text"
    if distinct >= _ROWS and (share >= _UNIQUE or (share > _HALF and has_name_of_identifier(column.name))):
        return "identifier"
    return "category"
