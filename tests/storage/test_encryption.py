"""A connection to a server of another machine is encrypted, unless the user says otherwise."""

from __future__ import annotations

import pytest
from sqlalchemy import make_url
from tuner_storage import Location, open_store
from tuner_storage.encryption import sslmode_for
from tuner_storage.faults import is_transient

from tuner.errors import StorageError


@pytest.fixture(autouse=True)
def _no_settings_of_libpq(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PGHOST", "PGHOSTADDR", "PGSSLMODE", "PGSERVICE"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("host", ["ann@db.example", "192.168.1.5", "[2001:db8::1]", "ann:pw@localhost.example:5433"])
def test_another_machine_requires_encryption(host: str) -> None:
    """Libpq alone would fall back to plain text in silence."""
    assert sslmode_for(make_url(f"postgresql://{host}/team")) == "require"


@pytest.mark.parametrize(
    "rest",
    ["localhost/team", "127.0.0.1:5433/team", "[::1]/team", "/team", "/team?host=/var/run/postgresql",
     "db.example/team?hostaddr=127.0.0.1"],
)  # fmt: skip
def test_this_machine_does_not(rest: str) -> None:
    """Nobody else sees what goes through a socket, the loopback address or a tunnel."""
    assert sslmode_for(make_url(f"postgresql://{rest}")) is None


@pytest.mark.parametrize("option", ["sslmode=prefer", "sslmode=verify-full", "service=team"])
def test_the_choice_of_the_user_counts(option: str) -> None:
    """In the URL, or in a service file that the URL names."""
    assert sslmode_for(make_url(f"postgresql://db.example/team?{option}")) is None


def test_the_environment_of_libpq_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """``PGHOST`` may lead to another machine, and ``PGSSLMODE`` is a choice of the user."""
    monkeypatch.setenv("PGHOST", "localhost,db.example")
    assert sslmode_for(make_url("postgresql:///team")) == "require"
    monkeypatch.setenv("PGSSLMODE", "prefer")
    assert sslmode_for(make_url("postgresql:///team")) is None


def test_a_server_without_encryption_is_refused_with_the_way_out(postgres_location: Location) -> None:
    """The hint says how to allow plain text. Trying again would not help."""
    url = postgres_location.url.update_query_dict({"sslmode": "require"})
    with pytest.raises(StorageError, match="does not support SSL") as caught:
        open_store(Location(url, postgres_location.artifacts), create=True)

    assert "?sslmode=prefer" in str(caught.value.hint)
    assert not is_transient(caught.value)
