"""Fixtures that many tests share: recorded data sets, home folders, stores, databases, and the command."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import hypothesis
import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, event
from tuner_storage import Location, Store, locate, open_store

from tests.command import Command
from tests.postgres import Server, start_server
from tests.s3_server import S3Server

with suppress(ImportError):  # of the extra "postgres"
    import psycopg  # noqa: F401 - before the tests that import TensorFlow, as in a process of the command

ROOT = Path(__file__).parent.parent

# A shell that starts the tests in the background ignores Ctrl-C for them and for all commands that they start.
# nohup does the same for a closed terminal.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

# On a busy machine, time limits per example fail at random.
hypothesis.settings.register_profile("tuner", deadline=None)
hypothesis.settings.load_profile("tuner")


@event.listens_for(Engine, "connect")
def _do_not_wait_for_the_disk(connection: object, _record: object) -> None:
    """Databases of tests need not survive a power cut. Waiting for the disk would take most of the time."""
    if isinstance(connection, sqlite3.Connection):
        connection.execute("PRAGMA synchronous = OFF")


_script_directories: dict[str | None, ScriptDirectory] = {}
_load_scripts = ScriptDirectory.from_config


def _loaded_once(config: Config) -> ScriptDirectory:
    """Load migrations once per process: else Alembic loads all of them for each database, half of the time it takes."""
    place = config.get_main_option("script_location")
    if place not in _script_directories:
        _script_directories[place] = _load_scripts(config)
    return _script_directories[place]


ScriptDirectory.from_config = staticmethod(_loaded_once)  # type: ignore[method-assign]


def pytest_make_parametrize_id(val: object) -> None:
    """Refuse a compressed file as the name of a test: it holds the time, so each process would see another name."""
    if isinstance(val, bytes) and val.startswith((b"\x1f\x8b", b"PK")):
        raise ValueError("give these parameters names of their own: parametrize(..., ids=[...])")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of recorded data sets. If there is none, the test is skipped."""
    folder = Path(os.environ.get("TUNER_DATA") or ROOT.parent / "shared" / "data").absolute()
    if not (folder / "mnist.npz").is_file():
        pytest.skip(f"needs mnist.npz in {folder}: name another folder with TUNER_DATA")
    return folder


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests must not touch the studies of the person who runs them."""
    monkeypatch.delenv("TUNER_HOME", raising=False)
    monkeypatch.delenv("TUNER_STORAGE", raising=False)
    monkeypatch.delenv("TUNER_ARTIFACTS", raising=False)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home folder that does not exist yet."""
    return tmp_path / ".tuner"


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """One PostgreSQL server for all tests that need one. If it is not installed, they are skipped."""
    folder = Path(tempfile.mkdtemp(prefix="tuner-postgres-"))  # a short path that the server's user can read
    try:
        server = start_server(folder)
        yield server
        server.stop("immediate")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def _s3() -> Iterator[S3Server]:
    """One server of S3 for all tests that need one. If moto is not installed, they are skipped."""
    server = S3Server()
    yield server
    server.stop()


@pytest.fixture
def s3(_s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3Server:
    """The server of S3, where the SDK finds it."""
    for name, value in _s3.environment.items():
        monkeypatch.setenv(name, value)
    return _s3


@pytest.fixture
def s3_location(s3: S3Server, home: Path) -> Location:
    """A database in ``home`` that does not exist yet, with artifacts in a new bucket."""
    return replace(locate(home=home), s3=s3.address())


_databases = itertools.count()


@pytest.fixture
def postgres_location(postgres: Server, home: Path) -> Location:
    """A new, empty database on the server. Models are stored in ``home``."""
    name = f"test_{next(_databases)}"
    postgres.create_database(name)
    return locate(postgres.url(name), home)


@pytest.fixture(params=["sqlite", "postgresql"])
def any_location(request: pytest.FixtureRequest, home: Path) -> Location:
    """A database that does not exist yet, of each kind."""
    if request.param == "sqlite":
        return locate(home=home)
    location: Location = request.getfixturevalue("postgres_location")
    return location


@pytest.fixture
def store(home: Path) -> Iterator[Store]:
    """A new, empty store in ``home``."""
    opened = open_store(locate(home=home), create=True)
    yield opened
    opened.close()


@pytest.fixture
def tuner(tmp_path: Path) -> Iterator[Command]:
    """The real command. Processes that it started are killed at the end of the test."""
    command = Command(tmp_path)
    yield command
    for process in command.running:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
