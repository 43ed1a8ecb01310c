"""Finds out how a CSV file separates and quotes its cells, and whether its first line holds names."""

from __future__ import annotations

import csv
import itertools
import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from tuner.tables.header import FirstLine, is_number, judge
from tuner.tables.missing import is_missing

SEPARATORS = ("\t", ";", "|", ",")  # of those that fit equally well, the first: a comma is often part of a number
_QUOTES = ('"', "'")
_DECIMAL_COMMA = re.compile(r"[+-]?(?:\d+,(?:\d{1,2}|\d{4,})|0,\d+)")  # with three digits, it may separate thousands
_DECIMAL_POINT = re.compile(r"[+-]?(?:\d+\.(?:\d{1,2}|\d{4,})|0\.\d+)")
_MARK = re.compile(r'(?:^|[,;|\t]) *"')
_APOSTROPHE = re.compile(r"(?:^|[,;|\t]) *'")
_YEAR = re.compile("1[89][0-9][0-9]|2[01][0-9][0-9]")
_EXCEL = re.compile(r"sep=([,;|:~^\t])\s*", re.IGNORECASE)  # Excel writes this line and hides it


class Dialect(NamedTuple):
    """How a CSV file is written.

    Attributes:
        separator: The character between two cells.
        quote: The character around a cell that holds separators.
        blank_after: Whether blanks after a separator do not belong to the cell.
        skip: Lines before the first one of the table.
        decimal_comma: Whether numbers have a decimal comma.
    """

    separator: str
    quote: str
    blank_after: bool
    skip: int = 0
    decimal_comma: bool = False

    def reader(self, lines: Iterator[str]) -> Any:
        """Return a reader of the standard library that refuses misplaced quotes."""
        return csv.reader(
            lines, delimiter=self.separator, quotechar=self.quote, skipinitialspace=self.blank_after, strict=True
        )


class Sample(NamedTuple):
    """The first records of a file, read with one dialect.

    Attributes:
        dialect: The dialect.
        records: The cells of each record that is not blank.
        score: The share of the records that are as wide as the first one.
    """

    dialect: Dialect
    records: list[list[str]]
    score: float


def find_dialect(lines: Sequence[str], separator: str | None = None, *, whole: bool) -> Sample:
    """Return the dialect with which most lines have as many cells as the first one.

    Args:
        lines: The first lines of the file.
        separator: The separator, if it is known.
        whole: Whether these are all lines of the file.
    """
    skip = 0
    if lines and (excel := _EXCEL.fullmatch(lines[0])):
        separator, skip, lines = excel[1], 1, lines[1:]
    separators = SEPARATORS if separator is None else (separator,)
    samples = [
        _read(Dialect(separator, quote, blank_after, skip), lines, whole=whole)
        for quote, blank_after, separator in itertools.product(_quotes(lines), (False, True), separators)
    ]
    if _begin_with(_APOSTROPHE, lines) * 2 > len(lines):
        samples = [sample for sample in samples if sample.dialect.quote == "'" and sample.score == 1] or samples
    # A separator that does not occur in the first line leaves one column.
    wide = [sample for sample in samples if sample.records and len(sample.records[0]) > 1]
    narrow = [sample for sample in samples if sample.dialect.separator == separators[-1]]
    best = max(wide or narrow, key=_score)
    cells = [cell.strip() for record in best.records[1:] for cell in record]
    comma = any(map(_DECIMAL_COMMA.fullmatch, cells)) and not any(map(_DECIMAL_POINT.fullmatch, cells))
    return best._replace(dialect=best.dialect._replace(decimal_comma=comma))


def judge_first_line(first: Sequence[str], below: Sequence[Sequence[str]]) -> FirstLine:
    """Decide whether the first record holds the names of the columns.

    A word above numbers is a name. A word that occurs again in its column is a value. Years beside words are names. All
    other cases are those of :func:`tuner.tables.header.judge`.

    Args:
        first: Its cells.
        below: The cells of some records below it.
    """
    first = [cell.strip() for cell in first]
    again = False
    for index, cell in enumerate(first):
        if is_missing(cell) or is_number(cell):
            continue
        column = [row[index].strip() for row in below if index < len(row)]
        values = [value for value in column if not is_missing(value)]
        if values and all(is_number(value.replace(",", ".")) for value in values):
            return FirstLine(names=True, certain=True)
        again = again or cell in values
    if again:
        return FirstLine(names=False, certain=False)
    numbers = [cell for cell in first if is_number(cell) and not is_missing(cell)]
    words = any(not is_number(cell) and not is_missing(cell) for cell in first)
    if words and len(set(numbers)) > 1 and all(map(_YEAR.fullmatch, numbers)):
        return FirstLine(names=True, certain=False)
    return judge(first, below, None)


def _read(dialect: Dialect, lines: Sequence[str], *, whole: bool) -> Sample:
    reader = dialect.reader(iter(lines))
    records: list[list[str]] = []
    lost = 0
    try:
        records.extend(record for record in reader if record)
    except csv.Error:
        # The last record of a sample may go on below it. Everything else counts as lines that do not fit.
        ends_early = reader.line_num >= len(lines)
        lost = 0 if ends_early and not whole else max(1, len(lines) - len(records))
    width = len(records[0]) if records else 0
    agreeing = sum(len(record) == width for record in records)
    return Sample(dialect, records, agreeing / max(1, len(records) + lost))


def _score(sample: Sample) -> float:
    return sample.score


def _quotes(lines: Sequence[str]) -> tuple[str, ...]:
    """Return the possible quotes. Beside quotation marks, apostrophes would hide one that never ends."""
    return _QUOTES[:1] if _begin_with(_MARK, lines) else _QUOTES


def _begin_with(quote: re.Pattern[str], lines: Sequence[str]) -> int:
    """Return the number of lines in which a cell may begin with a quote."""
    return sum(quote.search(line) is not None for line in lines)
