"""Whatever a program writes as CSV is read back with the same cells; any name of a column is data."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tuner.tables.inspection import inspect_table
from tuner.tables.reading import read_table
from tuner.tables.schema import TableSchema

many = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

# Zero bytes and lone surrogates are in no text file.
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
WORD = TEXT.filter(lambda text: any(character.isalpha() for character in text)).filter(
    lambda text: text.lower() not in {"nan", "inf", "infinity"}
)
NAMES = st.lists(WORD, min_size=1, max_size=4, unique_by=str.strip).filter(lambda names: all(map(str.strip, names)))
CELLS = {
    "text": TEXT,
    "number": st.floats(allow_nan=False).map(repr),
    "whole": st.integers(-(10**6), 10**6).map(str),
    "boolean": st.sampled_from(["true", "false", ""]),
    "date": st.dates().map(str),
}


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[str], list[tuple[str, ...]]]:
    """Draw names and rows."""
    names = draw(NAMES)
    kinds = [draw(st.sampled_from(sorted(CELLS))) for _ in names]
    rows = draw(st.lists(st.tuples(*(CELLS[kind] for kind in kinds)), min_size=1, max_size=6))
    return names, rows


def written(names: list[str], rows: list[tuple[str, ...]], **dialect: Any) -> bytes:
    """Return a CSV file in which each cell is quoted, so that there is one way to read it."""
    file = io.StringIO(newline="")
    csv.writer(file, quoting=csv.QUOTE_ALL, **dialect).writerows([names, *rows])
    return file.getvalue().encode()


@many
@given(
    table=tables(),
    separator=st.sampled_from([",", ";", "\t", "|"]),
    quote=st.sampled_from(['"', "'"]),
    end=st.sampled_from(["\n", "\r\n"]),
)
def test_cells_are_read_as_they_were_written(
    tmp_path: Path, table: tuple[list[str], list[tuple[str, ...]]], separator: str, quote: str, end: str
) -> None:
    """With any separator, quote and line end."""
    names, rows = table
    if quote == "'" and any('"' in cell for row in [names, *rows] for cell in row):
        quote = '"'  # with both in the file, only quotation marks are taken for quotes
    path = tmp_path / "t.csv"
    path.write_bytes(written(names, rows, delimiter=separator, quotechar=quote, lineterminator=end))

    read = read_table(path, header=True)

    assert read.frame.columns == [name.strip() for name in names]
    assert read.frame.rows() == rows


@many
@given(table=tables(), target=st.integers(0, 4))
def test_any_table_is_described(tmp_path: Path, table: tuple[list[str], list[tuple[str, ...]]], target: int) -> None:
    """Whatever its cells hold, and with any column as the target; the description survives JSON."""
    names, rows = table
    path = tmp_path / "t.csv"
    path.write_bytes(written(names, rows))

    schema = inspect_table(
        read_table(path, header=True), [*map(str.strip, names), None][target % (len(names) + 1)]
    ).schema

    assert schema.rows == len(rows)
    assert all(0 <= column.missing + min(1, column.distinct) <= len(rows) for column in schema.columns)
    assert TableSchema.model_validate_json(schema.model_dump_json()) == schema


@many
@given(
    frame=st.fixed_dictionaries(
        {
            "text": st.lists(st.none() | TEXT, min_size=4, max_size=4),
            "number": st.lists(st.none() | st.floats(), min_size=4, max_size=4),
            "whole": st.lists(st.none() | st.integers(-(2**63), 2**63 - 1), min_size=4, max_size=4),
            "boolean": st.lists(st.none() | st.booleans(), min_size=4, max_size=4),
            "date": st.lists(st.none() | st.dates(), min_size=4, max_size=4),
            "moment": st.lists(st.none() | st.datetimes(), min_size=4, max_size=4),
        }
    ),
    target=st.sampled_from(["text", "number", "whole", "boolean", "date", "moment"]),
)
def test_any_frame_is_described(frame: dict[str, list[Any]], target: str) -> None:
    """Columns that are empty, infinite or at the end of their range too."""
    schema = inspect_table(read_table(pl.DataFrame(frame, strict=False)), target).schema

    assert TableSchema.model_validate_json(schema.model_dump_json()) == schema


@pytest.mark.parametrize("name", ["\x1b[2J", "a=b", "--target", "[red]x[/red]", "'", "a\nb", "🙂", "x" * 1000])
def test_any_name_of_a_column_is_data(tmp_path: Path, name: str) -> None:
    """Nothing is read as an option, as markup or by the terminal."""
    path = tmp_path / "t.csv"
    path.write_bytes(written([name, "y"], [("1.5", "2"), ("2.5", "3")]))

    schema = inspect_table(read_table(path), name, {name: "category"}, ["y"]).schema

    assert (schema.columns[0].name, schema.columns[0].kind, schema.columns[1].role) == (name, "category", "left out")
