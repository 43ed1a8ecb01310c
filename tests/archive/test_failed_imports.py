"""An import that fails, or whose process ends, leaves nothing behind."""

from __future__ import annotations

import socket
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import optuna
import pytest
from tuner_storage import locate
from tuner_storage.tables import StudyRow
from tuner_storage.transfer import Arrival, clear_dead

from tuner import studies
from tuner.archive import read
from tuner.archive.read import import_archive
from tuner.errors import RunError, TunerError
from tuner.results.overview import list_studies


def _contents(home: Path) -> tuple[list[str], list[str], int]:
    """Return the names of Optuna's studies, the files of the artifact folder, and the number of our studies."""
    with studies.opened(locate(home=home)) as store:
        names = optuna.get_all_study_names(store.optuna)
        with store.database.read() as session:
            ours = session.query(StudyRow).count()
    return names, sorted(path.name for path in (home / "artifacts").rglob("*")), ours


@pytest.mark.parametrize("step", ["add_trials", "settle", "_copy"])
def test_an_import_that_fails_leaves_nothing(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """If the disk is full at any step, no row and no file stays."""
    other = tmp_path / "other"
    calls = []

    def fail(*arguments: object) -> None:
        calls.append(arguments)
        if step != "_copy" or isinstance(arguments[-1], Arrival):
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(optuna.Study if step == "add_trials" else read, step, fail)
    with pytest.raises(RunError, match="No space left on device"):
        import_archive(exported, locate(home=other))

    assert calls
    assert _contents(other) == ([], [], 0)


@pytest.mark.parametrize("table", ["tuner_model", "tuner_refit"])
def test_a_transaction_that_fails_leaves_nothing(exported: Path, tmp_path: Path, table: str) -> None:
    """Files that were already moved to their final place are removed."""
    other = tmp_path / "other"
    with studies.opened(locate(home=other), create=True):
        pass
    with closing(sqlite3.connect(other / "studies.db")) as connection:
        connection.execute(f"CREATE TRIGGER full BEFORE INSERT ON {table} BEGIN SELECT RAISE(ABORT, 'full'); END")
        connection.commit()
    with pytest.raises(TunerError, match="full"):
        import_archive(exported, locate(home=other))

    names, files, ours = _contents(other)
    assert (names, ours) == ([], 0)
    assert not [name for name in files if name.endswith(".keras")]


def test_the_next_import_removes_what_a_crashed_one_left(exported: Path, tmp_path: Path) -> None:
    """A crash leaves a study that no command shows; it is removed, unless it belongs to another host."""
    other = tmp_path / "other"
    token = "0" * 32
    with studies.opened(locate(home=other), create=True) as store:
        optuna.create_study(storage=store.optuna, study_name=f"tuner-import nobody:1:1 {token}")
        store.artifacts.folder.joinpath(f".import-{token}").mkdir(parents=True)
        dead = f"tuner-import {socket.gethostname()}:1:never {'1' * 32}"
        optuna.create_study(storage=store.optuna, study_name=dead)
        assert clear_dead(store) == [dead]  # the process of the other host may still run
    import_archive(exported, locate(home=other))

    assert _contents(other)[0] == [f"tuner-import nobody:1:1 {token}", "small"]


def test_a_crash_during_an_import_leaves_no_visible_study(exported: Path, tmp_path: Path) -> None:
    """If the process ends before the transaction, no study is listed, and the next import succeeds."""
    other = tmp_path / "other"
    script = (
        "import os; from pathlib import Path; from tuner_storage import locate; from tuner.archive import read\n"
        "read.settle = lambda *_: os._exit(9)\n"
        f"read.import_archive(Path({str(exported)!r}), locate(home=Path({str(other)!r})))"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 9

    names, files, ours = _contents(other)
    assert (len(names), ours) == (1, 0)
    assert len([name for name in files if name.endswith(".keras")]) == 3 + 1  # kept models and the refit
    assert list_studies(locate(home=other)) == []
    import_archive(exported, locate(home=other))
    names, files, ours = _contents(other)
    assert (names, ours) == (["small"], 1)
    assert len([name for name in files if name.endswith(".keras")]) == 3 + 1  # kept models and the refit
    assert not [name for name in files if name.startswith(".import")]
