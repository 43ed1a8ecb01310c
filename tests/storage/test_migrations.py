"""The migrations create the tables that the code declares."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import tuner_storage
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text
from tuner_storage import Location, Store, open_store
from tuner_storage.opening import HEAD, VERSION_TABLE
from tuner_storage.tables import Base

from tuner.events import ModelFile, RefitEnd


@pytest.fixture
def store(any_location: Location) -> Iterator[Store]:
    """A new, empty store, on SQLite and on PostgreSQL."""
    opened = open_store(any_location, create=True)
    yield opened
    opened.close()


@pytest.fixture
def config() -> Config:
    """Alembic's configuration for our migrations."""
    config = Config()
    config.set_main_option(
        "script_location", str(Path(tuner_storage.__file__).parent / "migrations").replace("%", "%%")
    )
    config.attributes["version_table"] = VERSION_TABLE
    return config


def test_the_newest_migration_is_the_one_that_opening_expects(config: Config) -> None:
    """The migrations have one end, and ``HEAD`` names it."""
    assert ScriptDirectory.from_config(config).get_heads() == [HEAD]


def test_migrated_tables_are_those_of_the_code(store: Store) -> None:
    """Migrations and code have the same columns, types, keys and indexes."""
    _ = store.optuna  # creates Optuna's tables and its Alembic version too

    def ours(name: str | None, kind: str, _parents: object) -> bool:
        return kind != "table" or (str(name).startswith("tuner_") and name != VERSION_TABLE)

    with store.database.engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"include_name": ours, "compare_server_default": True, "version_table": VERSION_TABLE}
        )
        assert compare_metadata(context, Base.metadata) == []


def test_references_to_a_study_are_those_of_the_code(store: Store) -> None:
    """Alembic does not compare the actions on deletion, so this test does."""
    inspector = inspect(store.database.engine)
    for table in Base.metadata.sorted_tables:
        declared = {(key.parent.name, key.column.table.name, key.ondelete) for key in table.foreign_keys}
        migrated = {
            (key["constrained_columns"][0], key["referred_table"], key["options"].get("ondelete"))
            for key in inspector.get_foreign_keys(table.name)
        }
        assert migrated == declared


def test_optuna_and_tuner_keep_their_versions_apart(store: Store) -> None:
    """Both use Alembic in the same database."""
    _ = store.optuna
    with store.database.read() as session:
        ours = session.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalars().all()
        theirs = session.execute(text("SELECT version_num FROM alembic_version")).scalars().all()

    assert ours == [HEAD]
    assert len(theirs) == 1
    assert theirs != ours


@pytest.mark.parametrize("older", ["0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008"])
def test_every_older_schema_leads_to_the_newest(store: Store, config: Config, older: str) -> None:
    """A study is kept by the upgrade, and tables that the older schema lacked are empty."""
    _ = store.optuna
    record = store.add_study("any", ["minimize"], {"name": "any"}, "f" * 64, {})
    for revision, step in ((older, command.downgrade), ("head", command.upgrade)):
        with store.database.engine.begin() as connection:
            config.attributes["connection"] = connection
            step(config, revision)

    assert store.find_study(1) == record
    assert store.refit(record.id) is None
    end = RefitEnd(0, model=ModelFile(store.artifacts.refit_path(record.id, 0), "0" * 64, 1))
    store.set_refit(record.id, end)
    assert store.refit(record.id) is not None


def test_going_back_leaves_optunas_tables_alone(store: Store, config: Config) -> None:
    """A downgrade removes our tables and no other, and an upgrade creates them again."""
    _ = store.optuna
    before = set(inspect(store.database.engine).get_table_names())
    with store.database.engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
    without = set(inspect(store.database.engine).get_table_names())
    with store.database.engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")

    assert before - without == {table.name for table in Base.metadata.sorted_tables}
    assert set(inspect(store.database.engine).get_table_names()) == before
