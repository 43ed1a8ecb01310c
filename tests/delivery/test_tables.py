"""Rows from CSV files: which line holds names, and which columns are features."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.delivery.conftest import load_rows
from tuner.delivery.manifest import InputSpec
from tuner.delivery.rows import BATCH
from tuner.errors import DataError, UsageError
from tuner.tables.header import judge

NAMED = InputSpec(shape=(3,), dtype="float32", scale=1, columns=("x", "y", "z"))


def features(count: int, dtype: str = "float32") -> InputSpec:
    """A model of so many columns without names."""
    return InputSpec(shape=(count,), dtype=dtype, scale=1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "rows.csv"


@pytest.mark.parametrize("first", [0, 1])
def test_a_header_of_numbers_is_no_row(path: Path, first: int) -> None:
    """Pandas writes 0,1,2,… for columns without names, other programs 1,2,3,…; stderr says what the line was."""
    names = ",".join(str(first + i) for i in range(64))
    path.write_text("\n".join([names, *[",".join("7" * 64)] * 3]))
    notes: list[str] = []

    assert load_rows([path], features(64, "uint8"), notes).tolist() == [[7] * 64] * 3
    line = f"{first},{first + 1},{first + 2},…,{first + 63}"
    assert notes == [f"{path}: took the first line ({line}) for names of columns; if it is a row, use --no-header"]


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("0\n5.1\n4.9\n6.2\n", [5.1, 4.9, 6.2]),
        ("0\n10\n20\n30\n", [10, 20, 30]),
        ("0\n1\n0\n1\n", [0, 1, 0, 1]),
        ("1\n2\n3\n", [1, 2, 3]),
        ("0\n", [0]),
    ],
)
def test_a_single_column_is_compared_with_the_values_below(path: Path, text: str, rows: list[float]) -> None:
    """A 0 above other values is the name that pandas writes; a 0 among zeros is a value."""
    path.write_text(text)

    assert load_rows([path], features(1)).ravel().tolist() == pytest.approx(rows)


@pytest.mark.parametrize(
    ("header", "rows", "certain"),
    [
        ("0,1", 1, False),  # pandas
        ("1,2", 2, True),  # as likely a row
        ("0.5,1.5", 2, True),
        ("2019,2020,2021,2022", 1, False),  # whole numbers above numbers with a fraction
        ("nan,inf", 2, True),  # values that are refused later, and never dropped as a header
        ("a,nan", 1, True),
        (",0,1", 1, True),
        ("label,0,1", 1, True),
        ("cat,3,7", 2, False),
    ],
)
def test_the_first_line_is_judged_by_more_than_its_numbers(header: str, rows: int, certain: bool) -> None:
    """In doubt, the verdict is not certain, and the caller says what the line was taken for."""
    below = [["0.25"] * (header.count(",") + 1)] * 3

    verdict = judge(header.split(","), below, None)

    assert (2 - verdict.names, verdict.certain) == (rows, certain)


@given(st.lists(st.lists(st.floats(-9, 9), min_size=4, max_size=4).map(lambda row: [str(x) for x in row]), min_size=2))
def test_floats_are_never_taken_for_names(rows: list[list[str]]) -> None:
    """No row of floats, as pandas and NumPy write them, is lost."""
    assert not judge(rows[0], rows[1:], None).names


def test_the_options_decide_in_doubt(path: Path) -> None:
    """With --no-header every line is a row, with --header the first one never is."""
    path.write_text("0,1\n2,3\n")

    assert load_rows([path], features(2), header=False).tolist() == [[0, 1], [2, 3]]
    assert load_rows([path], features(2), header=True).tolist() == [[2, 3]]


def test_names_of_the_model_make_a_header(path: Path) -> None:
    """A model whose columns are called 0, 1 and 5 finds them in any order."""
    path.write_text("5,0,1\n7,8,9\n")
    spec = InputSpec(shape=(3,), dtype="float32", scale=1, columns=("0", "1", "5"))

    assert load_rows([path], spec).tolist() == [[8, 9, 7]]


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        (",a,b\n0,1,2\n1,3,4\n", "'' (pandas' index)", "--ignore-column ''; df.to_csv(FILE, index=False)"),
        ("Unnamed: 0,a,b\n0,1,2\n1,3,4\n", "'Unnamed: 0' (pandas' index)", "--ignore-column 'Unnamed: 0'"),
        ("a,b,species\n1,2,cat\n3,4,dog\n", "'species' (text)", "--ignore-column species"),
        ("0,1,kind of\n1,2,0\n3,4,1\n", "'kind of' (the others are numbered)", "--ignore-column 'kind of'"),
        ("a,b,c\n1,2,0\n3,4,1\n", "the columns are a, b, c", "--ignore-column NAME"),
        ("0,1,2\n1,3,4\n2,5,6\n", "the columns are 0, 1, 2", "--ignore-column NAME"),
        ("a,b,\n1,2,\n3,4,\n", "'' (empty)", "--ignore-column ''"),
        ("1.5,2.5,\n3.5,4.5,\n", "the last one is empty", "remove the separator at the end of each line"),
        ("0,1.5,2.5\n1,3.5,4.5\n", "the first one counts the rows", "df.to_csv(FILE, index=False)"),
    ],
)
def test_a_column_too_many_is_named_with_what_to_do(path: Path, text: str, message: str, hint: str) -> None:
    """Pandas' index and a label of any name are recognised, and nothing is left out silently."""
    path.write_text(text)

    with pytest.raises(DataError, match=r"has 3 columns, expected 2 \(2\)") as caught:
        load_rows([path], features(2))

    assert message in str(caught.value)
    assert hint in str(caught.value.hint)


@pytest.mark.parametrize(
    ("header", "message", "hint"),
    [
        (",x,y,z", "unknown: '' (pandas' index)", "--ignore-column ''; df.to_csv(FILE, index=False)"),
        ("species,x,y,z", "unknown: species", "leave out what is no feature: --ignore-column species"),
        ("x,z,a,b", "missing: y; unknown: a, b", "expected, in any order: x, y, z"),
    ],
)
def test_columns_that_the_model_does_not_know_are_named(path: Path, header: str, message: str, hint: str) -> None:
    """If nothing is missing, the hint leaves out what is too much."""
    path.write_text(f"{header}\n1,2,3,4\n")

    with pytest.raises(DataError) as caught:
        load_rows([path], NAMED)

    assert message in str(caught.value)
    assert hint in str(caught.value.hint)


def test_columns_are_ignored_by_name_whatever_they_hold(path: Path) -> None:
    """A column that is left out may hold text."""
    path.write_text(",species,a,b\n0,cat,1,2\n1,a dog,3,4\n")

    assert load_rows([path], features(2), ignore=("", "species")).tolist() == [[1, 2], [3, 4]]
    with pytest.raises(UsageError, match="has no column 'specie'"):
        load_rows([path], features(2), ignore=("specie",))


def test_a_feature_called_y_is_a_feature(path: Path) -> None:
    """A column of the model is never left out, even if labels often have its name."""
    path.write_text("x,y,z\n1,2,3\n")
    notes: list[str] = []

    assert load_rows([path], NAMED).tolist() == [[1, 2, 3]]
    assert load_rows([path], features(3), notes).tolist() == [[1, 2, 3]]
    assert notes == [f"{path}: column 'y' is used as input, because the model has 3 columns"]
    assert load_rows([path], features(2)).tolist() == [[1, 3]]


def test_a_label_column_may_hold_text(path: Path) -> None:
    """It is left out unread."""
    path.write_text("a,b,label\n1,2,cat\n3,4,dog\n")

    assert load_rows([path], features(2)).tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize(
    ("text", "where", "hint"),
    [
        ("1,x,3\n4,5,6\n", "line 1, column 2: 'x' is not a number", "use --header"),
        ("1,5;2;3\n4,5;5;6\n", "line 1, column 1: '1,5' is not a number", "with a decimal point, such as 1.5"),
        ("a;b;c\n1;2;x\n", "line 2, column 3: 'x' is not a number", "only the header line may hold text"),
    ],
)
def test_a_cell_that_is_no_number_is_named(path: Path, text: str, where: str, hint: str) -> None:
    """The hint depends on the cell and on what the first line was taken for."""
    path.write_text(text)

    with pytest.raises(DataError, match=where) as caught:
        load_rows([path], features(3))

    assert hint in str(caught.value.hint)


def test_a_line_without_end_is_not_read_to_its_end(path: Path) -> None:
    """A line is longer than any row can be, so the file is something else."""
    path.write_text("1," * 600_000)

    with pytest.raises(DataError, match="line 1: more than 1048703 characters"):
        load_rows([path], features(2))


def test_lines_are_counted_across_batches(path: Path) -> None:
    """A wrong line far down is named, and the rows before it are read as they are."""
    rows = np.arange(2 * (BATCH + 5)).reshape(-1, 2) / 2
    np.savetxt(path, rows, "%.1f", ",", header="a,b", comments="")
    np.testing.assert_array_equal(load_rows([path], features(2)), rows)

    with path.open("a") as file:
        file.write("1,2,3\n")
    with pytest.raises(DataError, match=f"line {BATCH + 7}: 3 columns, expected 2"):
        load_rows([path], features(2))
