"""An error of a database server gives one line without the password."""

from __future__ import annotations

import sys
import time
from datetime import UTC

import psycopg
import pytest
from sqlalchemy import text
from tuner_storage import Location, locate, open_store
from tuner_storage.engine import Database
from tuner_storage.faults import is_transient
from tuner_storage.opening import has_database
from tuner_storage.postgres import connector

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
    """The message does not show it, and no second try is made (fault 11)."""
    error = refused(locate(postgres.url("postgres", "swordfish")))

    assert 'password authentication failed for user "ann"' in str(error)
    assert "swordfish" not in str(error)
    assert error.hint == "check user and password of the URL; a password can also stand in ~/.pgpass"
    assert error.__cause__ is not None
    assert not is_transient(error)


def test_a_database_that_is_missing_on_the_server_is_named(postgres: Server) -> None:
    """Tuner does not create it. The hint says how to."""
    error = refused(locate(postgres.url("absent")))

    assert 'database "absent" does not exist' in str(error)
    assert error.hint == "make it on the server: createdb NAME"


def test_a_server_that_is_not_there_is_named() -> None:
    """No server listens on port 1. A command that only reads does not wait."""
    began = time.monotonic()
    error = refused(locate("postgresql://ann:secret@127.0.0.1:1/team"))

    assert str(error).startswith("the database postgresql://ann@127.0.0.1:1/team cannot be used: connection")
    assert error.hint == "check host and port of the URL, and that the server runs"
    assert time.monotonic() - began < 5
    assert is_transient(error)


def test_a_driver_that_is_not_installed_comes_with_the_line_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL is an extra (fault 13)."""
    monkeypatch.setitem(sys.modules, "psycopg", None)
    monkeypatch.delitem(sys.modules, "tuner_storage.postgres", raising=False)
    error = refused(locate("postgresql://ann:secret@127.0.0.1:1/team"))

    assert "needs a driver that is not installed" in str(error)
    assert error.hint == "pip install 'mlp-tuner[postgres]'"


def test_a_user_without_write_permission_gets_a_message(postgres_location: Location) -> None:
    """It repeats the reason that the server gives."""
    open_store(postgres_location, create=True).close()
    url = postgres_location.url.update_query_dict({"options": "-c default_transaction_read_only=on"})
    database = Database(Location(url, postgres_location.artifacts))
    with pytest.raises(StorageError, match="is read-only") as caught, database.write() as session:
        session.execute(text("DELETE FROM tuner_study"))
    database.close()

    assert caught.value.hint == "you may only read it"


def test_the_clock_is_that_of_the_server(postgres_location: Location) -> None:
    """The time is in UTC in every time zone, and it advances within a transaction (fault 20)."""
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
    """It raises only if nothing was written. So a caller that tries again writes once."""
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
        monkeypatch.setattr("tuner_storage.postgres.MAX_WAIT", 5.0)
        monkeypatch.setattr(psycopg.Connection, "commit", lose)
        if done:
            connection.commit()
        else:
            with pytest.raises(psycopg.OperationalError):
                connection.commit()
        monkeypatch.undo()
        connection.rollback()  # as a pool does when a connection is returned

    with connect() as connection:
        assert connection.execute("SELECT count(*) FROM kept").fetchone() == (int(done),)
