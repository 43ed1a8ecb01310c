"""The location of a database comes from options, variables or defaults, and never shows a password."""

from __future__ import annotations

from pathlib import Path

import pytest
from tuner_storage import locate

from tuner.errors import UsageError


def test_everything_is_in_the_home_folder_by_default() -> None:
    """The default is ``.tuner`` in the current folder."""
    location = locate()

    assert location.file == Path(".tuner/studies.db")
    assert location.artifacts == Path(".tuner/artifacts")
    assert str(location) == ".tuner/studies.db"


def test_models_are_beside_the_database_unless_a_home_is_named() -> None:
    """A team may keep its database in another folder than the models."""
    assert locate("sqlite:///team/all.db").artifacts == Path("team/artifacts-all")
    assert locate("sqlite:////data/all.db").file == Path("/data/all.db")
    assert locate("sqlite:///team/all.db", Path("mine")).artifacts == Path("mine/artifacts-all")


def test_the_environment_stands_in_for_options(monkeypatch: pytest.MonkeyPatch) -> None:
    """An option overrides a variable, and an empty variable is ignored."""
    monkeypatch.setenv("TUNER_HOME", "elsewhere")
    monkeypatch.setenv("TUNER_STORAGE", "")
    assert locate().file == Path("elsewhere/studies.db")
    assert locate(home=Path("given")).file == Path("given/studies.db")

    monkeypatch.setenv("TUNER_STORAGE", "sqlite:///shared.db")
    assert locate().file == Path("shared.db")
    assert locate().artifacts == Path("elsewhere/artifacts-shared")
    assert locate("sqlite:///mine.db").file == Path("mine.db")


@pytest.mark.parametrize(
    "url",
    ["mysql://ann:secret@host/db", "postgres://ann:secret@host/db", "mysql://ann:secret@se@cret/db", "sqlite://"],
)
def test_other_databases_are_refused_without_the_password(url: str) -> None:
    """The exit code is 2, the message shows only the kind of database, and the hint shows valid URLs."""
    with pytest.raises(UsageError, match="storage must be an SQLite file or a PostgreSQL database, got ") as caught:
        locate(url)

    assert caught.value.exit_code == 2
    assert "secret" not in str(caught.value)
    assert "sqlite:///relative/path.db" in str(caught.value.hint)


def test_a_server_is_named_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    """``postgresql://`` selects psycopg, and models are kept in the home folder."""
    for url in ("postgresql://ann:secret@host:5433/team", "postgresql+psycopg://ann@host:5433/team?password=secret"):
        location = locate(url)
        assert location.is_server
        assert location.url.drivername == "postgresql+psycopg"
        assert location.url.password == "secret"  # noqa: S105 - an example
        assert (str(location), location.artifacts) == ("postgresql://ann@host:5433/team", Path(".tuner/artifacts-team"))
        assert "secret" not in repr(location)
        with pytest.raises(ValueError, match="postgresql://ann@host:5433/team is not a file"):
            _ = location.file

    monkeypatch.setenv("TUNER_STORAGE", "postgresql://ann:se%7Bcret@[::1]/team")
    monkeypatch.setenv("TUNER_HOME", "elsewhere")
    assert locate().url.password == "se{cret"  # noqa: S105 - an example
    assert locate().artifacts == Path("elsewhere/artifacts-team")
    assert not locate("sqlite:///mine.db").is_server


def test_a_server_needs_a_database_and_our_driver() -> None:
    """Libpq would choose a default database, and a team would not find its studies again."""
    with pytest.raises(UsageError, match="the storage URL names no database"):
        locate("postgresql://ann:secret@host")
    with pytest.raises(UsageError, match="storage must be reached with psycopg, got postgresql\\+pg8000://"):
        locate("postgresql+pg8000://ann:secret@host/team")


@pytest.mark.parametrize(
    "url",
    [
        "studies.db",
        "://",
        "sqlite:/secret.db",
        "postgresql://ann:secret@host:port/db",
        "postgresql://ann:secret@host:99999/db",
        "postgresql://ann:secret@host:0/db",
        "postgresql://ann:{secret@host/db",
        "postgresql://ann:secret}@host/db",
        "postgresql://ann:two@secret@host/db",
        "postgresql://ann/x:secret@host/db",
        "postgresql://ann:se cret@host/db",
    ],
)
def test_a_malformed_url_is_not_repeated(url: str) -> None:
    """The URL may hold a password at any place."""
    with pytest.raises(UsageError, match=r"^the storage URL is malformed$") as caught:
        locate(url)

    assert caught.value.exit_code == 2
    assert "secret" not in str(caught.value.hint)
