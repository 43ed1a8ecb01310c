"""PostgreSQL behind PgBouncer, where each transaction may use another connection; and certificates that are checked."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import text
from tuner_storage import Location, locate, open_store
from tuner_storage.engine import Database
from tuner_storage.faults import is_transient

from tests.pgbouncer import PgBouncer, pgbouncer
from tests.postgres import USER, Server
from tests.recipes import small_recipe
from tests.runs import Recorder, run_scripted
from tests.storage.test_postgres import plant, schemas_of_studies
from tuner.errors import StorageError
from tuner.records import Counts
from tuner.results.overview import list_studies


@pytest.fixture(scope="module")
def pooler(postgres: Server) -> Iterator[PgBouncer]:
    with pgbouncer(postgres) as pooler:
        yield pooler


@pytest.fixture
def pooled(pooler: PgBouncer, postgres_location: Location, home: Path) -> Location:
    """A new, empty database that is reached through the pooler."""
    return locate(pooler.url(str(postgres_location.url.database)), home)


@pytest.mark.slow
def test_a_study_runs_through_a_pooler_that_is_killed(pooler: PgBouncer, pooled: Location, home: Path) -> None:
    """Prepared statements and settings of a session would be lost at each transaction."""
    views: list[object] = []

    def kill(view: object) -> None:
        views.append(view)
        if len(views) in {5, 20}:
            pooler.kill()
            pooler.start()

    recipe = small_recipe(budget={"trials": 12, "epochs": 3, "timeout": None})
    run_scripted(home, recipe, location=pooled, recorder=Recorder(on_update=kill))

    assert len(views) >= 20
    assert list_studies(pooled)[0].counts == Counts(12, 0, 0, 0, 0)


def test_a_planted_table_is_not_used_on_any_connection(pooled: Location, postgres_location: Location) -> None:
    """Each transaction may be the first of ours on its connection."""
    open_store(pooled, create=True).close()
    plant(postgres_location)
    with closing(Database(pooled)) as database:
        used = []
        for _ in range(8):  # the pooler has four connections, and takes them in turn
            with database.read() as session:
                used.append(session.execute(text("SELECT pg_backend_pid(), current_schema()")).one())

    assert len({pid for pid, _ in used}) > 1
    assert {schema for _, schema in used} == {"public"}
    assert schemas_of_studies(pooled) == [USER, "public"]


def test_other_clients_of_the_pooler_keep_their_search_path(pooled: Location) -> None:
    """A setting of the session would stay on the connection, which the next client gets."""
    open_store(pooled, create=True).close()
    with closing(
        psycopg.connect(pooled.url.set(drivername="postgresql").render_as_string(hide_password=False))
    ) as client:
        paths = set()
        for _ in range(8):
            paths.add(str(client.execute("SHOW search_path", prepare=False).fetchone()))
            client.rollback()

    assert paths == {"('\"$user\", public',)"}


@pytest.mark.parametrize(
    ("settings", "options", "hint"),
    [
        ({"default_pool_size": "2", "query_wait_timeout": "1"}, "", "takes three, see default_pool_size"),
        ({"pool_mode": "statement"}, "", "pool_mode = transaction"),
        ({}, "?options=-csearch_path%3Dteam", "set search_path for the role"),
    ],
)
def test_a_pooler_that_cannot_serve_is_an_error_with_a_hint(
    postgres: Server, postgres_location: Location, settings: dict[str, str], options: str, hint: str
) -> None:
    """With too few connections, without transactions, or with options that it does not know."""
    with pgbouncer(postgres, settings) as pooler, pytest.raises(StorageError) as caught:
        open_store(locate(pooler.url(str(postgres_location.url.database)) + options), create=True)

    assert hint in str(caught.value.hint)


@pytest.fixture(scope="module")
def encrypted(postgres: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[PgBouncer, Path]]:
    """A pooler with a certificate for localhost, and the certificate of the authority that signed it."""
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl")
    folder = tmp_path_factory.mktemp("authority")

    def sign(name: str, *options: Any) -> tuple[Path, Path]:
        files = folder / f"{name}.pem", folder / f"{name}.key"
        subject = ["-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}", "-days", "2"]
        key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        command = ["openssl", "req", "-x509", *key, *subject, *options, "-out", files[0], "-keyout", files[1]]
        subprocess.run(command, check=True, capture_output=True)
        return files

    authority, key = sign("authority")
    certificate, its_key = sign("localhost", "-CA", authority, "-CAkey", key)
    tls = {
        "client_tls_sslmode": "require",
        "client_tls_cert_file": certificate.name,
        "client_tls_key_file": its_key.name,
    }
    with pgbouncer(postgres, tls, files=(certificate, its_key)) as pooler:
        yield pooler, authority


def test_a_server_with_a_certificate_of_the_own_authority_is_used(
    encrypted: tuple[PgBouncer, Path], postgres_location: Location, home: Path
) -> None:
    """``sslmode=verify-full`` compares its name too."""
    pooler, authority = encrypted
    url = pooler.url(str(postgres_location.url.database), host="localhost")
    location = locate(f"{url}?sslmode=verify-full&sslrootcert={authority}", home)
    run_scripted(home, small_recipe(), location=location)

    assert list_studies(location)[0].counts == Counts(6, 0, 0, 0, 0)


@pytest.mark.parametrize(
    ("host", "root", "said"),
    [
        ("127.0.0.1", "authority.pem", ("does not match host name", "the name that the certificate has")),
        ("localhost", "localhost.pem", ("certificate verify failed", "sslrootcert=FILE")),
        ("localhost", "missing.pem", ("does not exist", "sslrootcert=FILE")),
    ],
)
def test_another_certificate_is_refused(
    encrypted: tuple[PgBouncer, Path], postgres_location: Location, host: str, root: str, said: tuple[str, str]
) -> None:
    """A server with another name, or one that another authority has signed. Trying again would not help."""
    pooler, authority = encrypted
    url = pooler.url(str(postgres_location.url.database), host=host)
    location = locate(f"{url}?sslmode=verify-full&sslrootcert={authority.with_name(root)}")
    with pytest.raises(StorageError, match=said[0]) as caught:
        open_store(location, create=True)

    assert said[1] in str(caught.value.hint)
    assert not is_transient(caught.value)
