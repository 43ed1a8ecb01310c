"""The dashboard's notes are updated during a run at a bounded cost."""

from __future__ import annotations

import pytest

from tuner.run import upkeep
from tuner.run.upkeep import EVERY, SHARE, Upkeep


class Clock:
    """A clock that a test moves; each update takes ``cost`` seconds."""

    def __init__(self, cost: float) -> None:
        self.now = 0.0
        self.cost = cost
        self.state = 0
        self.updates: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def update(self) -> None:
        self.updates.append(self.now)
        self.now += self.cost


def ran(monkeypatch: pytest.MonkeyPatch, cost: float, seconds: float, *, changes: bool = True) -> Clock:
    """Return the clock after a run whose loop turns ten times per second."""
    clock = Clock(cost)
    monkeypatch.setattr(upkeep, "time", clock)
    keep = Upkeep(clock.update, lambda: clock.state)
    while clock.now < seconds:
        clock.now += 0.1
        clock.state += changes
        keep()
    return clock


def test_a_cheap_update_is_made_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not at every change."""
    updates = ran(monkeypatch, 0.01, 1000).updates

    assert len(updates) == pytest.approx(1000 / EVERY, abs=1)


def test_a_costly_update_takes_at_most_its_share(monkeypatch: pytest.MonkeyPatch) -> None:
    """The longer it takes, the rarer it is."""
    updates = ran(monkeypatch, 3.0, 5000).updates

    assert 3.0 * len(updates) <= SHARE * 5000 + 3.0
    assert len(updates) >= 10


def test_nothing_is_updated_while_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A trial that trains for an hour does not change the notes."""
    assert ran(monkeypatch, 0.01, 1000, changes=False).updates == []
