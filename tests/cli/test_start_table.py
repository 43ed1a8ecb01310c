"""``tuner study start`` on tables: what is printed before the search, and what is refused (faults 29 to 34)."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner, Result
from tuner_storage import locate

from tests.houses import houses, houses_csv
from tuner import memory
from tuner.cli.main import main
from tuner.studies import names


def start(table: Path, *options: object, target: str = "price") -> Result:
    """Start a study of a table in its folder."""
    arguments = ["study", "start", table, "--target", target, "--home", table.parent / ".tuner", *options]
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def written(folder: Path, text: str | bytes) -> Path:
    """Write a table."""
    path = folder / "t.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


ROWS = "".join(f"{i}.5,{i % 3},{i}.25\n" for i in range(60))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "t.csv is empty"),
        ("a,b,price\n", "has 0 rows below its header line"),
        (f"a,a,price\n{ROWS}", "columns 1 and 2 are both named 'a'"),
        (f"a,b,price\n{ROWS}1,2\n", "line 62: 2 cells, expected 3"),
        (f"a,b,price\n{ROWS}".encode() + b"1,2,\x81\n", "the byte 0x81 fits none of"),
        (f"a,b,cost\n{ROWS}", "no column 'price'"),
        (f"a,b,price\n{ROWS}1.5,2,oops\n", "line 62: 'oops' is no number, in the target 'price'"),
        ("a,price\n" + "1.5,x\n2.5,x\n" * 30, "the target 'price' holds one value"),
        ("a,price\n" + "1.5,x\n2.5,y\n" * 30 + "3.5,z\n", "fewer than 3 rows, too few to split: 'z' (1)"),
        ("a,price\n" + ",1.5\n,2.5\n" * 30, "has no feature beside 'price'"),
    ],
    ids=["empty", "header only", "duplicate", "ragged", "encoding", "no target", "text in the target", "one class",
         "rare class", "all missing"],
)  # fmt: skip
def test_a_table_that_cannot_be_trained_on_is_refused(tmp_path: Path, text: str | bytes, message: str) -> None:
    """With exit code 2, one line and a hint, before anything is written."""
    table = written(tmp_path, text)

    result = start(table)

    assert result.exit_code == 2, result.output
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert names(locate(home=tmp_path / ".tuner")) == []


def test_a_byte_order_mark_is_no_part_of_a_name(tmp_path: Path) -> None:
    """Excel writes one."""
    result = start(written(tmp_path, f"\ufeffprice,b,a\n{ROWS}"), "--trials", "0")

    assert "t: predicts 'price' (regression) from 2 columns" in result.stderr


def test_a_table_larger_than_memory_is_refused_before_it_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With an estimate."""
    monkeypatch.setattr(memory, "available_memory", lambda: 1000)

    result = start(written(tmp_path, f"a,b,price\n{ROWS}"))

    assert result.exit_code == 2
    assert "t.csv needs" in result.stderr
    assert "are available" in result.stderr


def test_without_a_target_the_way_to_find_it_is_named(tmp_path: Path) -> None:
    """The command in the hint works."""
    table = houses_csv(tmp_path)

    result = CliRunner().invoke(main, ["study", "start", str(table), "--home", str(tmp_path / ".tuner")])

    assert result.exit_code == 2
    assert f"which column of {table} is to be predicted?" in result.stderr
    assert f"`tuner data inspect {table}`" in result.stderr


@pytest.mark.parametrize(("target", "objective"), [("price", "val_auc"), ("sold", "val_rmse,parameters")])
def test_an_objective_of_another_task_is_refused(tmp_path: Path, target: str, objective: str) -> None:
    """Before the search, with those that there are."""
    result = start(houses_csv(tmp_path), "--objectives", objective, target=target)

    assert result.exit_code == 2
    assert f"{objective.partition(',')[0]} is no metric of" in result.stderr
    assert "val_loss" in result.stderr


def test_options_of_tables_need_a_table(tmp_path: Path) -> None:
    """They would have no effect."""
    result = CliRunner().invoke(main, ["study", "start", "digits", "--drop", "x", "--home", str(tmp_path)])

    assert result.exit_code == 2
    assert "'digits' is no file of a table" in result.stderr


def test_the_recipe_of_a_table_names_all_its_columns(tmp_path: Path) -> None:
    """It is checked like any other, and describes the same study."""
    table = houses_csv(tmp_path)
    written_recipe = CliRunner().invoke(main, ["space", "init", str(table), "--target", "price", "--drop", "sold"])
    (tmp_path / "my.toml").write_text(written_recipe.stdout)

    checked = CliRunner().invoke(main, ["space", "check", str(tmp_path / "my.toml")])

    assert written_recipe.exit_code == checked.exit_code == 0, checked.output
    assert 'town = "category" # 4 values: Bonn, Ulm, Kiel, Köln, Nord' in written_recipe.stdout
    assert 'built = "date:%Y-%m-%d"' in written_recipe.stdout
    assert '"id", # identifier' in written_recipe.stdout


@pytest.mark.slow
def test_infinite_constant_and_empty_columns_are_left_out_or_filled_in(tmp_path: Path) -> None:
    """Each with its name and its count, and the search runs."""
    frame = houses(90).drop("sold").with_columns(
        pl.lit("x").alias("same"), pl.lit(None, pl.String).alias("nothing"), pl.lit("").alias("blank"),
        pl.Series("wild", ["inf", *(f"{i}.5" for i in range(89))]),
    )  # fmt: skip
    frame.write_csv(tmp_path / "t.csv")

    result = start(tmp_path / "t.csv", "--trials", "1", "--epochs", "2", "--executor", "inline", "--device", "cpu")

    assert result.exit_code == 0, result.output
    assert "Left out: 'id' (identifier), 'same' (one value), 'nothing' (no value), 'blank' (no value)" in result.stderr
    assert "Warning: 'wild': infinite in line 2" in result.stderr
    assert (
        "t: predicts 'price' (regression) from 5 columns; 72 rows to train and validate on, 18 to test" in result.stderr
    )
    again = CliRunner().invoke(main, ["study", "show", "t", "--home", str(tmp_path / ".tuner")])
    assert again.exit_code == 0
