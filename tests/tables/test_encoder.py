"""Raw rows become numbers and codes, the same in training and later."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tables.conftest import table_of
from tuner.tables.encoder import encode
from tuner.tables.fit import fit_inputs, fit_target
from tuner.tables.inputs import TableInput
from tuner.tables.inspection import inspect_table

HALF = 30  # rows to train on; the others are new


def fitted(train: int | None = None, **columns: Sequence[object]) -> tuple[TableInput, dict[str, pl.Series]]:
    """Return the input of a model for columns, fitted to the first rows, and the raw columns."""
    table = table_of(**columns)
    inspection = inspect_table(table)
    rows = np.arange(table.frame.height if train is None else train, dtype=np.int32)
    return fit_inputs(inspection.features, rows), {name: table.frame[name] for name in columns}


def test_numbers_come_first_and_missing_ones_are_nan() -> None:
    """The median of the known ones fills them in, inside the model."""
    table, raw = fitted(x=["1.5", "?", "2.5", "9.5"] * 10, c=["red", "blue", "red", ""] * 10)

    rows = encode(raw, table).rows

    assert rows[:4].tolist() == [[1.5, 1.0], [pytest.approx(math.nan, nan_ok=True), 2.0], [2.5, 1.0], [9.5, 3.0]]
    assert (table.numbers[0].fill, table.numbers[0].indicator) == (2.5, True)
    assert (table.codes[0].vocabulary, table.codes[0].missing) == (("red", "blue"), True)


def test_a_category_that_no_training_row_has_is_unseen() -> None:
    """It is counted, with the first row that has it."""
    table, raw = fitted(HALF, c=["a", "b", "c"] * 10 + ["d", "a", "d"])

    encoded = encode(raw, table)

    assert encoded.rows[HALF:, 0].tolist() == [0, 1, 0]
    assert encoded.unseen["c"] == (2, HALF, "d")


def test_statistics_are_those_of_the_training_rows_alone() -> None:
    """Whatever stands in other rows."""
    one, _ = fitted(HALF, x=[str(i / 2) for i in range(HALF)] + ["1e30", ""], c=["a", "b"] * 15 + ["c", ""])
    other, _ = fitted(HALF, x=[str(i / 2) for i in range(HALF)] + ["-7.5", "3"], c=["a", "b"] * 15 + ["a", "b"])

    assert one == other


def test_cells_that_are_no_number_are_counted_and_missing() -> None:
    """With the cell as it stands in the file."""
    table, _ = fitted(x=["1.5", "2.5"] * 20)

    encoded = encode({"x": pl.Series("x", ["1.5", " oops ", "", "NA"])}, table)

    assert np.isnan(encoded.rows[:, 0]).tolist() == [False, True, True, True]
    assert encoded.unreadable["x"] == (1, 1, "oops")


def test_types_of_other_files_are_read_the_same() -> None:
    """A CSV file in training, and a Parquet file later."""
    table, _ = fitted(x=["1.5", "2.5"] * 20, n=["3", "4", "7"] * 13 + ["3"], flag=["yes", "No"] * 20)
    as_text: dict[str, list[Any]] = {"x": ["2.5", None], "n": ["7", "3"], "flag": ["YES", "no"]}
    typed: dict[str, list[Any]] = {"x": [2.5, None], "n": [7, 3], "flag": ["yes", "No"]}

    one, other = ({name: pl.Series(name, cells) for name, cells in each.items()} for each in (as_text, typed))

    np.testing.assert_array_equal(encode(one, table).rows, encode(other, table).rows)


def test_a_whole_number_is_the_same_category_in_every_type() -> None:
    """``3``, ``3.0`` and 3."""
    raw = pl.Series("zip", ["3", "5", "5"] * 10)
    table = fit_inputs(
        inspect_table(table_of(zip=raw.to_list()), kinds={"zip": "category"}).features, np.arange(30, dtype=np.int32)
    )

    codes = [encode({"zip": pl.Series(cells)}, table).rows[:, 0].tolist() for cells in (["3.0"], [3], [3.0], ["3"])]

    assert codes == [[2.0]] * 4


def test_infinite_numbers_stay_finite() -> None:
    """And keep their sign."""
    table, _ = fitted(x=["1.5", "2.5"] * 20)

    rows = encode({"x": pl.Series([math.inf, -math.inf, 1e300])}, table).rows[:, 0]

    assert np.isfinite(rows).all()
    assert np.sign(rows).tolist() == [1, -1, 1]


def test_dates_become_the_parts_that_differ() -> None:
    """Days since 1970 with the time of day, and the parts of the calendar."""
    table, raw = fitted(day=[f"2024-0{1 + i % 2}-{1 + i % 28:02} 06:00" for i in range(40)])
    parts = [number.part for number in table.numbers]

    rows = encode(raw, table).rows

    assert parts == ["days", "month", "day", "weekday"]
    assert rows[1].tolist() == [(date(2024, 2, 2) - date(1970, 1, 1)).days + 0.25, 2, 2, 5]


def test_few_categories_are_one_hot_and_many_are_embedded() -> None:
    """Two categories are one feature."""
    table, _ = fitted(two=["a", "b"] * 50, eight=list("abcdefgh") * 12 + list("abcd"), many=list("abcdefghij") * 10)

    assert [code.embedded for code in table.codes] == [False, False, True]
    assert [len(code.one_hot) for code in table.codes] == [1, 8, 0]
    assert table.offsets == (0, 11)


def test_scales_are_robust() -> None:
    """One over the middle half of the values; a constant feature has none."""
    table, _ = fitted(x=[str(i) for i in range(101)] * 2, rare=["a"] * 200 + ["b", "b"])

    assert (table.center[0], table.scale[0]) == (50, 1 / 50)
    assert (table.center[1], table.scale[1]) == (-1, 1)  # half of the range, as the middle half is empty


def test_a_target_with_a_long_tail_has_statistics_of_its_logarithm() -> None:
    """If all values are positive."""
    positive, other = fit_target(np.array([1.0, math.e**2])), fit_target(np.array([0.0, 2.0]))

    assert (positive.log_mean, positive.log_deviation) == (1, 1)
    assert (other.log_mean, other.deviation) == (None, 1)


@given(
    cells=st.lists(st.text(max_size=4) | st.floats().map(repr) | st.sampled_from(["", "NA", "yes", "3.0"]), min_size=2),
    later=st.lists(st.text(max_size=4) | st.floats().map(repr), min_size=1, max_size=5),
)
def test_any_cells_are_encoded(cells: list[str], later: list[str]) -> None:
    """Numbers are finite or missing, and codes lie within the vocabulary."""
    table, raw = fitted(x=cells)

    for rows in (encode(raw, table).rows, encode({"x": pl.Series("x", later)}, table).rows):
        numbers, codes = rows[:, : len(table.numbers)], rows[:, len(table.numbers) :]
        assert not np.isinf(numbers).any()
        for i, code in enumerate(table.codes):
            assert ((codes[:, i] >= 0) & (codes[:, i] < code.codes) & (codes[:, i] % 1 == 0)).all()
