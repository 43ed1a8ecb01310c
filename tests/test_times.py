"""Times of the database as people and programs read them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.recipes import small_recipe
from tests.runs import run_scripted
from tuner.cli.main import main
from tuner.times import for_people, iso

NOON = datetime(2026, 5, 1, 12, 0, 30)  # noqa: DTZ001 - as the database holds it


@pytest.fixture(params=["Asia/Tokyo", "America/New_York", "UTC"])
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield request.param
    monkeypatch.undo()
    time.tzset()


def test_people_see_their_own_time_with_its_offset(zone: str) -> None:
    """A program gets ISO 8601 in UTC, whatever the zone."""
    expected = {"Asia/Tokyo": "21:00 +0900", "America/New_York": "08:00 -0400", "UTC": "12:00 +0000"}

    assert for_people(NOON) == f"2026-05-01 {expected[zone]}"
    assert for_people(NOON.replace(tzinfo=UTC), seconds=True).endswith(expected[zone].replace(" ", ":30 "))
    assert iso(NOON) == "2026-05-01T12:00:30Z"


def test_every_time_that_is_shown_has_its_offset(zone: str, home: Path) -> None:
    """In the table of attempts, in the settings of a study, and in JSON."""
    run_scripted(home, small_recipe(budget={"trials": 1, "epochs": 1}))

    def tuner(*words: str) -> str:
        return CliRunner().invoke(main, ["study", *words, "--home", str(home)]).stdout

    now = datetime.now().astimezone()
    for words in (("trials", "small", "--attempts"), ("show", "small")):
        assert f"{now:%z}" in tuner(*words)
        assert "UTC" not in tuner(*words)
    (attempt,) = json.loads(tuner("trials", "small", "--attempts", "--json"))
    created = json.loads(tuner("show", "small", "--json"))["created"]
    for text in (attempt["started"], attempt["ended"], created):
        assert abs(datetime.fromisoformat(text) - now).total_seconds() < 3600
