"""A database can be checked, copied while it is written, and brought to a newer schema without losing a row."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config

import storage
from storage import Location, Store, locate, open_store
from storage.maintenance import backup, check, upgrade
from storage.opening import HEAD, VERSION_TABLE
from tests.recipes import small_recipe
from tests.runs import run_scripted, trials_of
from tuner.errors import RunError, StorageError, UsageError
from tuner.results.overview import list_studies


@pytest.fixture
def location(home: Path) -> Location:
    """A database with a study of six trials."""
    run_scripted(home, small_recipe())
    return locate(home=home)


def make_older(location: Location, version: str = "0001") -> None:
    """Bring a database back to the schema of an earlier tuner, as Alembic knows it."""
    store = open_store(location)
    config = Config()
    config.set_main_option("script_location", str(Path(storage.__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["version_table"] = VERSION_TABLE
    with store.database.engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, version)
    store.close()


def make_optuna_older(location: Location) -> None:
    """Bring Optuna's tables back to its schema before the newest."""
    with closing(sqlite3.connect(location.file)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'v3.0.0.d'")
        connection.commit()


def test_a_sound_database_has_no_problem(location: Location) -> None:
    """The check names what it read, and writes nothing."""
    before = location.file.read_bytes()
    health = check(location)

    assert health.problem is None
    assert (health.backend, health.schema, health.needed) == ("sqlite", HEAD, HEAD)
    assert health.seconds >= 0
    assert location.file.read_bytes() == before


def test_rows_that_refer_to_none_are_found(location: Location) -> None:
    """A program that switched foreign keys off left them behind."""
    with closing(sqlite3.connect(location.file)) as connection:
        connection.execute("DELETE FROM tuner_study")
        connection.commit()
    health = check(location)

    assert any("of tuner_epoch names one of tuner_study" in line for line in health.dangling)
    assert health.problem is not None
    assert "has rows that refer to none" in health.problem[0]


def test_damage_is_found(location: Location) -> None:
    """A page that was overwritten is named, or the file cannot be read at all (fault 2)."""
    content = bytearray(location.file.read_bytes())
    page = int.from_bytes(content[16:18])
    for start in range(3 * page, len(content), 2 * page):
        content[start : start + page // 2] = b"\xff" * (page // 2)
    location.file.write_bytes(content)

    try:
        found = check(location).damage
    except StorageError as error:
        found = (str(error),)
    assert found


def test_an_older_schema_is_a_problem_with_a_way_out(location: Location) -> None:
    """The check does not need the newest tables."""
    make_older(location)
    problem = check(location).problem

    assert problem is not None
    assert problem[0] == f"has schema 0001 of an older tuner, this one needs {HEAD}"
    assert "tuner storage upgrade" in problem[1]


@pytest.mark.parametrize("verb", [check, upgrade])
def test_without_a_database_none_is_made(home: Path, verb: object) -> None:
    """There is nothing to look after."""
    with pytest.raises(StorageError, match="there is no study in"):
        verb(locate(home=home))  # type: ignore[operator]
    assert not home.exists()


def test_a_backup_is_the_same_database(location: Location, tmp_path: Path) -> None:
    """Every study and trial is in it, and it is sound."""
    copy = tmp_path / "deep" / "copy.db"
    size = backup(location, copy)
    there = Location(locate(f"sqlite:///{copy}").url, location.artifacts)

    assert size == copy.stat().st_size
    assert check(there).problem is None
    assert list_studies(there) == list_studies(location)
    assert [path.name for path in copy.parent.iterdir()] == ["copy.db"]


def test_a_backup_while_a_run_writes_is_consistent(location: Location, store: Store, tmp_path: Path) -> None:
    """Each copy holds whole transactions: never one row of a pair without the other."""
    with closing(sqlite3.connect(location.file)) as connection:
        connection.execute("CREATE TABLE pair (side TEXT, number INTEGER)")
        connection.commit()
    done = threading.Event()

    def write() -> None:
        with closing(sqlite3.connect(location.file, timeout=60)) as connection:
            for number in range(1000):
                connection.execute("INSERT INTO pair VALUES ('left', ?)", (number,))
                connection.execute("INSERT INTO pair VALUES ('right', ?)", (number,))
                connection.commit()
                if done.wait(0.001):
                    return

    writer = threading.Thread(target=write)
    writer.start()
    counts = []
    try:
        for number in range(5):
            copy = tmp_path / f"{number}.db"
            backup(location, copy)
            with closing(sqlite3.connect(copy)) as connection:
                left, right = (
                    connection.execute("SELECT COUNT(*) FROM pair WHERE side = ?", (side,)).fetchone()[0]
                    for side in ("left", "right")
                )
                assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            assert left == right
            counts.append(left)
    finally:
        done.set()
        writer.join()
    assert counts == sorted(counts)


def test_a_backup_replaces_nothing_unasked(location: Location, tmp_path: Path) -> None:
    """Neither a file, nor a folder, nor the database itself."""
    copy = tmp_path / "copy.db"
    copy.write_text("mine")
    with pytest.raises(UsageError, match="exists") as caught:
        backup(location, copy)
    assert "--force" in str(caught.value.hint)
    assert copy.read_text() == "mine"

    backup(location, copy, force=True)
    assert copy.read_bytes().startswith(b"SQLite")
    with pytest.raises(UsageError, match="is a folder"):
        backup(location, tmp_path)
    with pytest.raises(UsageError, match="is the database itself"):
        backup(location, location.file, force=True)


def test_a_server_is_copied_by_its_own_tool(tmp_path: Path) -> None:
    """The command is complete, but for the password."""
    with pytest.raises(UsageError) as caught:
        backup(locate("postgresql://ann:s3cret@db.example:5433/team"), tmp_path / "a b.dump")

    assert caught.value.hint == (
        f"pg_dump --format=custom --file='{tmp_path}/a b.dump' postgresql://ann@db.example:5433/team"
    )
    assert "s3cret" not in str(caught.value)


def test_an_upgrade_keeps_every_trial_and_a_copy(location: Location, home: Path) -> None:
    """A study of the first schema is shown, listed and goes on afterwards (fault 8)."""
    trials = trials_of(home, small_recipe())
    make_older(location)
    with pytest.raises(StorageError, match="of an older tuner"):
        open_store(location)
    steps: list[str] = []
    result = upgrade(location, steps.append)

    assert (result.before, result.after, result.changed) == ("0001", HEAD, True)
    assert result.backup == location.file.with_name("studies.db.schema-0001.backup")
    assert str(result.backup) in steps[0]
    assert check(location).problem is None
    assert trials_of(home, small_recipe()) == trials
    run_scripted(home, small_recipe(budget={"trials": 8, "epochs": 4}))
    assert [trial.state for trial in trials_of(home, small_recipe())] == ["complete"] * 8


def test_the_copy_is_the_database_as_it_was(location: Location) -> None:
    """An older tuner can go on with it."""
    make_older(location)
    copy = upgrade(location).backup

    assert copy is not None
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute(f"SELECT version_num FROM {VERSION_TABLE}").fetchone() == ("0001",)
        assert connection.execute("SELECT COUNT(*) FROM trials").fetchone() == (6,)


def test_an_upgrade_of_a_current_database_does_nothing(location: Location) -> None:
    """Not even a copy is made."""
    before = location.file.read_bytes()
    result = upgrade(location)

    assert not result.changed
    assert result.backup is None
    assert location.file.read_bytes() == before
    assert not list(location.file.parent.glob("*.backup"))


def test_no_copy_replaces_an_earlier_one(location: Location) -> None:
    """The second has a number."""
    for name in ("studies.db.schema-0001.backup", "studies.db.schema-0001-2.backup"):
        make_older(location)
        assert upgrade(location).backup == location.file.with_name(name)


def test_a_running_study_is_never_upgraded_under_its_run(location: Location) -> None:
    """The run is named, and nothing is changed (fault 8)."""
    store = open_store(location)
    lease = store.lease(1, "small")
    lease.acquire()
    store.close()
    make_older(location)
    before = location.file.read_bytes()

    with pytest.raises(RunError, match="study 'small' is being run by process") as caught:
        upgrade(location)
    assert "tuner study stop small" in str(caught.value.hint)
    assert location.file.read_bytes() == before
    assert not list(location.file.parent.glob("*.backup"))


def test_optunas_tables_are_upgraded_too(location: Location, home: Path) -> None:
    """A newer Optuna came with the newer tuner."""
    trials = trials_of(home, small_recipe())
    make_optuna_older(location)
    with pytest.raises(StorageError, match="were made by another version of Optuna") as caught:
        trials_of(home, small_recipe())
    assert "tuner storage upgrade" in str(caught.value.hint)
    result = upgrade(location)

    assert result.optuna_before == "v3.0.0.d"
    assert result.optuna_after not in {None, "v3.0.0.d"}
    assert result.backup is not None
    assert trials_of(home, small_recipe()) == trials


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        (f"UPDATE {VERSION_TABLE} SET version_num = '9999'", "has schema 9999, this tuner knows"),
        ("UPDATE alembic_version SET version_num = 'v99'", "have schema v99, this Optuna knows"),
    ],
)
def test_what_a_newer_program_wrote_is_left_alone(location: Location, statement: str, message: str) -> None:
    """There is no way back (fault 7)."""
    with closing(sqlite3.connect(location.file)) as connection:
        connection.execute(statement)
        connection.commit()
    before = location.file.read_bytes()

    with pytest.raises(StorageError, match=message) as caught:
        upgrade(location)
    assert "pip install --upgrade" in str(caught.value.hint)
    assert location.file.read_bytes() == before


def test_a_failing_migration_changes_nothing(location: Location) -> None:
    """All of it happens, or nothing does."""
    make_older(location)
    with closing(sqlite3.connect(location.file)) as connection:
        connection.execute("CREATE TABLE tuner_refit (mine TEXT)")  # in the way of the last migration
        connection.commit()
    with pytest.raises(StorageError, match="already exists"):
        upgrade(location)

    with closing(sqlite3.connect(location.file)) as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
        assert connection.execute(f"SELECT version_num FROM {VERSION_TABLE}").fetchone() == ("0001",)
    assert "tuner_run" not in tables
