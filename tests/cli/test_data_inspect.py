"""``tuner data inspect`` prints what is in each column, and what to do about it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tuner.cli.main import main
from tuner.tables.schema import TableSchema

ROWS = "Größe;Ort;Preis;Nr;Verkauft\n" + "".join(
    f"{row},5;{'Bonn' if row % 3 else 'Köln'};{row * 37 % 101} €;{row};{'ja' if row % 2 else 'nein'}\n"
    for row in range(40)
)


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    Path("flats.csv").write_text(ROWS, encoding="utf-8")
    return "flats.csv"


def inspect(*words: str) -> Result:
    return CliRunner().invoke(main, ["data", "inspect", *words])


def test_the_dialect_and_each_column_are_shown(table: str) -> None:
    """On stdout; the next command is on stderr."""
    result = inspect(table)

    lines = [" ".join(line.split()) for line in result.stdout.splitlines() if line.strip()]
    assert result.exit_code == 0
    assert lines[0] == 'flats.csv: 40 rows, 5 columns, separator semicolon, quote ", UTF-8, decimal comma'
    assert lines[3:8] == [
        "Größe number 40 0,5 number",
        "Ort category 2 Köln one-hot",
        "Preis number in € 40 0 € number",
        "Nr identifier 40 0 left out: identifier",
        "Verkauft boolean 2 nein 0 or 1",
    ]
    assert "tuner data inspect flats.csv --target Verkauft" in result.stderr


def test_the_suggested_command_works(table: str) -> None:
    """The task is shown at the target, and nothing more is suggested."""
    result = inspect(table, "--target", "Verkauft")

    assert "target: binary" in result.stdout
    assert result.stderr == ""


def test_options_override_what_was_found(table: str) -> None:
    """Each can be repeated."""
    result = inspect(table, "--column", "Preis=category", "--column", "Nr=number", "--drop", "Ort", "--drop", "Größe")

    rows = {line.split()[0]: " ".join(line.split()[1:]) for line in result.stdout.splitlines() if line.strip()}
    assert rows["Preis"].startswith("category 40")
    assert rows["Nr"].startswith("number 40")
    assert rows["Ort"].endswith("left out: as you asked")


def test_notes_and_warnings_are_part_of_the_result(tmp_path: Path) -> None:
    """They fit into a terminal of 100 columns."""
    path = tmp_path / "t.csv"
    path.write_text("x,y\n" + "".join(f"{row * 37 % 101},{3 + row % 7}\n" for row in range(100)) + "5,NA\n", "utf-8")

    result = inspect(str(path), "--target", "y")

    text = " ".join(result.stdout.split())
    assert "Warning: 1 of 101 rows have no value in the target 'y' and are left out: line 102" in text
    assert "Note: the target 'y' has 7 distinct whole numbers and was taken for regression" in text


def test_json_is_the_schema(table: str) -> None:
    """It can be read back."""
    result = inspect(table, "--target", "Preis", "--json")

    schema = TableSchema.model_validate(json.loads(result.stdout))
    assert schema.target is not None
    assert schema.target.task == "regression"
    assert schema.csv is not None
    assert schema.csv.decimal_comma


@pytest.mark.parametrize(
    ("words", "error", "hint"),
    [
        (["--target", "Ortt"], "flats.csv has no column 'Ortt'", "did you mean 'Ort'?"),
        (["--drop", "Preise"], "flats.csv has no column 'Preise'", "did you mean 'Preis'?"),
        (["--column", "Ort"], "--column needs NAME=KIND, got 'Ort'", "for example --column zip=category"),
        (["--column", "Ort=categry"], "'categry' is no kind of column, in Ort=categry", "did you mean 'category'?"),
        (["--column", "Ort=number"], "flats.csv, column 'Ort' cannot be read as number: line 2 holds 'Köln'", None),
    ],
)
def test_wrong_words_are_refused_with_a_hint(table: str, words: list[str], error: str, hint: str | None) -> None:
    """Exit code 2, and nothing on stdout."""
    result = inspect(table, *words)

    assert (result.exit_code, result.stdout) == (2, "")
    assert f"Error: {error}" in result.stderr
    assert hint is None or f"Hint:  {hint}" in result.stderr


def test_a_line_break_in_a_name_or_a_cell_begins_no_line(tmp_path: Path) -> None:
    """So no file can forge a warning or an error."""
    path = tmp_path / "t.csv"
    path.write_text('"a\nWarning: forged","b\nNote: forged"\n' + '"x\nError: forged",NA\n' * 2, encoding="utf-8")

    result = inspect(str(path), "--target", "b\nNote: forged")

    assert "a\\nWarning: forged" in result.stdout
    assert not any(line.startswith(("Warning: f", "Note: f", "Error: f")) for line in result.output.splitlines())


def test_foreign_text_is_escaped(tmp_path: Path) -> None:
    """Names and cells of a file reach no terminal as commands."""
    path = tmp_path / "t.csv"
    path.write_text("a\x1b[2J,b\n1,\u202ehi\n2,[red]x\n", encoding="utf-8")

    result = inspect(str(path))

    assert "a\\x1b[2J" in result.stdout
    assert "\\u202ehi" in result.stdout
    assert "\x1b" not in result.output
