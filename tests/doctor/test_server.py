"""Archives, checks and upgrades of a database on a server."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
import tuner_storage
from alembic import command
from alembic.config import Config
from sqlalchemy import text
from tuner_storage import Location, locate, open_store
from tuner_storage.maintenance import backup, check, upgrade
from tuner_storage.opening import HEAD, VERSION_TABLE

from tests.archive.conftest import recipe
from tests.postgres import PASSWORD
from tests.runs import run_scripted
from tuner import studies
from tuner.archive.read import import_archive
from tuner.archive.write import write_archive
from tuner.doctor import examine
from tuner.errors import UsageError
from tuner.output_file import OutputFile


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """The archive of a study in SQLite."""
    run_scripted(tmp_path / "first", recipe())
    with studies.existing(locate(home=tmp_path / "first"), "small") as stored:
        write_archive(stored, OutputFile(tmp_path / "small.zip"))
    return tmp_path / "small.zip"


def trials_in(location: Location) -> list[str]:
    """Return the states of the trials."""
    with studies.existing(location, "small") as stored:
        return [trial.state.name for trial in stored.study.get_trials()]


def test_an_archive_moves_from_sqlite_to_postgresql_and_back(
    archive: Path, postgres_location: Location, tmp_path: Path
) -> None:
    """The archives have the same bytes."""
    import_archive(archive, postgres_location)
    with studies.existing(postgres_location, "small") as stored:
        write_archive(stored, OutputFile(tmp_path / "second.zip"))
    import_archive(tmp_path / "second.zip", locate(home=tmp_path / "third"))
    with studies.existing(locate(home=tmp_path / "third"), "small") as stored:
        write_archive(stored, OutputFile(tmp_path / "third.zip"))

    for name in ("second.zip", "third.zip"):
        with zipfile.ZipFile(tmp_path / name) as one, zipfile.ZipFile(archive) as two:
            assert one.read("manifest.json").decode() == two.read("manifest.json").decode()
        assert (tmp_path / name).read_bytes() == archive.read_bytes()


def test_a_server_is_checked_and_examined(archive: Path, postgres_location: Location) -> None:
    """No check is a problem, the password is never shown, and a backup is refused."""
    import_archive(archive, postgres_location)
    health = check(postgres_location)
    examination = examine(postgres_location, quick=True)

    assert (health.backend, health.schema, health.problem) == ("postgresql", HEAD, None)
    assert [result for result in examination.checks if result.status == "problem"] == []
    assert {"database", "runs", "trials", "rows", "files"} <= {result.name for result in examination.checks}
    assert PASSWORD not in repr(health) + repr(examination)
    with pytest.raises(UsageError, match="on a database server"):
        backup(postgres_location, OutputFile("copy"))


def test_a_server_of_an_older_tuner_is_upgraded(archive: Path, postgres_location: Location) -> None:
    """Our tables and Optuna's are upgraded; no copy is made, which is up to the administrator (fault 8)."""
    import_archive(archive, postgres_location)
    before = trials_in(postgres_location)
    store = open_store(postgres_location)
    config = Config()
    config.set_main_option(
        "script_location", str(Path(tuner_storage.__file__).parent / "migrations").replace("%", "%%")
    )
    config.attributes["version_table"] = VERSION_TABLE
    with store.database.engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0001")
        connection.execute(text("UPDATE alembic_version SET version_num = 'v3.0.0.d'"))
    store.close()
    result = upgrade(postgres_location)

    assert (result.before, result.after, result.optuna_before) == ("0001", HEAD, "v3.0.0.d")
    assert result.backup is None
    assert trials_in(postgres_location) == before
    assert not upgrade(postgres_location).changed


def test_leftovers_beside_a_server_are_never_removed(archive: Path, postgres_location: Location) -> None:
    """Another database may use the folder too."""
    import_archive(archive, postgres_location)
    leftover = postgres_location.artifacts / "study-00077" / "trial-00000.keras"
    leftover.parent.mkdir()
    leftover.write_text("x")
    examination = examine(postgres_location, quick=True, fix=True)

    assert examination.removed == []
    assert leftover.exists()
