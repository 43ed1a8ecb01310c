"""Dates are taken apart as Python's datetime does it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from tuner.delivery.fronts.calendar import DAY, days_from_civil, parts_of_date

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@given(st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC)))  # noqa: DTZ001
def test_parts_of_a_date(time: datetime) -> None:
    """Each part is that of the calendar, before 1970 and in leap years too; and the days come back."""
    seconds = (time - EPOCH) // timedelta(seconds=1)

    parts = parts_of_date(seconds)

    assert parts == {
        "year": time.year,
        "month": time.month,
        "day": time.day,
        "weekday": time.isoweekday(),
        "hour": time.hour,
        "minute": time.minute,
    }
    assert days_from_civil(time.year, time.month, time.day) == seconds // DAY
