"""Where studies are kept: options, environment, defaults; passwords are never shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from storage import locate
from tuner.errors import UsageError


def test_everything_is_in_the_home_folder_by_default() -> None:
    """``.tuner`` in the current folder; nothing is made."""
    location = locate()

    assert location.file == Path(".tuner/studies.db")
    assert location.artifacts == Path(".tuner/artifacts")
    assert str(location) == ".tuner/studies.db"


def test_models_are_beside_the_database_unless_a_home_is_named() -> None:
    """A team's database need not lie where the models do."""
    assert locate("sqlite:///team/all.db").artifacts == Path("team/artifacts")
    assert locate("sqlite:////data/all.db").file == Path("/data/all.db")
    assert locate("sqlite:///team/all.db", Path("mine")).artifacts == Path("mine/artifacts")


def test_the_environment_stands_in_for_options(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is passed wins; empty variables are no settings."""
    monkeypatch.setenv("TUNER_HOME", "elsewhere")
    monkeypatch.setenv("TUNER_STORAGE", "")
    assert locate().file == Path("elsewhere/studies.db")
    assert locate(home=Path("given")).file == Path("given/studies.db")

    monkeypatch.setenv("TUNER_STORAGE", "sqlite:///shared.db")
    assert locate().file == Path("shared.db")
    assert locate().artifacts == Path("elsewhere/artifacts")
    assert locate("sqlite:///mine.db").file == Path("mine.db")


@pytest.mark.parametrize(
    "url",
    ["mysql://ann:secret@host/db", "postgresql+psycopg://ann:secret@host:5432/db", "sqlite://", "sqlite:///:memory:"],
)
def test_other_databases_are_refused_without_the_password(url: str) -> None:
    """Exit code 2, the URL with stars in it, and what to write."""
    with pytest.raises(UsageError, match="storage must be an SQLite file, got ") as caught:
        locate(url)

    assert caught.value.exit_code == 2
    assert "secret" not in str(caught.value)
    assert "sqlite:///relative/path.db" in str(caught.value.hint)


@pytest.mark.parametrize("url", ["studies.db", "postgresql://ann:secret@host:port/db", "://", "sqlite:/secret.db"])
def test_a_malformed_url_is_not_repeated(url: str) -> None:
    """It may hold a password at any place."""
    with pytest.raises(UsageError, match=r"^the storage URL is malformed$") as caught:
        locate(url)

    assert caught.value.exit_code == 2
    assert caught.value.hint
