"""What many tests need: the recorded data sets, a home folder of their own, an open store in it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from sqlalchemy import Engine, event

from storage import Store, locate, open_store

ROOT = Path(__file__).parent.parent

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


@pytest.fixture
def store(home: Path) -> Iterator[Store]:
    """A new, empty store in ``home``."""
    opened = open_store(locate(home=home), create=True)
    yield opened
    opened.close()
