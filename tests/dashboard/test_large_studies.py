"""Studies of thousands of trials in the dashboard, with the limits lowered."""

from __future__ import annotations

import json
from typing import Any

import pytest

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
            assert detail(address) == detail(plain)


def test_of_a_large_study_the_page_gets_some_of_the_intermediate_values(
    finished: Finished, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of the best trials, of the newest, and of those that have not ended. All else is as it was."""
    monkeypatch.setattr(large_studies, "LARGE", 10)
    monkeypatch.setattr(large_studies, "BEST", 2)
    monkeypatch.setattr(large_studies, "NEWEST", 1)
    with plainly_served(finished) as plain, served(finished) as address:
        whole, thinned = detail(plain), detail(address)
    ranked = [trial.number for trial in sorted(finished.trials, key=lambda trial: -(trial.value or 0.0))]
    ranked = [number for number in ranked if finished.trials[number].state == "complete"]
    kept = {*ranked[:2], finished.trials[-1].number}
    for trial in whole["trials"]:
        if trial["number"] not in kept:
            trial["intermediate_values"] = []

    assert thinned == whole
