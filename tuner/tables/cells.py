"""Reads the cells of a raw column as numbers, times or categories, as a model's schema says.

Training and prediction read cells with these functions alone, so they cannot differ.
"""

from __future__ import annotations

import polars as pl

from tuner.tables.dates import of_our_time, parse_dates
from tuner.tables.missing import NAMIBIA, missing_mask
from tuner.tables.numbers import NumberFormat
from tuner.tables.schema import NumberStyle

_TRUE, _FALSE = frozenset({"true", "yes", "y", "t", "on"}), frozenset({"false", "no", "n", "f", "off"})
_ISO = ("%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M")


def read_numbers(raw: pl.Series, written: NumberStyle | None, *, decimal_comma: bool = False) -> pl.Series:
    """Return numbers as ``Float64``; null where a cell is missing or no number.

    Args:
        raw: The cells, text or not.
        written: How the numbers were written in the training rows, if they were text.
        decimal_comma: Whether the file of these cells has decimal commas. It counts if ``written`` is not known.
    """
    if raw.dtype != pl.String:
        numeric = raw.dtype.is_numeric() or raw.dtype == pl.Boolean
        return (raw if numeric else _empty(raw, pl.Float64)).cast(pl.Float64, strict=False).fill_nan(None)
    texts = raw.str.strip_chars()
    plain = texts.cast(pl.Float64, strict=False).fill_nan(None) if written in {None, NumberStyle()} else None
    if plain is not None and not decimal_comma and _complete(plain, texts):
        return plain
    style = NumberStyle(decimal="," if decimal_comma else ".") if written is None else written
    numbers = NumberFormat(style.decimal, style.thousands, style.unit).parse(texts).fill_nan(None)
    words = texts.str.to_lowercase()
    truth = pl.select(
        pl.when(words.is_in(list(_TRUE))).then(1.0).when(words.is_in(list(_FALSE))).then(0.0).otherwise(None)
    ).to_series()
    return numbers.fill_null(truth).set(missing_mask(texts).fill_null(value=True), None)


def read_times(raw: pl.Series, date_format: str | None) -> pl.Series:
    """Return times as ``Datetime`` of whole seconds; null where a cell is missing or of another format.

    Times are those of 1800 to 2200. Fractions of a second are left out, because exported models take none.

    Args:
        raw: The cells, text or times.
        date_format: How times are written as text, as in ``strftime``; without it, as in ISO 8601.
    """
    if isinstance(raw.dtype, pl.Date | pl.Datetime):
        return of_our_time(raw.cast(pl.Datetime("us"))).dt.truncate("1s")
    if raw.dtype == pl.String or (date_format is not None and raw.dtype.is_numeric()):
        texts = read_categories(raw)
        if date_format is not None:
            return parse_dates(texts, date_format).dt.truncate("1s")
        times = parse_dates(texts, "%Y-%m-%d")
        for iso in _ISO:
            if times.null_count() > texts.null_count():
                times = times.fill_null(parse_dates(texts, iso))
        return times.dt.truncate("1s")
    return _empty(raw, pl.Datetime("us"))


def read_categories(raw: pl.Series, *, namibia: bool = False) -> pl.Series:
    """Return categories as text without blanks around them; null where a cell is missing.

    Whole numbers are written without a decimal point, whatever their type: ``3`` and ``3.0`` are the same category.

    Args:
        raw: The cells.
        namibia: Whether ``NA`` is a country and not a missing value.
    """
    if raw.dtype == pl.Float64:
        raw = raw.fill_nan(None)
        whole = (raw == raw.round()) & (raw.abs() < 2**53)
        integers = raw.set(~whole.fill_null(value=False), None).cast(pl.Int64, strict=False).cast(pl.String)
        return integers.fill_null(raw.cast(pl.String))
    if raw.dtype == pl.Boolean:
        return raw.cast(pl.String).str.to_titlecase()
    texts = (raw if raw.dtype == pl.String else raw.cast(pl.String)).str.strip_chars()
    missing = missing_mask(texts).fill_null(value=True)
    return texts.set(missing & (texts != NAMIBIA) if namibia else missing, None)


def without_point(texts: pl.Series) -> pl.Series:
    """Return ``3`` for texts such as ``3.0``, and other texts unchanged."""
    return texts.str.replace(r"^([+-]?\d+)\.0*$", "$1")


def present(raw: pl.Series) -> pl.Series:
    """Return which cells hold something, whatever it is."""
    if raw.dtype == pl.String:
        return ~missing_mask(raw).fill_null(value=True)
    return raw.is_not_null() & (raw.is_not_nan() if raw.dtype == pl.Float64 else True)


def _empty(raw: pl.Series, dtype: pl.DataType | type[pl.DataType]) -> pl.Series:
    return pl.repeat(None, len(raw), dtype=dtype, eager=True)


def _complete(numbers: pl.Series, texts: pl.Series) -> bool:
    """Return whether only missing cells are no numbers; most columns are so, and this is the fast way."""
    empty = numbers.is_null()
    return not empty.any() or bool(missing_mask(texts.filter(empty)).all())
