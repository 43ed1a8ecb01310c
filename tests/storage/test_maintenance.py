"""A database can be checked, copied during a run, and upgraded without losing a row."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest
import tuner_storage
from alembic import command
from alembic.config import Config
from tuner_storage import Location, Store, locate, open_store
from tuner_storage.maintenance import backup, check, upgrade
from tuner_storage.opening import HEAD, VERSION_TABLE

from tests.recipes import small_recipe
from tests.runs import run_scripted, trials_of
from tuner.errors import RunError, StorageError, UsageError
from tuner.output_file import OutputFile
from tuner.results.overview import list_studies


@pytest.fixture
def location(home: Path) -> Location:
    """A database with a study of six trials."""
    run_scripted(home, small_recipe())
    return locate(home=home)


def make_older(location: Location, version: str = "0001") -> None:
    """Downgrade a database to the schema of an earlier tuner."""
    store = open_store(location)
    config = Config()
    config.set_main_option(
        "script_location", str(Path(tuner_storage.__file__).parent / "migrations").replace("%", "%%")
    )
    config.attributes["version_table"] = VERSION_TABLE
    with store.database.engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, version)
    store.close()


def make_optuna_older(location: Location) -> None:
    """Mark Optuna's tables as those of its previous schema."""
    with closing(sqlite3.connect(location.file)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'v3.0.0.d'")
        connection.commit()


def test_a_sound_database_has_no_problem(location: Location) -> None:
    """The check returns the backend and the schemas, and writes nothing."""
    before = location.file.read_bytes()
    health = check(location)

    assert health.problem is None
    assert (health.backend, health.schema, health.needed) == ("sqlite", HEAD, HEAD)
    assert health.seconds >= 0
    assert location.file.read_bytes() == before


def test_rows_that_refer_to_missing_rows_are_found(location: Location) -> None:
    """A program without foreign keys can leave such rows behind."""
    with closing(sqlite3.connect(location.file)) as connection:
        connection.execute("DELETE FROM tuner_study")
        connection.commit()
    health = check(location)

    assert any("of tuner_epoch refers to a missing row of tuner_study" in line for line in health.dangling)
    assert health.problem is not None
    assert "has rows that refer to missing rows" in health.problem[0]


def test_damage_is_found(location: Location) -> None:
    """The check reports overwritten pages, or that the file cannot be read at all (fault 2)."""
    content = bytearray(location.file.read_bytes())
    page = int.from_bytes(content[16:18])
    for start in range(3 * page, len(content), 2 * page):
        content[start : start + page // 2] = b"\xff" * (page // 2)
    location.file.write_bytes(content)

    try:
        damage = check(location).damage
    except StorageError as error:
        damage = (str(error),)
    assert damage


def test_an_older_schema_is_a_problem_with_a_way_out(location: Location) -> None:
    """The check works on older tables, and its hint is to upgrade."""
    make_older(location)
    problem = check(location).problem

    assert problem is not None
    assert problem[0] == f"has schema 0001 of an older tuner, this one needs {HEAD}"
    assert "tuner storage upgrade" in problem[1]


@pytest.mark.parametrize("verb", [check, upgrade])
def test_without_a_database_none_is_made(home: Path, verb: object) -> None:
    """Checking and upgrading create no database."""
    with pytest.raises(StorageError, match="there is no study in"):
        verb(locate(home=home))  # type: ignore[operator]
    assert not home.exists()


def test_a_backup_is_the_same_database(location: Location, tmp_path: Path) -> None:
    """The copy is sound and holds the same studies. No temporary file is left beside it."""
    copy = tmp_path / "deep" / "copy.db"
    size = backup(location, OutputFile(copy))
    there = Location(locate(f"sqlite:///{copy}").url, location.artifacts)

    assert size == copy.stat().st_size
    assert check(there).problem is None
    assert list_studies(there) == list_studies(location)
    assert [path.name for path in copy.parent.iterdir()] == ["copy.db"]


def test_a_backup_while_a_run_writes_is_consistent(location: Location, store: Store, tmp_path: Path) -> None:
    """A copy holds whole transactions: never one row of a pair without the other."""
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
            backup(location, OutputFile(copy))
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


def test_a_backup_replaces_a_file_only_with_force(location: Location, tmp_path: Path) -> None:
    """Even with it, a backup replaces neither a folder nor the database itself."""
    copy = tmp_path / "copy.db"
    copy.write_text("mine")
    with pytest.raises(UsageError, match="exists") as caught:
        backup(location, OutputFile(copy))
    assert "--force" in str(caught.value.hint)
    assert copy.read_text() == "mine"

    backup(location, OutputFile(copy, force=True, replaces_databases=True))
    assert copy.read_bytes().startswith(b"SQLite")
    with pytest.raises(UsageError, match="is a folder"):
        backup(location, OutputFile(tmp_path))
    with pytest.raises(UsageError, match="is the study database"):
        OutputFile(location.file, force=True, replaces_databases=True, protected=location.protected)


def test_the_hint_for_a_server_is_the_command_that_copies_it(tmp_path: Path) -> None:
    """The command is complete, except for the password."""
    with pytest.raises(UsageError) as caught:
        backup(locate("postgresql://ann:s3cret@db.example:5433/team"), OutputFile(tmp_path / "a b.dump"))

    assert caught.value.hint == (
        f"pg_dump --format=custom --file='{tmp_path}/a b.dump' postgresql://ann@db.example:5433/team"
    )
    assert "s3cret" not in str(caught.value)


def test_an_upgrade_keeps_every_trial_and_a_copy(location: Location, home: Path) -> None:
    """After the upgrade, a study of the first schema can be read and continued (fault 8)."""
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
    """An older tuner can still use the copy."""
    make_older(location)
    copy = upgrade(location).backup

    assert copy is not None
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute(f"SELECT version_num FROM {VERSION_TABLE}").fetchone() == ("0001",)
        assert connection.execute("SELECT COUNT(*) FROM trials").fetchone() == (6,)


def test_an_upgrade_of_a_current_database_does_nothing(location: Location) -> None:
    """The file stays as it is, and no copy is made."""
    before = location.file.read_bytes()
    result = upgrade(location)

    assert not result.changed
    assert result.backup is None
    assert location.file.read_bytes() == before
    assert not list(location.file.parent.glob("*.backup"))


def test_no_copy_replaces_an_earlier_one(location: Location) -> None:
    """The name of the second copy has a number."""
    for name in ("studies.db.schema-0001.backup", "studies.db.schema-0001-2.backup"):
        make_older(location)
        assert upgrade(location).backup == location.file.with_name(name)


def test_a_database_with_a_running_study_is_not_upgraded(location: Location) -> None:
    """The message names the run, and nothing is changed (fault 8)."""
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
    """A newer tuner may need a newer Optuna."""
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
    """A schema that we do not know is not changed (fault 7)."""
    with closing(sqlite3.connect(location.file)) as connection:
        connection.execute(statement)
        connection.commit()
    before = location.file.read_bytes()

    with pytest.raises(StorageError, match=message) as caught:
        upgrade(location)
    assert "pip install --upgrade" in str(caught.value.hint)
    assert location.file.read_bytes() == before


def test_a_failing_migration_changes_nothing(location: Location) -> None:
    """All migrations are one transaction."""
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
