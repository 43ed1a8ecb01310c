"""Formats the times of the database, which are in UTC without a zone."""

from __future__ import annotations

from datetime import UTC, datetime


def for_people(moment: datetime, *, seconds: bool = False) -> str:
    """Return a time in the zone of this machine with its offset, such as ``2026-05-01 12:00 +0900``."""
    return f"{_aware(moment).astimezone():%Y-%m-%d %H:%M{':%S' if seconds else ''} %z}"


def iso(moment: datetime) -> str:
    """Return a time for JSON: ISO 8601 in UTC, such as ``2026-05-01T03:00:00Z``."""
    return _aware(moment).astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _aware(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
