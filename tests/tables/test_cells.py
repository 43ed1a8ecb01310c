"""Cells are read the same whether they are text or not."""

from __future__ import annotations

from datetime import date, datetime

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner.tables.cells import read_times

BEGIN, END = (datetime(year, 1, 1) for year in (1800, 2200))  # noqa: DTZ001 - times of tables have no zone


@given(st.lists(st.none() | st.datetimes(BEGIN, END), min_size=1))
def test_times_and_their_texts_are_the_same(times: list[datetime | None]) -> None:
    """As whole seconds, for a column that was no text in training."""
    column = pl.Series("when", times, pl.Datetime("us"))
    whole = [time and time.replace(microsecond=0) for time in times]

    assert read_times(column, None).to_list() == whole
    assert read_times(column.cast(pl.String), None).to_list() == whole


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_dates_of_other_precision_are_times(unit: str) -> None:
    """Of days too; and a year that stands for no date is missing."""
    days = pl.Series("day", [date(2024, 2, 29), date(9999, 12, 31), None])

    assert read_times(days, None).to_list() == [datetime(2024, 2, 29), None, None]  # noqa: DTZ001
    assert read_times(days.head(1).cast(pl.Datetime(unit)), None).null_count() == 0  # type: ignore[arg-type]
