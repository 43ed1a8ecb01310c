"""A database is created only on request, and a file that is not ours is never changed."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import optuna
import pytest
from tuner_storage import Location, Store, locate, open_store
from tuner_storage.opening import HEAD, VERSION_TABLE, has_database

from tuner.errors import StorageError


@pytest.fixture
def location(home: Path) -> Location:
    return locate(home=home)


def make(location: Location) -> None:
    """Create the database as `tuner study start` does."""
    store = open_store(location, create=True)
    _ = store.optuna
    store.close()


def refused(location: Location, function: Callable[[Location], object]) -> StorageError:
    """Return the error of ``function``. It has exit code 3 and one line."""
    with pytest.raises(StorageError) as caught:
        function(location)
    assert caught.value.exit_code == 3
    assert "\n" not in str(caught.value)
    return caught.value


def create(location: Location) -> Store:
    """Open the store, and create it if it does not exist."""
    return open_store(location, create=True)


OPENERS = pytest.mark.parametrize("opener", [has_database, open_store, create])


def test_a_database_is_made_with_its_folder(location: Location) -> None:
    """One file holds Optuna's tables and ours, and can be opened again."""
    assert not has_database(location)
    make(location)

    with sqlite3.connect(location.file) as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert {"studies", "trials", "tuner_study", "tuner_lease", "tuner_epoch", "tuner_model", VERSION_TABLE} <= tables
    assert sorted(path.name for path in location.file.parent.iterdir()) == ["artifacts", "studies.db"]
    assert has_database(location)
    open_store(location).close()


@pytest.mark.parametrize("name", ["a b", "{braces}", "100%", "it's", 'quo"te', "a?b=c&d", "a#b", "größe 😀"])
def test_the_folder_may_have_any_name(tmp_path: Path, name: str) -> None:
    """No character of a path is read as a format, a query or an option. All tables are in one file."""
    location = locate(home=tmp_path / name)
    make(location)

    with sqlite3.connect(tmp_path / name / "studies.db") as connection:
        assert connection.execute("SELECT COUNT(*) FROM sqlite_master WHERE name IN ('trials', 'tuner_study')")
        count = connection.execute("SELECT COUNT(*) FROM studies").fetchone()
    assert count == (0,)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_reading_creates_nothing(location: Location) -> None:
    """Without a database, the error says that there is no study, and no folder is created."""
    error = refused(location, open_store)

    assert "there is no study in" in str(error)
    assert "tuner study start" in str(error.hint)
    assert not location.file.parent.exists()


@OPENERS
def test_a_file_that_is_no_database_is_never_changed(location: Location, opener: Callable[[Location], object]) -> None:
    """The message names the file, and the hint names an option (fault 1)."""
    location.file.parent.mkdir()
    location.file.write_bytes(b"my thesis, chapter one\n" * 100)
    error = refused(location, opener)

    assert str(error) == f"{location.file} is not an SQLite database"
    assert "--storage" in str(error.hint)
    assert location.file.read_bytes() == b"my thesis, chapter one\n" * 100
    assert list(location.file.parent.iterdir()) == [location.file]


@OPENERS
@pytest.mark.parametrize("kept", [16, 100, 5000])
def test_a_truncated_database_is_named(location: Location, opener: Callable[[Location], object], kept: int) -> None:
    """Tuner does not repair it, and the hint is to copy it first (fault 2)."""
    make(location)
    location.file.write_bytes(location.file.read_bytes()[:kept])
    error = refused(location, opener)

    assert str(location.file) in str(error)
    assert "copy" in str(error.hint)
    assert location.file.stat().st_size == kept


def test_an_empty_file_is_a_database_only_once_a_study_starts(location: Location) -> None:
    """A command that only reads leaves it empty (fault 3)."""
    location.file.parent.mkdir()
    location.file.touch()

    assert not has_database(location)
    assert "there is no study in" in str(refused(location, open_store))
    assert location.file.stat().st_size == 0
    make(location)
    assert has_database(location)


@OPENERS
def test_a_folder_in_the_place_of_the_database_is_refused(
    location: Location, opener: Callable[[Location], object]
) -> None:
    """The hint names a file in the folder (fault 4)."""
    location.file.mkdir(parents=True)
    error = refused(location, opener)

    assert str(error) == f"the database path {location.file} is a folder"
    assert f"sqlite:///{location.file}/studies.db" in str(error.hint)
    assert list(location.file.iterdir()) == []


@OPENERS
@pytest.mark.parametrize("below", ["studies.db", "deep/er/studies.db"])
def test_a_file_in_the_place_of_the_folder_is_refused(
    tmp_path: Path, opener: Callable[[Location], object], below: str
) -> None:
    """The file may be any of the parents (fault 4)."""
    (tmp_path / "file").write_text("mine")
    error = refused(locate(f"sqlite:///{tmp_path}/file/{below}"), opener)

    assert str(error) == f"{tmp_path}/file is a file, not a folder that can hold studies.db"
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("opener", [open_store, create])
def test_a_newer_schema_is_left_alone(location: Location, opener: Callable[[Location], object]) -> None:
    """The hint is to upgrade tuner, and not a byte is written (fault 7)."""
    make(location)
    with sqlite3.connect(location.file) as connection:
        connection.execute(f"UPDATE {VERSION_TABLE} SET version_num = '9999'")
    connection.close()
    before = location.file.read_bytes()
    error = refused(location, opener)

    assert str(error) == f"the database {location.file} has schema 9999, this tuner knows {HEAD}"
    assert "pip install --upgrade mlp-tuner" in str(error.hint)
    assert location.file.read_bytes() == before
    assert sorted(location.file.parent.iterdir()) == [location.artifacts, location.file]


@pytest.mark.parametrize("wal", [False, True])
def test_reading_a_database_of_optuna_alone_changes_nothing(
    location: Location, monkeypatch: pytest.MonkeyPatch, wal: bool
) -> None:
    """It has no study of ours. The first one that starts is added beside Optuna's."""
    monkeypatch.setattr("tuner_storage.engine.WAL_IS_SAFE", wal)
    location.file.parent.mkdir()
    theirs = optuna.storages.RDBStorage(f"sqlite:///{location.file}")
    optuna.create_study(storage=theirs, study_name="theirs")
    theirs.remove_session()
    theirs.engine.dispose()
    before = location.file.read_bytes()

    assert not has_database(location)
    refused(location, open_store)
    assert location.file.read_bytes() == before

    store = create(location)
    assert optuna.get_all_study_names(store.optuna) == ["theirs"]
    store.close()


@pytest.mark.parametrize(("wal", "mode"), [(False, "delete"), (True, "wal")])
def test_the_journal_is_a_write_ahead_log_if_that_is_safe(
    location: Location, monkeypatch: pytest.MonkeyPatch, wal: bool, mode: str
) -> None:
    """The setting is stored in the file, for every program that opens it."""
    monkeypatch.setattr("tuner_storage.engine.WAL_IS_SAFE", wal)
    make(location)

    with sqlite3.connect(location.file) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == (mode,)


def test_an_older_schema_is_reported_with_the_command_that_upgrades_it(location: Location) -> None:
    """Opening a database of an earlier tuner does not change it."""
    make(location)
    with sqlite3.connect(location.file) as connection:
        connection.execute(f"UPDATE {VERSION_TABLE} SET version_num = '0001'")
    connection.close()
    error = refused(location, open_store)

    assert "has schema 0001 of an older tuner" in str(error)
    assert "tuner storage upgrade" in str(error.hint)
