"""Whatever text another program wrote into a column of any table: no command passes it on to the terminal."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from optuna.storages._rdb.models import BaseModel
from sqlalchemy import Boolean, Column, DateTime, Enum, Float, Integer, String
from sqlalchemy.types import JSON
from tuner_storage.tables import Base

from tests.hostile import HOSTILE, assert_harmless
from tests.recipes import small_recipe
from tests.runs import run_scripted
from tuner.cli.main import main

STUDY = "small"
VERBS = (
    ("study", "list"),
    ("study", "show", STUDY),
    ("study", "trials", STUDY, "--attempts"),
    ("study", "trials", STUDY, "--json"),
    ("study", "best", STUDY),
    ("report", STUDY, "--timing"),
    ("report", STUDY, "--csv", "-"),
    ("study", "show", "nope"),
    ("study", "export-archive", STUDY, "ARCHIVE", "--force"),
    ("study", "import", "ARCHIVE", "--name", "copy"),
    ("doctor", "--quick"),
)
TABLES = {**BaseModel.metadata.tables, **Base.metadata.tables}
TEXTS = [
    (table.name, column.name)
    for table in TABLES.values()
    if "version" not in table.name
    for column in table.columns
    if isinstance(column.type, String | JSON) and not isinstance(column.type, Enum)
]


def planted(value: object) -> object:
    """Return a value whose every text and key is hostile."""
    if isinstance(value, dict):
        return {**{key: planted(inner) for key, inner in value.items()}, HOSTILE: HOSTILE + "\ud800"}
    if isinstance(value, list):
        return [planted(inner) for inner in value]
    return HOSTILE + "\ud800" if isinstance(value, str) else value


def filler(column: Column[Any]) -> object:
    """Return a value for a column of a table without a row."""
    for kind, value in ((Boolean, 0), (DateTime, "2030-01-01 00:00:00.000000"), (Integer, 1), (Float, 0.5)):
        if isinstance(column.type, kind):
            return value
    return json.dumps({"x": HOSTILE}) if isinstance(column.type, JSON) else HOSTILE


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished study with a start configuration, failed trials and a row in each table."""
    home = tmp_path_factory.mktemp("hostile") / ".tuner"
    rate, batch = {"type": "float", "low": 0.001, "high": 0.5}, {"type": "choice", "choices": [1, 16]}  # 1: it fails
    space = {"learning_rate": rate, "batch_size": batch, "layers": 1, "units": 8}
    start = [{"label": "first", "params": {"learning_rate": 0.01}}]
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("TUNER_STORAGE", raising=False)
        run_scripted(home, small_recipe(space=space, start=start, budget={"trials": 4, "epochs": 2}), name=STUDY)
    with closing(sqlite3.connect(home / "studies.db")) as database, database:
        for table in TABLES.values():
            if not database.execute(f"SELECT 1 FROM {table.name}").fetchone():
                names = [column.name for column in table.columns]
                holes = ", ".join("?" * len(names))
                values = [filler(column) for column in table.columns]
                database.execute(f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({holes})", values)
    return home


def plant(home: Path, table: str, column: str, *, whole: bool) -> None:
    """Make every value of a column hostile: as a whole, or each text in its JSON."""
    with closing(sqlite3.connect(home / "studies.db")) as database, database:
        for row, value in database.execute(f"SELECT rowid, {column} FROM {table}").fetchall():
            text: object = f"{HOSTILE}{row}"
            try:
                parsed = json.loads(value)
            except (TypeError, ValueError):
                new = text
            else:
                new = json.dumps(text if whole else planted(parsed))
            database.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (new, row))


def outputs(home: Path, archive: Path) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield what each command prints."""
    for verb in VERBS:
        words = [str(archive) if word == "ARCHIVE" else word for word in verb]
        yield verb, CliRunner().invoke(main, [*words, "--home", str(home)], env={"COLUMNS": "200"}).output


@pytest.mark.slow
@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize(("table", "column"), TEXTS)
def test_no_command_passes_control_characters_on(
    original: Path,
    tmp_path: Path,
    table: str,
    column: str,
    whole: bool,
) -> None:
    """Every text column of our tables and Optuna's; a new column is tested too. No text forges a line of ours."""
    home = tmp_path / ".tuner"
    shutil.copytree(original, home)
    plant(home, table, column, whole=whole)

    for verb, output in outputs(home, tmp_path / "x.zip"):
        assert_harmless(output, is_csv="--csv" in verb)
