"""What many tests need: the recorded data sets, a home folder of their own, an open store in it."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from sqlalchemy import Engine, event

from storage import Location, Store, locate, open_store
from tests.command import Command
from tests.postgres import Server, start_server

ROOT = Path(__file__).parent.parent

# A shell that starts the tests in the background ignores Ctrl-C for them, and for every command that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Time limits per example only tell how busy the machine is.
hypothesis.settings.register_profile("tuner", deadline=None)
hypothesis.settings.load_profile("tuner")


@event.listens_for(Engine, "connect")
def _never_wait_for_the_disk(connection: object, _record: object) -> None:
    """Databases of tests need not survive a power cut; waiting for the disk would take most of the time."""
    if isinstance(connection, sqlite3.Connection):
        connection.execute("PRAGMA synchronous = OFF")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of recorded data sets; the test is skipped where there is none."""
    folder = Path(os.environ.get("TUNER_DATA") or ROOT.parent / "shared" / "data").absolute()
    if not (folder / "mnist.npz").is_file():
        pytest.skip(f"needs mnist.npz in {folder}: name another folder with TUNER_DATA")
    return folder


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test touches the studies of the person who runs it."""
    monkeypatch.delenv("TUNER_HOME", raising=False)
    monkeypatch.delenv("TUNER_STORAGE", raising=False)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home folder that does not exist yet."""
    return tmp_path / ".tuner"


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """One PostgreSQL for all tests that need one; they are skipped where it is not installed."""
    folder = Path(tempfile.mkdtemp(prefix="tuner-postgres-"))  # short, and open to the user that it runs as
    try:
        server = start_server(folder)
        yield server
        server.stop("immediate")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


_databases = itertools.count()


@pytest.fixture
def postgres_location(postgres: Server, home: Path) -> Location:
    """A new, empty database on the server; models go to ``home``."""
    name = f"test_{next(_databases)}"
    postgres.create_database(name)
    return locate(postgres.url(name), home)


@pytest.fixture(params=["sqlite", "postgresql"])
def any_location(request: pytest.FixtureRequest, home: Path) -> Location:
    """A database of each kind that does not exist yet."""
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
    """The real command; what it started is ended with the test."""
    command = Command(tmp_path)
    yield command
    for process in command.running:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
