"""Studies of thousands of trials in the dashboard, with the limits lowered."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.command import DEADLINE
from tests.dashboard.client import send
from tests.dashboard.conftest import Finished, served
from tests.dashboard.plain import plainly_served
from tuner.dashboard import large_studies


def detail(address: str, after: int = 0) -> dict[str, Any]:
    """Return what the page of a study gets, without the order of its parameters and attributes."""
    answer: dict[str, Any] = json.loads(send(address, f"GET /api/studies/1?after={after}").body)
    for name in ("union_search_space", "intersection_search_space", "union_user_attrs"):
        answer[name].sort(key=lambda each: str(each.get("name", each.get("key"))))
    return answer


def until(condition: Callable[[], bool]) -> None:
    """Wait until a condition is true: the dashboard looks at the database every 2 s."""
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_the_page_gets_the_same_as_from_plain_optuna_dashboard(finished: Finished) -> None:
    """Also at its next update, and when trials were added in between."""
    with plainly_served(finished) as plain, served(finished) as address:
        assert detail(address) == detail(plain)
        assert detail(address, after=7) == detail(plain, after=7)
    with served(finished) as address:
        detail(address)
        finished.run(16)
        with plainly_served(finished) as plain:
            assert len(detail(plain)["trials"]) == 16
            until(lambda: len(detail(address)["trials"]) == 16)
            assert detail(address) == detail(plain)


def test_of_a_large_study_the_page_gets_some_of_the_trials(finished: Finished, monkeypatch: pytest.MonkeyPatch) -> None:
    """The best, the newest and those that have not ended, with intermediate values; the others evenly, without."""
    monkeypatch.setattr(large_studies, "LARGE", 7)
    monkeypatch.setattr(large_studies, "SHOWN", 6)
    monkeypatch.setattr(large_studies, "BEST", 2)
    monkeypatch.setattr(large_studies, "NEWEST", 1)
    with plainly_served(finished) as plain, served(finished) as address:
        whole, thinned = detail(plain), detail(address)
    ranked = [trial.number for trial in sorted(finished.trials, key=lambda trial: -(trial.value or 0.0))]
    ranked = [number for number in ranked if finished.trials[number].state == "complete"]
    kept = {*ranked[:2], finished.trials[-1].number}
    shown = [trial["number"] for trial in thinned["trials"]]

    assert len(shown) == 6 < len(finished.trials)
    assert shown == sorted(shown)
    assert kept <= set(shown)
    for trial in thinned["trials"]:
        stored = whole["trials"][trial["number"]]
        assert trial == (stored if trial["number"] in kept else {**stored, "intermediate_values": []})
    assert thinned["best_trials"] == whole["best_trials"]


def test_a_page_of_a_large_study_gets_the_trials_that_are_added(
    finished: Finished, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It asks for those after as many as it has; the choice of the earlier ones stays the same."""
    monkeypatch.setattr(large_studies, "LARGE", 7)
    monkeypatch.setattr(large_studies, "SHOWN", 6)
    monkeypatch.setattr(large_studies, "BEST", 2)
    monkeypatch.setattr(large_studies, "NEWEST", 1)
    before = len(finished.trials)
    with served(finished) as address:
        first = detail(address)["trials"]
        finished.run(before + 4)
        until(lambda: len(detail(address, after=6)["trials"]) == 4)
        added = detail(address, after=6)["trials"]
        assert [trial["number"] for trial in added] == list(range(before, before + 4))
        again = detail(address)["trials"]
    assert [trial["number"] for trial in again[:6]] == [trial["number"] for trial in first]
