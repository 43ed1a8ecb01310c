"""A call that fails because the database is away or locked is repeated, and no other call is."""

from __future__ import annotations

import sqlite3

import optuna
import pytest
from sqlalchemy.exc import OperationalError
from tuner_storage import locate
from tuner_storage.retry import Retry

from tuner.errors import StorageError


def locked() -> None:
    """Fail as SQLite does if another program holds the lock."""
    raise OperationalError("BEGIN", None, sqlite3.OperationalError("database is locked"))


class Clock:
    """Stands in for the monotonic clock; only sleeping moves it."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Pauses that take no time."""
    made = Clock()
    monkeypatch.setattr("time.sleep", made.sleep)
    monkeypatch.setattr("time.monotonic", lambda: made.now)
    return made


@pytest.fixture
def retry() -> Retry:
    """A retry as a run uses it."""
    made = Retry(locate())
    made.max_wait = 60.0
    return made


def test_a_run_tries_again_and_a_command_that_reads_does_not(clock: Clock) -> None:
    """If SQLite stays locked, the pauses grow and the run ends after its longest wait (fault 9)."""
    retry = Retry(locate())
    with pytest.raises(OperationalError):
        retry(locked)
    assert clock.slept == []

    retry.max_wait = 60.0
    with pytest.raises(OperationalError):
        retry(locked)
    assert 60 <= sum(clock.slept) < 70
    assert clock.slept[0] < 0.2
    assert 2.5 <= clock.slept[-1] <= 7.5
    assert len(set(clock.slept)) == len(clock.slept)


def test_the_wait_counts_from_the_first_failure(clock: Clock, retry: Retry) -> None:
    """SQLite may wait for the lock during the whole first call. The call is repeated all the same."""
    errors = [OperationalError("BEGIN", None, sqlite3.OperationalError("database is locked"))]

    def slow() -> str:
        clock.now += 100.0
        if errors:
            raise errors.pop()
        return "written"

    assert retry(slow) == "written"


def test_the_warning_comes_once(clock: Clock, retry: Retry, caplog: pytest.LogCaptureFixture) -> None:
    """It names the database and the time limit; the error at the end is the last one of the call."""
    errors: list[OperationalError] = []

    def fail() -> None:
        errors.append(OperationalError("BEGIN", None, sqlite3.OperationalError("database is locked")))
        raise errors[-1]

    with pytest.raises(OperationalError) as caught:
        retry(fail)
    assert len(errors) > 10
    assert caught.value is errors[-1]
    (record,) = caplog.records
    assert str(locate()) in record.message
    assert record.message.endswith("trying again for 60 s")


def test_only_the_outermost_of_nested_calls_is_repeated(clock: Clock, retry: Retry) -> None:
    """Otherwise the time limits would add up."""
    calls: list[str] = []

    def outer() -> None:
        calls.append("outer")
        retry(inner)

    def inner() -> None:
        calls.append("inner")
        if len(calls) < 6:
            locked()

    retry(outer)
    assert calls == ["outer", "inner"] * 3


def test_an_error_that_is_not_transient_is_raised_at_once(clock: Clock, retry: Retry) -> None:
    """A mistake stays a mistake, and Ctrl-C stays Ctrl-C."""
    calls: list[int] = []

    def wrong() -> None:
        calls.append(1)
        raise StorageError("no such table")

    with pytest.raises(StorageError):
        retry(wrong)
    assert calls == [1]

    def interrupted() -> None:
        calls.append(2)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        retry(interrupted)
    assert calls == [1, 2]
    assert clock.slept == []


def test_the_guard_is_called_before_each_new_try(clock: Clock, retry: Retry) -> None:
    """During a long outage another run may have taken the study over."""
    retry.guard = lambda: (_ for _ in ()).throw(StorageError("taken over"))

    with pytest.raises(StorageError, match="taken over"):
        retry(locked)
    assert len(clock.slept) == 1


def test_a_guard_that_meets_the_outage_is_repeated_too(clock: Clock, retry: Retry) -> None:
    """The guard reads the same database: its transient error decides nothing."""
    calls: list[str] = []

    def guard() -> None:
        calls.append("guard")
        if len(calls) < 4:
            locked()

    def write() -> str:
        calls.append("write")
        if len(calls) < 2:
            locked()
        return "written"

    retry.guard = guard
    assert retry(write) == "written"
    assert calls == ["write", "guard", "guard", "guard", "write"]


def test_every_method_of_optunas_storage_is_repeated() -> None:
    """A method that a later Optuna adds makes this test fail until it is repeated too."""
    from tuner_storage.optuna_storage import PersistentRDBStorage

    public = {name for name in dir(optuna.storages.BaseStorage) if not name.startswith("_")}
    repeated = {name for name in vars(PersistentRDBStorage) if not name.startswith("__")}
    assert public - repeated == {"check_trial_is_updatable", "remove_session"}
