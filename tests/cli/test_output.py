"""The files that commands write, as the user names them: nothing of value is replaced."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from tests.recipes import small_recipe
from tests.runs import run_scripted
from tuner.cli.main import main

Tuner = Callable[..., Result]


@pytest.fixture
def tuner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tuner:
    """The command, in a folder with a finished study."""
    monkeypatch.chdir(tmp_path)
    run_scripted(Path(".tuner"), small_recipe())
    return lambda *words: CliRunner().invoke(main, list(words))


COMMANDS = (
    ("report", "small", "--force", "--csv"),
    ("study", "export-archive", "small", "--force"),
    ("storage", "backup", "--force"),
    ("export", "small", "--force", "-o"),
)


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: " ".join(words[:2]))
def test_no_command_replaces_the_database_or_a_model(tuner: Tuner, words: tuple[str, ...]) -> None:
    """Not even with `--force`. `report --csv .tuner/studies.db` once replaced all studies with a table."""
    model = str(next(Path(".tuner").rglob("*.keras")))
    Path("link").symlink_to(".tuner/studies.db")
    before = {file: file.read_bytes() for file in Path(".tuner").rglob("*") if file.is_file()}
    for name in (".tuner/studies.db", "link", ".tuner/studies.db-wal", model, ".tuner/artifacts/new", ".tuner/new"):
        result = tuner(*words, name)

        assert result.exit_code == 2, result.output
        assert f"Error: {name} " in result.stderr
        assert "Hint:" in result.stderr
    assert {file: file.read_bytes() for file in Path(".tuner").rglob("*") if file.is_file()} == before
    assert tuner("storage", "check").exit_code == 0


def test_a_report_replaces_its_own_earlier_file_and_no_other(tuner: Tuner) -> None:
    """`--force` replaces any file."""
    Path("notes.csv").write_text("mine")
    assert tuner("report", "small", "--csv", "trials.csv").exit_code == 0
    assert tuner("report", "small", "--csv", "trials.csv").exit_code == 0
    refused = tuner("report", "small", "--csv", "notes.csv")
    assert (refused.exit_code, Path("notes.csv").read_text()) == (2, "mine")
    assert "--force" in refused.stderr
    assert tuner("report", "small", "--csv", "notes.csv", "--force").exit_code == 0
    assert Path("notes.csv").read_text() == Path("trials.csv").read_text()


def test_a_report_does_not_replace_the_data_of_its_study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rows that the study was trained on are an input of every command that reads the study."""
    monkeypatch.chdir(tmp_path)
    np.savez("own.npz", x=np.zeros(3))
    run_scripted(Path(".tuner"), small_recipe(data="own.npz"))
    for words in COMMANDS[:2]:
        result = CliRunner().invoke(main, [*words, "own.npz"])

        assert result.exit_code == 2
        assert "own.npz is read by this command" in result.stderr


def test_a_dash_is_standard_output(tuner: Tuner) -> None:
    """It gets the file and nothing else, so that a pipe can take it; the messages are on stderr."""
    table = tuner("report", "small", "--csv", "-")
    assert len(list(csv.DictReader(io.StringIO(table.stdout)))) == 6
    archive = tuner("study", "export-archive", "small", "-")
    assert "manifest.json" in zipfile.ZipFile(io.BytesIO(archive.stdout_bytes)).namelist()
    copy = tuner("storage", "backup", "-")
    Path("copy.db").write_bytes(copy.stdout_bytes)
    with closing(sqlite3.connect("copy.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    for result in (table, archive, copy):
        assert result.exit_code == 0
        assert "standard output" in result.stderr or "bytes" in result.stderr
        assert "Next:" not in result.stderr


def test_a_file_and_json_cannot_both_go_to_standard_output(tuner: Tuner) -> None:
    """The reader could not tell them apart."""
    for words in (("report", "small", "--csv"), ("study", "export-archive", "small"), ("storage", "backup")):
        result = tuner(*words, "-", "--json")

        assert (result.exit_code, json.loads(result.stdout)["exit_code"]) == (2, 2)
        assert "cannot both go to standard output" in result.stderr
