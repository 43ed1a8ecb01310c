"""Reads one column: its missing cells, and its values as numbers, times, truth values or text."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from tuner.tables.dates import find_dates, parse_dates
from tuner.tables.missing import NAMIBIA, are_countries, missing_mask
from tuner.tables.numbers import NumberFormat, are_codes, formats, is_ambiguous
from tuner.tables.schema import NumberStyle

# Texts that are no numbers, in a column of numbers: either a few words, such as "unknown", or a few cells.
_WORDS = 3
_SHARE = 0.05
_NUMBERS = 20  # distinct numbers that such a column has at least

_NOT_PLAIN = r"^0\d|[^0-9.eE+-]"
_NO_POINTS = r"^0\d|[^0-9eE+-]"
_DATE_NUMBERS = (18000101, 22001231)

_TRUTH = ({"yes", "no"}, {"true", "false"}, {"y", "n"}, {"t", "f"}, {"on", "off"}, {"ja", "nein"}, {"oui", "non"},
          {"si", "no"}, {"sí", "no"}, {"sim", "não"})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Column:
    """A column after its texts were read.

    Attributes:
        name: Its name.
        raw: The cells as they were read.
        values: Numbers, times, truth values or text without blanks around it; null where a cell is missing.
        number_format: How its numbers are written, if they were text.
        date_format: How its times are written, if they were text.
        unreadable: Rows whose cells are no number, in a column of numbers. They count as missing.
        notes: What was assumed about the column, one line each.
    """

    name: str
    raw: pl.Series
    values: pl.Series
    number_format: NumberFormat | None = None
    date_format: str | None = None
    unreadable: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def written(self) -> NumberStyle | None:
        """How its numbers are written, if they were text, as a schema stores it."""
        return None if self.number_format is None else NumberStyle(**self.number_format._asdict())

    @property
    def present(self) -> pl.Series:
        """The values that are not missing."""
        return self.values.drop_nulls()


def read_column(raw: pl.Series, *, decimal_comma: bool) -> Column:
    """Return a column with its values as what all of them are, or as text.

    Args:
        raw: The cells.
        decimal_comma: Whether the file has decimal commas.
    """
    if raw.dtype != pl.String:
        return Column(raw.name, raw, raw.fill_nan(None) if raw.dtype == pl.Float64 else raw)
    column = as_text(raw)
    if (plain := _plain_numbers(column, decimal_comma=decimal_comma)) is not None:
        return plain
    unique = column.present.unique(maintain_order=True)
    if not len(unique):
        return column
    truth = _truth(unique)
    if truth is not None:
        return _with(column, column.values.str.to_lowercase().replace_strict(truth, default=None))
    if (dated := find_dates(unique)) is not None:
        notes = (_order_note(raw.name, unique, dated.format),) if dated.ambiguous else ()
        values = column.values.replace_strict(unique, dated.values, default=None, return_dtype=pl.Datetime("us"))
        return _with(column, values, date_format=dated.format, notes=notes)
    return as_numbers(column, decimal_comma=decimal_comma, mostly=True) or column


def _plain_numbers(column: Column, *, decimal_comma: bool) -> Column | None:
    """Return a column whose texts are all plain numbers, and no dates or codes; most are, and this is the fast way."""
    values = column.values
    if not len(values) - values.null_count() or values.str.contains(_NO_POINTS if decimal_comma else _NOT_PLAIN).any():
        return None
    numbers = values.cast(pl.Float64, strict=False)
    if numbers.null_count() > values.null_count() or numbers.is_between(*_DATE_NUMBERS).all():
        return None
    return _with(column, numbers, number_format=NumberFormat())


def as_text(raw: pl.Series) -> Column:
    """Return a column with its values as text."""
    if raw.dtype != pl.String:
        return Column(raw.name, raw, raw.cast(pl.String))
    values = raw.str.strip_chars()
    missing = missing_mask(values)
    notes: tuple[str, ...] = ()
    if missing.any() and are_countries(values.drop_nulls().unique()):
        missing &= values != NAMIBIA
        notes = (f"'{raw.name}' holds country codes: NA is Namibia, not a missing value",)
    return Column(raw.name, raw, values.set(missing.fill_null(value=True), None), notes=notes)


def as_numbers(column: Column, *, decimal_comma: bool, mostly: bool) -> Column | None:
    """Return a column of text as numbers, or ``None`` if it holds others texts.

    Args:
        column: The column.
        decimal_comma: Whether the file has decimal commas.
        mostly: Whether most cells must be numbers; else one is enough.
    """
    unique = column.present.unique(maintain_order=True)
    if mostly and are_codes(unique):
        return None
    best, parsed = None, pl.Series([None] * len(unique), dtype=pl.Float64)
    for candidate in formats(unique, decimal_comma=decimal_comma):
        numbers = candidate.parse(unique)
        if best is None or numbers.null_count() < parsed.null_count():
            best, parsed = candidate, numbers
        if not numbers.null_count():
            break
    values = column.values.replace_strict(unique, parsed, default=None, return_dtype=pl.Float64)
    unreadable = (values.is_null() & column.values.is_not_null()).arg_true().to_list()
    if parsed.null_count() == len(parsed):
        return None
    if mostly and unreadable:
        few_words = parsed.null_count() <= _WORDS or len(unreadable) <= _SHARE * len(column.present)
        if not few_words or parsed.drop_nulls().n_unique() < _NUMBERS:
            return None
    notes = column.notes
    if best is not None and is_ambiguous(unique, best, decimal_comma=decimal_comma):
        signed = unique.filter(unique.str.contains(best.thousands, literal=True))[0]
        notes = (*notes, _thousands_note(column.name, signed, best.thousands))
    return _with(column, values, number_format=best, unreadable=tuple(unreadable), notes=notes)


def as_dates(column: Column, pattern: str) -> Column:
    """Return a column of text as times. Where the format does not fit, the cell counts as missing.

    Raises:
        pl.exceptions.PolarsError: If the format is none.
    """
    values = parse_dates(column.values, pattern)
    unreadable = (values.is_null() & column.values.is_not_null()).arg_true().to_list()
    return _with(column, values, date_format=pattern, unreadable=tuple(unreadable))


def as_truth(column: Column) -> Column | None:
    """Return a column of text with two distinct values as truth values, or ``None`` if it has another number of them.

    Of words that do not say which of them is true, the later one in the alphabet is.
    """
    unique = column.present.str.to_lowercase().unique().sort().to_list()
    if len(unique) != 2:  # noqa: PLR2004 - true and false
        return None
    truth = _truth(pl.Series(unique)) or dict(zip(unique, (False, True), strict=True))
    return _with(column, column.values.str.to_lowercase().replace_strict(truth, default=None))


def _with(
    column: Column,
    values: pl.Series,
    *,
    number_format: NumberFormat | None = None,
    date_format: str | None = None,
    unreadable: tuple[int, ...] = (),
    notes: tuple[str, ...] = (),
) -> Column:
    return Column(column.name, column.raw, values.alias(column.name), number_format, date_format, unreadable, notes)


def _truth(unique: pl.Series) -> dict[str, bool] | None:
    words = set(unique.str.to_lowercase().to_list()) if len(unique) <= 2 * len(_TRUTH) else set()
    if words not in _TRUTH:
        return None
    return {word: word not in {"no", "false", "n", "f", "off", "nein", "non", "não"} for word in words}


def _thousands_note(name: str, example: str, sign: str) -> str:
    return (
        f"'{name}': in {example}, the '{sign}' was taken to separate thousands; if it is a decimal sign, "
        f"use --column '{name}=number:{sign}'"
    )


def _order_note(name: str, unique: pl.Series, pattern: str) -> str:
    swapped = pattern.translate(str.maketrans("dm", "md"))
    return (
        f"'{name}': day and month can be exchanged in all cells, such as {unique[0]}; the day was taken to be first "
        f"({pattern}). If the month is, use --column '{name}=date:{swapped}'"
    )
