"""Only their owner can read the database and the models, unless the owner shares the folder."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tuner_storage import locate, open_store
from tuner_storage.engine import WAL_IS_SAFE

from tests.recipes import small_recipe
from tests.runs import run_scripted
from tests.storage.test_maintenance import make_older
from tuner.errors import StorageError


@pytest.fixture(autouse=True)
def _usual_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def mode(path: Path) -> str:
    """Return the permissions of a file as an octal number."""
    return oct(path.stat().st_mode & 0o777)


def test_a_new_home_is_private(tmp_path: Path) -> None:
    """Folders above it follow the umask, because they are not ours alone."""
    home = tmp_path / "new" / ".tuner"
    run_scripted(home, small_recipe())

    assert mode(home) == mode(home / "artifacts") == "0o700"
    assert mode(home.parent) == "0o755"
    assert mode(home / "studies.db") == "0o600"


def test_the_log_of_the_database_is_as_private(home: Path) -> None:
    """SQLite gives its log and its index the mode of the database."""
    store = open_store(locate(home=home), create=True)
    with closing(store), closing(sqlite3.connect(home / "studies.db")) as connection:
        if not WAL_IS_SAFE:
            connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE more (number INTEGER)")
        connection.commit()

        for name in ("studies.db-wal", "studies.db-shm"):
            assert mode(home / name) == "0o600"


def test_a_folder_that_exists_keeps_its_mode(tmp_path: Path) -> None:
    """The database and the models in it are private even so."""
    home = tmp_path / "project"
    home.mkdir(mode=0o755)
    open_store(locate(home=home), create=True).close()

    assert mode(home) == "0o755"
    assert mode(home / "studies.db") == "0o600"
    assert mode(home / "artifacts") == "0o700"


@pytest.mark.parametrize(("umask", "database", "folder"), [(0o007, "0o660", "0o770"), (0o022, "0o640", "0o755")])
def test_a_shared_folder_follows_the_umask(tmp_path: Path, umask: int, database: str, folder: str) -> None:
    """`chmod g+ws` on the home folder says that its group shares it. Others get no access to the database."""
    home = tmp_path / "team"
    home.mkdir()
    home.chmod(0o2770)
    os.umask(umask)
    open_store(locate(home=home), create=True).close()

    assert mode(home / "studies.db") == database
    assert mode(home / "artifacts") == folder


def test_the_copy_before_an_upgrade_is_as_private_as_the_database(home: Path) -> None:
    """It stays beside the database. A backup goes where the user says, and follows the umask."""
    from tuner_storage.maintenance import backup, upgrade

    from tuner.output_file import OutputFile

    location = locate(home=home)
    run_scripted(home, small_recipe())
    make_older(location)
    copy = upgrade(location).backup
    backup(location, OutputFile(home.parent / "copy.db"))

    assert copy is not None
    assert mode(copy) == "0o600"
    assert mode(home.parent / "copy.db") == "0o644"


def test_a_folder_that_cannot_be_made_is_a_storage_error(tmp_path: Path) -> None:
    """The message names it."""
    (tmp_path / "file").write_text("x")
    (tmp_path / ".tuner").mkdir()
    (tmp_path / ".tuner" / "artifacts").write_text("x")
    for home, folder in ((tmp_path / "file" / "home", "file"), (tmp_path / ".tuner", ".tuner/artifacts")):
        with pytest.raises(StorageError, match=str(tmp_path / folder)):
            open_store(locate(home=home), create=True)


def test_no_database_is_made_through_a_link(home: Path, tmp_path: Path) -> None:
    """A folder that somebody sent may hold a link that leads anywhere, also to a database of another program."""
    home.mkdir()
    with closing(sqlite3.connect(tmp_path / "other.db")) as connection:
        connection.execute("CREATE TABLE mine (number INTEGER)")
        connection.commit()
    before = (tmp_path / "other.db").read_bytes()
    for target in ("absent.db", "other.db"):
        (home / "studies.db").symlink_to(tmp_path / target)
        with pytest.raises(StorageError, match=f"studies.db is a link to {tmp_path / target}"):
            open_store(locate(home=home), create=True)
        (home / "studies.db").unlink()

    assert not (tmp_path / "absent.db").exists()
    assert (tmp_path / "other.db").read_bytes() == before


def test_the_copy_before_an_upgrade_follows_no_link_and_takes_no_planted_file(home: Path, tmp_path: Path) -> None:
    """Its name can be known before: a link leads elsewhere, and an empty file may be open to everybody."""
    from tuner_storage.maintenance import upgrade

    location = locate(home=home)
    run_scripted(home, small_recipe())
    make_older(location)
    with closing(sqlite3.connect(home / "studies.db")) as connection:
        ((schema,),) = connection.execute("SELECT version_num FROM tuner_alembic_version")
    (home / f"studies.db.schema-{schema}.backup").symlink_to(tmp_path / "elsewhere.db")
    (home / f"studies.db.schema-{schema}-2.backup").touch()
    (home / f"studies.db.schema-{schema}-2.backup").chmod(0o666)
    copy = upgrade(location).backup

    assert copy is not None
    assert copy.name == f"studies.db.schema-{schema}-3.backup"
    assert mode(copy) == "0o600"
    assert not (tmp_path / "elsewhere.db").exists()
