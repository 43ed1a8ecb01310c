"""What goes wrong with a database server ends in one line without the password, and passes where it can."""

from __future__ import annotations

import sqlite3
import sys
import time
from datetime import UTC

import optuna
import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from storage import Location, locate, open_store
from storage.engine import Database
from storage.faults import is_transient
from storage.opening import has_database
from storage.postgres import connector
from storage.retry import Retry
from tests.postgres import PASSWORD, Server
from tuner.errors import StorageError


def refused(location: Location) -> StorageError:
    """Return the error of opening: exit code 3, one line without the password."""
    with pytest.raises(StorageError) as caught:
        has_database(location)
    assert caught.value.exit_code == 3
    assert "\n" not in str(caught.value)
    assert PASSWORD not in f"{caught.value}{caught.value.hint}"
    return caught.value


def test_a_wrong_password_is_not_repeated(postgres: Server) -> None:
    """Nor is it tried again (fault 11)."""
    error = refused(locate(postgres.url("postgres", "swordfish")))

    assert 'password authentication failed for user "ann"' in str(error)
    assert "swordfish" not in str(error)
    assert error.hint == "check user and password of the URL; a password can also stand in ~/.pgpass"
    assert error.__cause__ is not None
    assert not is_transient(error)


def test_a_database_that_is_missing_on_the_server_is_named(postgres: Server) -> None:
    """It is not made: that is for the server's owner to do."""
    error = refused(locate(postgres.url("absent")))

    assert 'database "absent" does not exist' in str(error)
    assert error.hint == "make it on the server: createdb NAME"


def test_a_server_that_is_not_there_is_named() -> None:
    """Port 1 is nobody's; the verbs that look do not wait for it."""
    began = time.monotonic()
    error = refused(locate("postgresql://ann:secret@127.0.0.1:1/team"))

    assert str(error).startswith("the database postgresql://ann@127.0.0.1:1/team cannot be used: connection")
    assert error.hint == "check host and port of the URL, and that the server runs"
    assert time.monotonic() - began < 5
    assert is_transient(error)


def test_a_driver_that_is_not_installed_comes_with_the_line_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL is an extra (fault 13)."""
    monkeypatch.setitem(sys.modules, "psycopg", None)
    monkeypatch.delitem(sys.modules, "storage.postgres", raising=False)
    error = refused(locate("postgresql://ann:secret@127.0.0.1:1/team"))

    assert "needs a driver that is not installed" in str(error)
    assert error.hint == "pip install 'tuner[postgres]'"


def test_a_user_who_may_only_read_is_told_so(postgres_location: Location) -> None:
    """The server says it in its own words."""
    open_store(postgres_location, create=True).close()
    url = postgres_location.url.update_query_dict({"options": "-c default_transaction_read_only=on"})
    database = Database(Location(url, postgres_location.artifacts))
    with pytest.raises(StorageError, match="is read-only") as caught, database.write() as session:
        session.execute(text("DELETE FROM tuner_study"))
    database.close()

    assert caught.value.hint == "you may only read it"


def test_the_clock_is_that_of_the_server(postgres_location: Location) -> None:
    """In UTC whatever its zone, and it goes on within a transaction (fault 20)."""
    url = postgres_location.url.update_query_dict({"options": "-c timezone=Asia/Tokyo"})
    database = Database(Location(url, postgres_location.artifacts))
    with database.read() as session:
        first = database.now(session)
        session.execute(text("SELECT pg_sleep(0.05)"))
        second = database.now(session)
        utc = session.execute(text("SELECT extract(epoch FROM now())")).scalar_one()
    database.close()

    assert first.tzinfo is None
    assert 0.05 <= (second - first).total_seconds() < 10
    assert abs(first.replace(tzinfo=UTC).timestamp() - float(utc)) < 10


@pytest.mark.parametrize("done", [True, False])
def test_a_commit_whose_answer_is_lost_is_looked_up(
    postgres_location: Location, monkeypatch: pytest.MonkeyPatch, done: bool
) -> None:
    """It raises only where nothing was written: so whoever tries again writes once."""
    connect = connector(postgres_location.url)
    commit = psycopg.Connection.commit

    def lose(self: psycopg.Connection[object]) -> None:
        if done:
            commit(self)
        self.close()
        raise psycopg.OperationalError("server closed the connection unexpectedly")

    with connect() as connection:
        connection.execute("CREATE TABLE kept (number integer)")
        connection.commit()
        connection.execute("INSERT INTO kept VALUES (1)")
        monkeypatch.setattr("storage.postgres.PATIENCE", 5.0)
        monkeypatch.setattr(psycopg.Connection, "commit", lose)
        if done:
            connection.commit()
        else:
            with pytest.raises(psycopg.OperationalError):
                connection.commit()
        monkeypatch.undo()
        connection.rollback()  # as a pool does with each connection that comes back

    with connect() as connection:
        assert connection.execute("SELECT count(*) FROM kept").fetchone() == (int(done),)


def locked() -> None:
    """Fail as SQLite does."""
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
    made.patience = 60.0
    return made


def test_a_run_tries_again_and_a_command_that_reads_does_not(clock: Clock) -> None:
    """If SQLite stays locked, the pauses grow and the run ends after its patience (fault 9)."""
    retry = Retry(locate())
    with pytest.raises(OperationalError):
        retry(locked)
    assert clock.slept == []

    retry.patience = 60.0
    with pytest.raises(OperationalError):
        retry(locked)
    assert 60 <= sum(clock.slept) < 70
    assert clock.slept[0] < 0.2
    assert 2.5 <= clock.slept[-1] <= 7.5
    assert len(set(clock.slept)) == len(clock.slept)


def test_patience_counts_from_the_first_failure(clock: Clock, retry: Retry) -> None:
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
    """A new one of a later Optuna is not forgotten."""
    from storage.optuna_storage import PersistentRDBStorage

    public = {name for name in dir(optuna.storages.BaseStorage) if not name.startswith("_")}
    repeated = {name for name in vars(PersistentRDBStorage) if not name.startswith("__")}
    assert public - repeated == {"check_trial_is_updatable", "remove_session"}
