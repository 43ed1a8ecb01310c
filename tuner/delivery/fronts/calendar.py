"""Computes the parts of a date with whole-number arithmetic, which every format has."""

from __future__ import annotations

from typing import Any

MISSING_DATE = -(2**63)
"""Seconds that mean a missing date: what NumPy's ``NaT`` is as ``int64``."""

DAY = 86_400  # seconds
_ERA = 146_097  # days in 400 years of the Gregorian calendar


def parts_of_date(seconds: Any) -> dict[str, Any]:
    """Return the whole-number parts of a date.

    Args:
        seconds: Seconds since 1970-01-01T00:00:00, whole numbers. Anything with ``+``, ``-``, ``*`` and ``//`` (rounded
            down), such as an array, or a tensor of any format.

    Returns:
        All parts but ``value`` and ``days``, as whole numbers: month and day from 1, weekday from 1 for Monday.

    Source: Howard Hinnant, chrono-Compatible Low-Level Date Algorithms, civil_from_days.
    """
    days = seconds // DAY
    second = seconds - days * DAY
    shifted = days + 719_468  # days since 0000-03-01: years that begin in March end with the leap day
    era = shifted // _ERA
    day_of_era = shifted - era * _ERA
    year_of_era = (day_of_era - day_of_era // 1460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
    day_of_year = day_of_era - (year_of_era * 365 + year_of_era // 4 - year_of_era // 100)
    month_from_march = (day_of_year * 5 + 2) // 153
    new_year = month_from_march // 10  # 1 in January and February
    hour = second // 3600
    return {
        "year": year_of_era + era * 400 + new_year,
        "month": month_from_march + 3 - new_year * 12,
        "day": day_of_year - (month_from_march * 153 + 2) // 5 + 1,
        "weekday": days + 3 - (days + 3) // 7 * 7 + 1,
        "hour": hour,
        "minute": (second - hour * 3600) // 60,
    }


def days_from_civil(year: Any, month: Any, day: Any) -> Any:
    """Return the days from 1970-01-01 to a date. The arguments are as :func:`parts_of_date` returns them.

    Source: Howard Hinnant, chrono-Compatible Low-Level Date Algorithms, days_from_civil.
    """
    month_from_march = (month + 9) - (month + 9) // 12 * 12
    shifted = year - month_from_march // 10
    era = shifted // 400
    year_of_era = shifted - era * 400
    day_of_year = (month_from_march * 153 + 2) // 5 + day - 1
    return era * _ERA + year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year - 719_468
