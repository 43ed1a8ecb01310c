"""The lease during a run: it is renewed, it can be lost, and only one run holds it."""

from __future__ import annotations

import sqlite3
import time
from datetime import timedelta
from pathlib import Path

import pytest
from tuner_storage import locate
from tuner_storage.lease import Lease

from tests.recipes import small_recipe
from tests.runs import Recorder, rows, run_scripted
from tuner import studies
from tuner.errors import RunError
from tuner.run.progress import RunView


def test_the_thread_that_renews_the_lease_notices_when_it_is_lost(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that writes nothing ends too. The lease is renewed while a trial takes long."""
    monkeypatch.setattr("tuner_storage.lease.RENEWAL", 0.05)
    run_scripted(home, small_recipe())
    with studies.existing(locate(home=home), "small") as (store, _, record), store.lease(record.id, "small") as lease:
        first = rows(home, "SELECT expires FROM tuner_lease")
        time.sleep(0.3)
        assert rows(home, "SELECT expires FROM tuner_lease") > first
        assert lease.stop_was_requested() is False
        assert store.request_stop(record.id)
        time.sleep(0.3)
        assert lease.stop_was_requested() is True
        with sqlite3.connect(home / "studies.db", timeout=10) as connection:
            connection.execute("UPDATE tuner_lease SET owner = 'elsewhere:1:1'")
        time.sleep(0.3)
        with pytest.raises(RunError, match="was taken over by another run"):
            lease.stop_was_requested()
    assert rows(home, "SELECT owner FROM tuner_lease") == [("elsewhere:1:1",)]


def test_no_trial_begins_after_a_stop_was_requested(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`study stop` does not wait for the next renewal of the lease: every turn of the loop looks for it."""
    monkeypatch.setattr("tuner_storage.lease.LOOK", 0.0)
    begun: list[int] = []

    def stop(view: RunView) -> None:
        if view.counts.complete == 2 and not begun:
            with studies.existing(locate(home=home), "small") as (store, _, record):
                assert store.request_stop(record.id)
            begun.extend(number for (number,) in rows(home, "SELECT trial_number FROM tuner_attempt"))

    run = run_scripted(home, small_recipe(), recorder=Recorder(on_update=stop))

    assert run.stopped_by == "stop"
    assert rows(home, "SELECT count(*) FROM tuner_attempt") == [(len(begun),)]


def test_taking_over_waits_until_the_lease_has_expired(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If its machine is gone, a run keeps the study no longer than its lease lasts."""
    run_scripted(home, small_recipe())
    monkeypatch.setattr("tuner_storage.lease.DURATION", timedelta(seconds=1.5))
    with studies.existing(locate(home=home), "small") as (store, _, record):
        gone = Lease(store.database, record.id, "small")
        gone.owner = "elsewhere:1:1"
        gone.acquire()
        with pytest.raises(RunError, match="is being run by process 1 on elsewhere") as error:
            store.lease(record.id, "small").acquire()
        assert "--take-over" in str(error.value.hint)
        with store.lease(record.id, "small", wait=True) as lease:
            assert rows(home, "SELECT owner FROM tuner_lease") == [(lease.owner,)]


def test_a_run_that_lost_its_lease_ends(home: Path) -> None:
    """There are never two writers: a run that slept for too long writes nothing more (fault 19)."""
    queries = ["SELECT * FROM tuner_epoch", "SELECT * FROM tuner_attempt", "SELECT * FROM tuner_run"]
    queries += ["SELECT * FROM trials", "SELECT * FROM trial_intermediate_values", "SELECT * FROM tuner_lease"]
    contents: list[object] = []

    def steal(view: RunView) -> None:
        if view.counts.complete == 2 and not contents:
            with sqlite3.connect(home / "studies.db", timeout=10) as connection:
                connection.execute("UPDATE tuner_lease SET owner = 'elsewhere:1:1'")
            contents.extend(rows(home, query) for query in queries)

    with pytest.raises(RunError, match="was taken over by another run"):
        run_scripted(home, small_recipe(), recorder=Recorder(on_update=steal))
    assert [rows(home, query) for query in queries] == contents


def test_a_second_run_is_refused_with_the_process_that_holds_the_study(home: Path) -> None:
    """Only one of two runs continues (fault 21)."""
    run_scripted(home, small_recipe())
    with studies.existing(locate(home=home), "small") as (store, _, record):
        other = Lease(store.database, record.id, "small")
        other.owner = "elsewhere:1:1"
        other.acquire()
        with pytest.raises(RunError, match="is being run by process 1 on elsewhere"):
            store.lease(record.id, "small").acquire()
