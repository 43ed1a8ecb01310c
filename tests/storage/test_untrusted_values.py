"""Values of JSON columns that another program wrote end in one line."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.recipes import small_recipe
from tests.runs import run_scripted
from tuner.cli.main import main

DEEP = "[" * 2000 + "]" * 2000
COLUMNS = {
    "the recipe": ("UPDATE tuner_study SET recipe = ?", ["study", "show", "small"]),
    "the metrics": ("UPDATE tuner_epoch SET metrics = ?", ["study", "export-archive", "small", "small.zip"]),
    "an attribute of a trial": (
        "INSERT INTO trial_user_attributes (trial_id, key, value_json) VALUES (1, 'x', ?)",
        ["study", "trials", "small"],
    ),
    "an attribute of the study": (
        "INSERT INTO study_user_attributes (study_id, key, value_json) VALUES (1, 'x', ?)",
        ["study", "export-archive", "small", "small.zip"],
    ),
}


@pytest.mark.parametrize("value", [DEEP, "[" * 600 + "]" * 600, "{", "not JSON"], ids=["deep", "less", "cut", "text"])
@pytest.mark.parametrize("column", COLUMNS)
def test_a_value_that_no_tuner_wrote_ends_in_one_line(
    home: Path, monkeypatch: pytest.MonkeyPatch, column: str, value: str
) -> None:
    """No command ends with a traceback."""
    monkeypatch.chdir(home.parent)
    run_scripted(home, small_recipe(budget={"trials": 1, "epochs": 1}))
    statement, command = COLUMNS[column]
    with closing(sqlite3.connect(home / "studies.db")) as connection:
        connection.execute(statement, (value,))
        connection.commit()
    result = CliRunner().invoke(main, [*command, "--home", str(home)])

    assert "Traceback" not in result.stderr
    assert result.exit_code in {0, 1, 2, 3}
    assert "this is a bug" not in result.stderr
