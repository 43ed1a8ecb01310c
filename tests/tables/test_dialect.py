"""How a CSV file is written is found out: encoding, separator, quotes, decimal comma and header line."""

from __future__ import annotations

import gzip

import pytest

from tests.tables.conftest import Write
from tuner.errors import DataError
from tuner.tables.reading import read_table

ROWS = [["name", "x"], ["Jürgen", "1"], ["René", "2"]]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("quote", ['"', "'"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_separator_quote_and_encoding_are_found(write: Write, separator: str, quote: str, encoding: str) -> None:
    """In any combination, as spreadsheets of different countries write them."""
    text = "\r\n".join(separator.join(f"{quote}{cell}{quote}" for cell in row) for row in ROWS)

    table = read_table(write(text.encode(encoding)))

    assert table.frame.rows() == [("Jürgen", "1"), ("René", "2")]
    assert table.csv is not None
    assert (table.csv.dialect.separator, table.csv.dialect.quote) == (separator, quote)
    assert table.csv.encoding.replace("-sig", "") == encoding.replace("-sig", "")


def test_windows_1252_is_said_to_be_a_guess(write: Write) -> None:
    """Every byte is some letter in such an encoding, so a wrong guess is not noticed by itself."""
    table = read_table(write("name,x\nJürgen,1\n".encode("cp1252")))

    assert table.notes == ("the text is not UTF-8: it was read as Windows-1252",)


def test_damaged_utf8_is_not_read_as_another_encoding(write: Write) -> None:
    """One wrong byte would turn every é of the file into Ã©."""
    with pytest.raises(DataError, match="line 4: not UTF-8 text, as the rest of the file is"):
        read_table(write("name,x\nJürgen,1\nRené,2\n".encode() + b"Ren\xe9,3\n"))


def test_utf16_without_a_mark_is_found(write: Write) -> None:
    """Some database programs write it so."""
    table = read_table(write("name,x\nJo,1\nMo,2\n".encode("utf-16-le")))

    assert table.frame.rows() == [("Jo", "1"), ("Mo", "2")]


def test_a_comma_inside_numbers_is_no_separator(write: Write) -> None:
    """Nor is one inside text."""
    table = read_table(write("a;b\n1,5;2,25\n3,5;x, y\n"))

    assert table.frame.rows() == [("1,5", "2,25"), ("3,5", "x, y")]
    assert table.csv is not None
    assert table.csv.dialect.decimal_comma


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("sep=;\r\na;b\r\n1;2\r\n", [("1", "2")]),
        ("a,b\r1,2\r3,4\r", [("1", "2"), ("3", "4")]),
        ('a, b\n1, "x, y"\n2, "z"\n', [("1", "x, y"), ("2", "z")]),
        ('a,b\n1,5" pipe\n2,6" pipe\n', [("1", '5" pipe'), ("2", '6" pipe')]),
        ('a,b\n\n1,"two\nlines"\n\n', [("1", "two\nlines")]),
        ("text\nhello world\n", [("hello world",)]),
        ('a,b\n1,"say ""hi"""\n', [("1", 'say "hi"')]),
    ],
    ids=["Excel", "old Mac", "blanks before quotes", "inches", "line break in a cell", "one column", "doubled quotes"],
)
def test_what_other_programs_write_is_read(write: Write, text: str, rows: list[tuple[str, ...]]) -> None:
    """Cells are as the program meant them."""
    assert read_table(write(text)).frame.rows() == rows


def test_tsv_files_have_tabs_and_gz_files_are_unpacked(write: Write) -> None:
    """By the name of the file."""
    packed = gzip.compress(b"a\tb,c\n1\t2,3\n")

    assert read_table(write(packed, "table.tsv.gz")).frame.columns == ["a", "b,c"]


@pytest.mark.parametrize(
    ("text", "names", "certain"),
    [
        ("age,city\n31,Rome\n", True, True),
        ("ham,1,2.5\nspam,2,3.5\nham,3,9\n", False, False),
        ("ham,first\nspam,second\nham,third\n", False, False),
        ("country,2019,2020\nFrance,1.5,2\nSpain,2,2.5\n", True, False),
        ("0,1,2\n5.5,6.5,7.5\n", True, False),
        ("5.1,3.5\n4.9,3.0\n", False, True),
    ],
)
def test_the_first_line_is_names_or_a_row(write: Write, text: str, names: bool, certain: bool) -> None:
    """In doubt, a note says what it was taken for, and the option that changes it."""
    table = read_table(write(text))

    assert table.csv is not None
    assert table.csv.header is names
    assert table.frame.height == text.count("\n") - names
    assert ("use --no-header" in "".join(table.notes)) == (names and not certain)
    assert ("use --header" in "".join(table.notes)) == (not names and not certain)


def test_the_user_can_say_whether_there_is_a_header(write: Write) -> None:
    """In both directions."""
    path = write("ham,1\nspam,2\nham,3\n")

    assert read_table(path, header=True).frame.columns == ["ham", "1"]
    assert read_table(path, header=False).frame.columns == ["column_1", "column_2"]
