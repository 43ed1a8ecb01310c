"""Reads texts as dates and times."""

from __future__ import annotations

import itertools
import re
from functools import cache
from typing import Any, NamedTuple

import polars as pl

# Where day and month can be exchanged, the day first: so most of the world writes.
_DATES = (
    "%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y%m%d",
    "%d %b %Y", "%d-%b-%Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%d/%m/%y", "%m/%d/%y", "%d.%m.%y", "%d-%b-%y",
)  # fmt: skip
_TIMES = ("", " %H:%M:%S%.f", " %H:%M", "T%H:%M:%S%.f", "T%H:%M:%S%.fZ", "T%H:%M", " %I:%M:%S %p", " %I:%M %p")
_FORMATS = tuple(date + time for date, time in itertools.product(_DATES, _TIMES))
_SHAPES = {
    ".": r"\.", r"%\.f": r"(?:\.\d+)?", "%Y": r"\d{4}", "%y": r"\d\d", "%b": "[A-Za-z]{3}", "%B": "[A-Za-z]+",
    "%p": "[AaPp][Mm]", "%m": r"\d\d?", "%d": r"\d\d?", "%H": r"\d\d?", "%I": r"\d\d?", "%M": r"\d\d?", "%S": r"\d\d?",
}  # fmt: skip
_EXCHANGED = str.maketrans("dm", "md")
FIRST_YEAR, LAST_YEAR = 1800, 2200  # eight digits that are a date by chance are rarely one of these years
_SHORTEST = 6  # characters: 1/2/24
_FEW = 100  # texts that a format must fit before it is tried on all


class Dates(NamedTuple):
    """Texts read as times.

    Attributes:
        values: The times; null where the format does not fit.
        format: The format, as ``strftime`` writes it.
        ambiguous: Whether the format with day and month exchanged fits as well.
    """

    values: pl.Series
    format: str
    ambiguous: bool


def find_dates(values: pl.Series) -> Dates | None:
    """Return distinct texts as times, or ``None`` if no format fits all of them."""
    few = values.head(_FEW)
    shortest: Any = few.str.len_chars().min()
    if not few.str.contains(r"\d").all() or shortest < _SHORTEST:
        return None
    for pattern in _FORMATS:
        if not _shape(pattern).fullmatch(few[0]) or parse_dates(few, pattern).null_count():
            continue
        found = parse_dates(values, pattern)
        if found.null_count():
            continue
        other = pattern.translate(_EXCHANGED)
        ambiguous = other in _FORMATS and not parse_dates(values, other).null_count()
        return Dates(found, pattern, ambiguous and not parse_dates(values, other).equals(found))
    return None


@cache
def _shape(pattern: str) -> re.Pattern[str]:
    """Return a regular expression that every time of a format matches; it is much faster than reading one."""
    for name, shape in _SHAPES.items():
        pattern = pattern.replace(name, shape)
    return re.compile(pattern)


def parse_dates(values: pl.Series, pattern: str) -> pl.Series:
    """Return texts as times; null where the format does not fit, or the year is none of our time.

    Args:
        values: The texts.
        pattern: The format, as ``strftime`` writes it.

    Raises:
        pl.exceptions.PolarsError: If the format is none.
    """
    return of_our_time(values.str.to_datetime(pattern, strict=False, time_unit="us"))


def of_our_time(times: pl.Series) -> pl.Series:
    """Return times, null where the year is none of our time: programs write 9999-12-31 or 0001-01-01 for none."""
    return times.set(~times.dt.year().is_between(FIRST_YEAR, LAST_YEAR).fill_null(value=False), None)
