"""At most one run holds the lease of a study, and a lease ends with its process."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from sqlalchemy import update
from tuner_storage import Location, Store, open_store
from tuner_storage.lease import DURATION, Lease
from tuner_storage.owner import this_owner
from tuner_storage.tables import LeaseRow, utc_now

from tests.recipes import small_recipe
from tuner import studies
from tuner.errors import RunError

ELSEWHERE = "another-host:12:345"  # of a process on another machine, we do not know whether it lives
HOLDER = """
import sys
import time
from tuner_storage import locate, open_store
store = open_store(locate(sys.argv[1]))
store.lease(int(sys.argv[2]), "first").acquire()
print("holds", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def store(any_location: Location) -> Iterator[Store]:
    """A new, empty store, on SQLite and on PostgreSQL."""
    opened = open_store(any_location, create=True)
    yield opened
    opened.close()


@pytest.fixture
def study_id(store: Store) -> int:
    """A study that does not run."""
    return studies.create_or_resume(store, "first", small_recipe(), "0" * 64).record.id


@pytest.fixture
def lease(store: Store, study_id: int) -> Lease:
    return store.lease(study_id, "first")


@contextmanager
def running(store: Store, study_id: int) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lease. It is killed at the end of the block."""
    url = store.database.location.url.render_as_string(hide_password=False)
    command = [sys.executable, "-c", HOLDER, url, str(study_id)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "holds\n"
            yield process
        finally:
            process.kill()


def holder_of(store: Store, study_id: int) -> str | None:
    """Return the only holder of the study, or ``None``."""
    owners = [holding.owner for holding in store.holdings(study_id)]
    assert len(owners) <= 1
    return owners[0] if owners else None


def held_by(store: Store, owner: str, *, expires: timedelta = DURATION) -> None:
    """Write another owner into the row, as another run would."""
    with store.database.write() as session:
        session.execute(update(LeaseRow).values(owner=owner, expires=utc_now() + expires))


def test_a_second_process_is_refused_while_the_first_lives_and_takes_over_when_it_is_dead(
    store: Store, study_id: int, lease: Lease
) -> None:
    """After a kill, no run has to wait until the lease expires (fault 21)."""
    with running(store, study_id) as process:
        with pytest.raises(RunError, match=rf"study 'first' is being run by process {process.pid} on ") as caught:
            lease.acquire()
        assert caught.value.exit_code == 1
        assert caught.value.hint == "stop it first: tuner study stop first, or if it hangs, start with --take-over"
        assert holder_of(store, study_id) not in {None, lease.owner}

        process.kill()
        process.wait()
        assert holder_of(store, study_id) is None
        lease.acquire()

    assert holder_of(store, study_id) == lease.owner


def test_a_second_run_in_the_same_process_is_refused(store: Store, study_id: int, lease: Lease) -> None:
    """Two threads of one program are two runs."""
    with lease, pytest.raises(RunError, match="is being run by process"):
        store.lease(study_id, "first").acquire()

    with store.lease(study_id, "first"):
        assert holder_of(store, study_id) == this_owner()


def test_a_lease_of_another_machine_holds_until_it_expires(store: Store, study_id: int, lease: Lease) -> None:
    """Its process cannot be checked from here, so only the expiry counts."""
    lease.acquire()
    held_by(store, ELSEWHERE)
    assert holder_of(store, study_id) == ELSEWHERE
    with pytest.raises(RunError, match="is being run by process 12 on another-host since"):
        lease.acquire()

    held_by(store, ELSEWHERE, expires=timedelta(seconds=-1))
    assert holder_of(store, study_id) is None
    lease.acquire()
    assert holder_of(store, study_id) == lease.owner


def test_a_silent_process_of_this_machine_is_taken_over_on_request_alone(
    store: Store, study_id: int, lease: Lease
) -> None:
    """The clock may have been set, or the process may be asleep and wake up later (faults 19, 20)."""
    with running(store, study_id) as process:
        with store.database.write() as session:
            session.execute(update(LeaseRow).values(expires=utc_now() - timedelta(days=1)))
        with pytest.raises(RunError, match=f"is being run by process {process.pid}"):
            lease.acquire()
        store.lease(study_id, "first", wait=True).acquire()

    assert holder_of(store, study_id) == this_owner()


def test_renewing_extends_the_lease(store: Store, lease: Lease) -> None:
    """The new expiry is the whole duration from now."""
    lease.acquire()
    held_by(store, lease.owner, expires=timedelta(seconds=1))
    lease.renew()

    with store.database.read() as session:
        row = session.get_one(LeaseRow, (1, lease.owner))
        assert row.expires - utc_now() > DURATION - timedelta(seconds=10)


def test_a_run_that_was_taken_over_fails_and_keeps_the_new_lease(store: Store, study_id: int, lease: Lease) -> None:
    """A run that wakes up after a long sleep ends and writes nothing (fault 19)."""
    lease.acquire()
    held_by(store, ELSEWHERE)
    with pytest.raises(RunError, match="study 'first' was taken over by another run while this one was asleep"):
        lease.renew()
    lease.release()

    assert holder_of(store, study_id) == ELSEWHERE


def test_a_lease_that_is_gone_cannot_be_renewed(lease: Lease) -> None:
    """The study may have been deleted."""
    lease.acquire()
    lease.release()

    with pytest.raises(RunError, match="was taken over"):
        lease.renew()


def test_a_stop_request_reaches_the_current_run(store: Store, study_id: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next look at the database finds it. A later run does not see it."""
    monkeypatch.setattr("tuner_storage.lease.LOOK", 0.0)
    assert not store.request_stop(study_id)
    with store.lease(study_id, "study") as lease:
        assert not lease.stop_was_requested()
        assert store.request_stop(study_id)
        assert lease.stop_was_requested()
    assert not store.request_stop(study_id)

    with store.lease(study_id, "study") as lease:
        assert not lease.stop_was_requested()


def test_a_dead_run_cannot_be_stopped(store: Store, study_id: int, lease: Lease) -> None:
    """The answer is that the study does not run."""
    lease.acquire()
    held_by(store, ELSEWHERE, expires=timedelta(seconds=-1))

    assert not store.request_stop(study_id)


def test_leases_of_different_studies_do_not_meet(store: Store, lease: Lease) -> None:
    """Two studies can run in one database at the same time."""
    other = studies.create_or_resume(store, "second", small_recipe(), "0" * 64).record.id
    with lease, store.lease(other, "second"):
        assert store.holdings(other)


def test_a_running_study_cannot_be_deleted(store: Store, lease: Lease) -> None:
    """The hint can be pasted into a shell, whatever the name."""
    name = "it's mine"
    study = studies.create_or_resume(store, name, small_recipe(), "0" * 64)
    with store.lease(study.record.id, name):
        with pytest.raises(RunError, match="study 'it's mine' is being run by process") as caught:
            studies.delete(study)
        assert str(caught.value.hint).startswith("""stop it first: tuner study stop 'it'"'"'s mine'""")

    studies.delete(study)
    assert studies.find(store, name) is None
