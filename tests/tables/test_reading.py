"""What is no table is refused with the line; files, frames and Parquet give the same columns."""

from __future__ import annotations

import contextlib
import datetime as dt
import gzip
from pathlib import Path

import polars as pl
import pytest

from tests.tables.conftest import Write
from tuner import memory
from tuner.errors import DataError, UsageError
from tuner.tables.inspection import inspect_table
from tuner.tables.reading import read_table


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b,c\n1,2,3\n\n4,5\n", "line 4: 2 cells, expected 3"),
        ("a,b,c\n1,2,3\n4,5,6,7\n", "line 3: 4 cells, expected 3"),
        ('a,b\n1,"x\ny"\n1,2,3\n', "line 4: 3 cells, expected 2"),
        ("a,b,a\n1,2,3\n", "columns 1 and 3 are both named 'a'"),
        ("a, a \n1,2\n", "columns 1 and 2 are both named 'a'"),
        ("", "is empty"),
        ("\n\n", "is empty"),
        ("a,b,c\n", "has 0 rows below its header line"),
        ("a,b\n1,2\n3,\0\n", "line 3: a zero byte"),
        ('a,b\n1,x\n1,"x\n2,y\n', 'line 3: a cell begins with " and never ends'),
        ('a,b\n1,"x"y\n2,y\n', 'line 2: text follows the " that ends a cell'),
        (b"a,b\n1,\x81\n", "the byte 0x81 fits none of"),
    ],
    ids=["short", "long", "after two lines", "names", "names with blanks", "empty", "blank", "no rows", "zero byte",
         "open quote", "closed quote", "no text"],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_line(write: Write, text: str | bytes, message: str) -> None:
    """Lines count from 1, and blank ones count."""
    with pytest.raises(DataError) as error:
        read_table(write(text))

    assert message in str(error.value)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.csv.gz", gzip.compress(b"a,b\n1,2\n" * 999)[:-9], "damaged"),
        ("t.csv.gz", b"a,b\n1,2\n", "damaged"),
        ("t.parquet", b"a,b\n1,2\n", "is no Parquet file, or damaged"),
        ("t.xlsx", b"a,b\n1,2\n", "is no table"),
    ],
    ids=["cut off", "no gzip", "no Parquet file", "another kind"],
)
def test_damaged_and_other_files_are_refused(write: Write, name: str, content: bytes, message: str) -> None:
    """In one line, without a traceback."""
    with pytest.raises(DataError, match=message):
        read_table(write(content, name))


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    """As are objects that are no frames."""
    with pytest.raises(DataError, match="there is no file"):
        read_table(tmp_path / "no.csv")
    with pytest.raises(DataError, match="is not a file"):
        read_table(tmp_path)
    with pytest.raises(UsageError, match="dict is no table"):
        read_table({"a": [1]})


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "t.parquet"])
def test_a_table_larger_than_memory_is_not_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """The message says what it needs and what there is. A small ``.gz`` may be huge, and so may a Parquet file."""
    frame = pl.DataFrame({"a": [0] * 500_000, "b": [0] * 500_000})
    path = tmp_path / name
    if name == "t.parquet":
        frame.write_parquet(path)
    else:
        content = frame.write_csv().encode()
        path.write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    monkeypatch.setattr(memory, "available_memory", lambda: 10**7)

    with pytest.raises(DataError, match=r"t\.\S+ needs \d+\.\d MB of memory, 10\.0 MB are available"):
        read_table(path)


def test_a_column_without_a_name_gets_one(write: Write) -> None:
    """Pandas writes its index so. Names that exist are not given again."""
    table = read_table(write(",column_1,b\n0,2,x\n1,3,y\n"))

    assert table.frame.columns == ["column_1_", "column_1", "b"]
    assert table.notes == ("column 1 has no name: it is called 'column_1_'",)


def test_a_parquet_file_keeps_its_types(tmp_path: Path) -> None:
    """Lists, records and bytes are left out by name; all other types become numbers, text, dates or truth values."""
    frame = pl.DataFrame({
        "whole": [1, 2, 3], "list": [[1], [2], [3]], "day": [dt.date(2024, 1, day) for day in (1, 2, 3)],
        "time": [dt.time(1), dt.time(2), dt.time(3)], "bytes": [b"x"] * 3, "record": [{"q": 1}] * 3,
        "category": pl.Series(["x", "y", "x"], dtype=pl.Categorical),
        "huge": pl.Series([2**64 - 1, 1, 2], dtype=pl.UInt64),
        "null": [None] * 3, "decimal": pl.Series(["1.5", "2", "3"]).cast(pl.Decimal(10, 2)),
        "span": [dt.timedelta(1), dt.timedelta(2), dt.timedelta(3)], "truth": [True, None, False],
        "moment": [dt.datetime(2024, 1, day, tzinfo=dt.UTC) for day in (1, 2, 3)], "nan": [1.5, float("nan"), 2.0],
    })  # fmt: skip
    frame.write_parquet(tmp_path / "t.parquet")

    schema = inspect_table(read_table(tmp_path / "t.parquet")).schema

    assert {column.name: column.kind for column in schema.columns} == {
        "whole": "number", "list": "nested", "day": "date", "time": "number", "bytes": "nested", "record": "nested",
        "category": "category", "huge": "number", "null": "empty", "decimal": "number", "span": "number",
        "truth": "boolean", "moment": "date", "nan": "number",
    }  # fmt: skip
    assert [column.missing for column in schema.columns if column.name in {"truth", "nan"}] == [1, 1]


def test_a_damaged_parquet_file_prints_nothing_but_the_error(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Some damage makes threads of polars panic, which write to stderr by themselves."""
    path = tmp_path / "t.parquet"
    pl.DataFrame({"a": [1.5, 2.5], "b": ["x", "y"]}).write_parquet(path)
    valid = path.read_bytes()
    for place in range(4, len(valid)):
        path.write_bytes(valid[:place] + bytes([valid[place] ^ 64]) + valid[place + 1 :])
        with contextlib.suppress(DataError):
            read_table(path)

    assert capfd.readouterr() == ("", "")


def test_a_pandas_frame_is_read_without_further_packages() -> None:
    """``pandas`` is no dependency; who has a frame of it has imported it."""
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"x": [1.5, None], "name": ["a", None], "day": pandas.to_datetime(["2024-01-01", None])})

    schema = inspect_table(read_table(frame)).schema

    assert [(column.kind, column.missing) for column in schema.columns] == [("number", 1), ("category", 1), ("date", 1)]
