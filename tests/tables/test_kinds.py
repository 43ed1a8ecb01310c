"""What is in a column is what a data scientist would say."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.tables.conftest import column_of, inspected, table_of
from tuner.tables.inspection import inspect_table
from tuner.tables.reading import read_table

WORDS = ["red", "green", "blue"]
MANY = list(range(7, 107))


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (["1.5", "2", "-3e2", ".5"], "number"),
        (["10", "20", "35", "41"], "number"),
        ([cell % 4 for cell in range(100)], "code"),
        ([1990 + cell % 4 for cell in range(100)], "number"),
        (["0", "1", "1", "0"], "boolean"),
        (["1.0", "0.0", "1.0"], "boolean"),
        (["Yes", "no", "YES"], "boolean"),
        (["True", "False"], "boolean"),
        (["Male", "Female", "Male"], "category"),
        (WORDS * 10, "category"),
        (["x", "", "x"], "category"),
        (["same", "same"], "constant"),
        (["", "NA", "?"], "empty"),
        ([f"K{cell}-{cell * 7 % 13}" for cell in range(40)], "identifier"),
        (list(range(40)), "identifier"),
        (list(range(40, 0, -1)), "identifier"),
        ([2000 + cell for cell in range(24)], "number"),
        ([f"{cell:05d}" for cell in range(0, 90, 3)] * 2, "category"),
        ([f"the {cell} words of a review, {cell}" for cell in range(40)], "text"),
        (["premium unleaded (required)", "regular unleaded (common)"] * 30, "category"),
        (["2024-01-31", "2024-02-01"], "date"),
        (["31.01.2024 10:30", "01.02.2024 11:00"], "date"),
        (["2024-01-31T10:30:00.5Z", "2024-02-01T00:00:00Z"], "date"),
        (["20240131", "20231201"], "date"),
        (["12345678", "87654321"], "number"),
        (["3 Mar 2024", "14 Apr 2023"], "date"),
    ],
)
def test_the_kind_follows_from_the_cells(cells: Sequence[object], kind: str) -> None:
    """Of a column without a telling name."""
    assert column_of(cells).kind == kind


@pytest.mark.parametrize("name", ["id", "CustomerId", "customerID", "user_id", "No", "KEY", "Order Number"])
def test_a_name_tells_an_identifier(name: str) -> None:
    """Whole numbers that are all different are one only if they are called so, or count the rows."""
    cells: Sequence[object] = [cell * 37 % 1009 for cell in range(100)]

    assert column_of(cells, name).kind == "identifier"
    assert column_of(cells, "width").kind == "number"


@pytest.mark.parametrize(
    "text",
    ["", " ", "NA", "n/a", "N/A", "?", "-", "None", "null", "NaN", "nan", "#N/A", "<NA>", "\\N", "NaT", ".", "NULL"],
)
def test_what_people_write_for_missing_values_is_missing(text: str) -> None:
    """In numbers and in text, with blanks around it too."""
    assert column_of([*MANY, text, f" {text} "]).missing == 2
    assert column_of([*WORDS, text, *WORDS]).missing == 1


def test_namibia_is_not_missing() -> None:
    """``NA`` among country codes is a code, and a note says so. Among other codes it is missing."""
    countries: Sequence[object] = ["DE", "NA", "FR", "US", "", "NA"]
    schema = inspected(code=countries, x=list("abcdef"))

    assert schema.columns[0].missing == 1
    assert schema.notes == ("'code' holds country codes: NA is Namibia, not a missing value",)
    assert column_of(["TX", "NA", "NY", "OH", "NA"]).missing == 2


@pytest.mark.parametrize(
    ("cells", "smallest", "unit"),
    [
        (["1,234", "12,345.5", "999"], 999, ""),
        (["1.234,5", "1.000", "7"], 7, ""),
        (["1,5", "2,25"], 1.5, ""),
        (["1 234", "1 000 000"], 1234, ""),
        (["1'234.5", "2"], 2, ""),
        (["5 %", "12%"], 5, "%"),
        (["$1,200", "$ 900"], 900, "$"),
        (["-€5", "€7"], -5, "€"),
        (["7,50 €", "8,00 €"], 7.5, "€"),
        ([" 5 ", "6  "], 5, ""),
    ],
)
def test_numbers_are_read_as_people_write_them(cells: Sequence[object], smallest: float, unit: str) -> None:
    """Thousands separators, decimal commas, percent and currency signs, blanks around."""
    column = column_of(cells)

    assert (column.kind, column.minimum) == ("number", smallest)
    assert column.written is not None
    assert column.written.unit == unit


def test_a_comma_with_three_digits_separates_thousands_with_a_note() -> None:
    """Unless other columns of the file show that it is a decimal sign, or the user says so."""
    schema = inspected(x=["1,234", "12,345", "999"], y=["1.5", "2.5", "3.5"])

    assert schema.columns[0].maximum == 12345
    assert schema.notes == (
        "'x': in 1,234, the ',' was taken to separate thousands; if it is a decimal sign, use --column 'x=number:,'",
    )
    assert inspect_table(table_of(x=["1,234", "12,345"]), kinds={"x": "number:,"}).schema.columns[0].maximum == 12.345
    assert inspected(x=["1,234.5", "12,345"]).notes == ()


def test_decimal_commas_in_one_column_settle_the_others(tmp_path: Path) -> None:
    """Then a point separates thousands."""
    path = tmp_path / "t.csv"
    path.write_text("a;b;c\n1,5;1.000;1,234\n2,5;2.500;2\n", encoding="utf-8")

    schema = inspect_table(read_table(path)).schema

    assert [column.maximum for column in schema.columns] == [2.5, 2500, 2]
    assert schema.notes == ()


@pytest.mark.parametrize("cells", [["5 %", "6"], ["$5", "€6"], ["1,23,4", "5"], ["1.2.3", "4.5.6"]])
def test_signs_that_differ_are_text(cells: Sequence[object]) -> None:
    """Five per cent and six are not the same kind of number."""
    assert column_of(cells).kind == "category"


def test_a_few_words_among_numbers_count_as_missing_and_are_named() -> None:
    """With the first lines, so that they can be looked at."""
    schema = inspected(x=[*MANY, "unknown", *MANY, "unknown"], y=[0, 1] * 101)

    assert (schema.columns[0].kind, schema.columns[0].missing) == ("number", 2)
    assert schema.warnings[0] == "'x': 'unknown' is no number and counts as missing (rows 101, 202)"


def test_infinite_numbers_are_named() -> None:
    """Also those that are too large for a number."""
    schema = inspected(x=["inf", "1e999", *MANY])

    assert "'x': infinite in rows 1, 2" in schema.warnings
    assert schema.columns[0].maximum == 106


def test_day_and_month_are_told_apart_if_possible() -> None:
    """Else the day is taken to be first, and a note says how to change it."""
    certain = inspected(day=["02/13/2011", "03/01/2011"])
    doubtful = inspected(day=["02/03/2011", "03/01/2011"])

    assert (certain.columns[0].date_format, certain.notes) == ("%m/%d/%Y", ())
    assert doubtful.columns[0].date_format == "%d/%m/%Y"
    assert "use --column 'day=date:%m/%d/%Y'" in doubtful.notes[0]


def test_the_common_values_of_a_category_are_counted() -> None:
    """As they stand in the file, the most frequent first."""
    assert column_of(["b", "a", "b", "No", ""]).common == (("b", 2), ("No", 1), ("a", 1))
    assert column_of(list(itertools.chain(["Yes"], ["No"] * 2))).common == (("No", 2), ("Yes", 1))
