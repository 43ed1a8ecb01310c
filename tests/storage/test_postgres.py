"""Connections to PostgreSQL: no option of the URL is repeated, and no table of another role is used."""

from __future__ import annotations

import subprocess
import sys
import traceback
from contextlib import closing

import pytest
from psycopg import pq
from sqlalchemy import text
from tuner_storage import Location, locate, open_store
from tuner_storage.engine import Database
from tuner_storage.maintenance import _upgrade_optuna
from tuner_storage.opening import has_database

from tests.postgres import USER, Server
from tuner.errors import TunerError

SECRET = "s3cret"  # noqa: S105
OPTIONS = [option.keyword.decode() for option in pq.Conninfo.get_defaults()]
SHOWN = {"host", "port", "user", "dbname"}  # they name the database in every message


@pytest.mark.parametrize("option", sorted({*OPTIONS, "nonsense"} - SHOWN | {"port"}))
@pytest.mark.parametrize("value", ["{}", "x%20{}%3Dy", "{}&{option}=other"])
def test_no_value_of_an_option_is_repeated(option: str, value: str) -> None:
    """A password may stand in the wrong option. Neither the error nor its traceback has it."""
    url = f"postgresql://ann@127.0.0.1:1/team?{option}={value.format(SECRET, option=option)}"
    with pytest.raises(TunerError) as caught:
        has_database(locate(url))
    shown = "".join(traceback.format_exception(caught.value)).replace(url, "")

    assert SECRET not in shown


@pytest.mark.parametrize("options", ["-c%20s3cret=1", "-cs3cret%3D1", "--s3cret=1", "s3cret"])
def test_the_server_repeats_no_option_either(postgres: Server, options: str) -> None:
    """It quotes a part of an option that it does not know."""
    with pytest.raises(TunerError) as caught:
        has_database(locate(f"{postgres.url('postgres')}?options={options}"))

    assert SECRET not in "".join(traceback.format_exception(caught.value))
    assert "***" in str(caught.value)


def run(location: Location, *statements: str) -> None:
    """Run statements as the user of the tests."""
    with closing(Database(location)) as database, database.engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))


def schemas_of_studies(location: Location) -> list[str]:
    """Return the schemas that have our table of studies."""
    query = text("SELECT schemaname FROM pg_catalog.pg_tables WHERE tablename = 'tuner_study' ORDER BY schemaname")
    with closing(Database(location)) as database, database.read() as session:
        return list(session.scalars(query))


def plant(location: Location) -> None:
    """Let another role own the schema that PostgreSQL searches first for us, with tables of our names."""
    run(
        location,
        "DO 'BEGIN CREATE ROLE mallory; EXCEPTION WHEN duplicate_object THEN END'",
        f"CREATE SCHEMA {USER} AUTHORIZATION mallory",
        f"CREATE TABLE {USER}.tuner_alembic_version AS SELECT '9999' AS version_num",
        f"CREATE TABLE {USER}.tuner_study AS SELECT 1 AS id",
        f"CREATE TABLE {USER}.alembic_version AS SELECT 'planted' AS version_num",
    )


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_table_that_another_role_has_planted_is_not_used(postgres_location: Location, moment: str) -> None:
    """Whoever may create a schema could name it as a user, and that user's studies would be the planted ones."""
    if moment == "before":
        plant(postgres_location)
    open_store(postgres_location, create=True).close()
    if moment == "after":
        plant(postgres_location)
    open_store(postgres_location).close()
    _upgrade_optuna(postgres_location)  # Optuna connects for itself

    assert schemas_of_studies(postgres_location) == [USER, "public"]


def test_a_session_does_not_see_a_schema_that_is_planted_while_it_lasts(postgres_location: Location) -> None:
    """The search path of a connection does not change."""
    with closing(open_store(postgres_location, create=True)) as store:
        plant(postgres_location)
        with store.database.read() as session:
            assert session.scalar(text("SELECT to_regclass('tuner_study')::regclass::text")) == "tuner_study"
            assert session.scalar(text("SELECT current_schema()")) == "public"


def test_the_schema_of_the_own_role_is_used(postgres_location: Location) -> None:
    """PostgreSQL recommends such schemas, and they are found without a setting."""
    run(postgres_location, f"CREATE SCHEMA {USER} AUTHORIZATION {USER}")
    open_store(postgres_location, create=True).close()

    assert schemas_of_studies(postgres_location) == [USER]


@pytest.mark.parametrize("path", ["team", "team,%22$user%22,public", "%22$user%22,team"])
def test_the_schema_of_the_url_is_used(postgres_location: Location, path: str) -> None:
    """Also beside the schema of the role, which is left out if it belongs to another role."""
    run(postgres_location, "CREATE SCHEMA team")
    plant(postgres_location)
    url = postgres_location.url.set(drivername="postgresql").render_as_string(hide_password=False)
    location = locate(f"{url}?options=-csearch_path%3D{path}", postgres_location.home)
    open_store(location, create=True).close()

    assert schemas_of_studies(location) == [USER, "team"]


@pytest.mark.slow
def test_a_process_that_imported_tensorflow_first_is_told_to_import_psycopg_before_it() -> None:
    """An encrypted connection would abort the process: both bring a library for TLS of their own."""
    script = """
import tensorflow
from tuner.study import list_studies
try:
    list_studies(storage="postgresql://ann@192.0.2.1/team?sslmode=verify-full")
except Exception as error:
    print(type(error).__name__, error, error.hint, sep="|")
"""
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    kind, message, hint = ended.stdout.strip().split("|")
    assert kind == "StorageError"
    assert message == "TensorFlow was imported before psycopg: an encrypted connection would end this process"
    assert "write `import psycopg` before the first import of tensorflow or keras" in hint
