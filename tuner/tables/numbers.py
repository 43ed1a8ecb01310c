"""Reads texts as numbers: decimal points or commas, thousands separators, percent and currency signs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import polars as pl

_PLAIN = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|[+-]?(?i:inf|infinity)"
_COMMA = r"[+-]?(?:\d+,?\d*|,\d+)(?:[eE][+-]?\d+)?"
# A space may be one of those that do not break a line; the Swiss write an apostrophe.
_GROUPS = {",": ",", ".": r"\.", " ": "[ \u00a0\u202f]", "'": "['\u2019]"}
_CURRENCY = r"[$€£¥₹₩₽]"
_EITHER = r"^[^\d.,]*[1-9]\d{0,2}[.,]\d{3}[^\d.,]*$"
_CODE = r"0\d+"  # 02134 is a postcode: as a number it would lose its zero


class NumberFormat(NamedTuple):
    """How the numbers of a column are written.

    Attributes:
        decimal: ``.`` or ``,``.
        thousands: What separates groups of three digits, or nothing.
        unit: The percent or currency sign that all of them have, or nothing.
    """

    decimal: str = "."
    thousands: str = ""
    unit: str = ""

    @property
    def pattern(self) -> str:
        """The regular expression that the whole text matches, without the unit."""
        if not self.thousands:
            return _PLAIN if self.decimal == "." else _COMMA
        group = _GROUPS[self.thousands]
        point = r"\." if self.decimal == "." else ","
        return rf"[+-]?(?:\d{{1,3}}(?:{group}\d{{3}})+|\d+)(?:{point}\d*)?"

    def parse(self, values: pl.Series) -> pl.Series:
        """Return texts as numbers; what is no number of this format is null."""
        bare = _without_unit(values, self.unit)
        fits = bare.str.contains(f"^(?:{self.pattern})$")
        if self.thousands:
            bare = bare.str.replace_all(_GROUPS[self.thousands], "")
        if self.decimal == ",":
            bare = bare.str.replace(",", ".", literal=True)
        return bare.set(~fits, None).cast(pl.Float64, strict=False)


def formats(values: pl.Series, *, decimal_comma: bool) -> Iterator[NumberFormat]:
    """Yield the formats in which the texts may be numbers, the usual ones first.

    Args:
        values: The distinct texts that are not missing, without blanks around them.
        decimal_comma: Whether other columns of the file have decimal commas: then ``1,234`` is a bit more than one.
    """
    unit = _unit(values)
    points = [NumberFormat(".", "", unit), NumberFormat(".", ",", unit)]
    commas = [NumberFormat(",", "", unit), NumberFormat(",", ".", unit)]
    yield from [*commas, *points] if decimal_comma else [*points, *commas]
    for thousands in (" ", "'"):
        yield from (NumberFormat(decimal, thousands, unit) for decimal in (".", ","))


def is_ambiguous(values: pl.Series, found: NumberFormat, *, decimal_comma: bool) -> bool:
    """Return whether what separates thousands may be a decimal sign: all numbers that have it look like ``1,234``.

    Args:
        values: The distinct texts that are not missing, without blanks around them.
        found: The format in which they were read.
        decimal_comma: Whether the file has decimal commas; then there is no doubt.
    """
    if found.thousands not in {",", "."} or decimal_comma:
        return False
    return bool(values.filter(values.str.contains(found.thousands, literal=True)).str.contains(_EITHER).all())


def are_codes(values: pl.Series) -> bool:
    """Return whether a text begins with a zero that a number would lose."""
    return bool(values.str.contains(f"^{_CODE}$").any())


def _unit(values: pl.Series) -> str:
    """Return the percent or currency sign that all texts have at the same end."""
    for pattern in (r"(%)$", rf"^[+-]?\s*({_CURRENCY})", rf"({_CURRENCY})$"):
        signs = values.str.extract(pattern)
        if len(signs) and not signs.null_count() and signs.n_unique() == 1:
            return str(signs[0])
    return ""


def _without_unit(values: pl.Series, unit: str) -> pl.Series:
    if not unit:
        return values
    has = values.str.contains(unit, literal=True)
    return values.set(~has, None).str.replace(unit, "", literal=True).str.replace_all(r"^([+-]?)\s+|\s+$", "$1")
