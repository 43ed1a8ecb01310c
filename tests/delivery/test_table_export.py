"""The export of a model for tables: its files, what they are checked with, and predictions from tables."""

from __future__ import annotations

import csv
import dataclasses
import gzip
import io
import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner, Result

from tests.delivery import tables
from tuner.cli.main import main
from tuner.data.schema import DataSchema
from tuner.delivery.checked_files import read_manifest
from tuner.delivery.export import ModelFacts
from tuner.delivery.predict import predict
from tuner.delivery.table_rows import read_table_batches
from tuner.errors import DataError, RunError, UsageError

pytestmark = pytest.mark.slow


def run(*arguments: object, code: int = 0) -> Result:
    """Run the command in this process."""
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output
    return result


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    """The rows as a CSV file with an id, another column, and the columns in another order."""
    path = tmp_path / "new.csv"
    frame = tables.frame().select(reversed(tables.ROWS))
    numbers = pl.Series("id", range(100, 100 + frame.height))
    frame.with_columns(numbers, pl.lit("x").alias("comment")).write_csv(path)
    return path


def expected(model: Path, schema: DataSchema) -> np.ndarray:
    """Return what the model predicts for the rows."""
    import keras

    return np.asarray(keras.saving.load_model(model)(tables.sample_of(schema).encoded))


@pytest.mark.parametrize("kind", ["classes", "number"])
@pytest.mark.parametrize("runtime", tables.ALL_FORMATS)
def test_each_format_predicts_a_frame(
    kind: str, runtime: str, exports: dict[str, Path], models: dict[str, Path], schemas: dict[str, DataSchema]
) -> None:
    """Columns in any order, with missing, unseen, blank and impossible cells."""
    prediction = predict(exports[kind], tables.frame().select(reversed(tables.ROWS)), runtime=runtime)

    wanted = expected(models[kind], schemas[kind])
    if kind == "number":
        assert prediction.numbers is not None
        np.testing.assert_allclose(prediction.numbers, wanted[:, 0], rtol=1e-5, atol=1e-5)
    else:
        np.testing.assert_allclose(prediction.probabilities, wanted, atol=1e-5)
        assert prediction.labels == [schemas[kind].classes[i] for i in wanted.argmax(axis=1)]


def test_the_manifest_describes_the_table(exports: dict[str, Path], schemas: dict[str, DataSchema]) -> None:
    """It has the schema, the task, and two files for the formats that take raw columns."""
    manifest = read_manifest(exports["number"])

    assert (manifest.task, manifest.class_names, manifest.table) == ("regression", (), schemas["number"])
    assert {name: (entry.path, entry.encoded) for name, entry in manifest.formats.items()} == {
        "keras": ("model.keras", "core.keras"),
        "saved-model": ("saved_model", "saved_model"),
        "onnx": ("model.onnx", "core.onnx"),
        "litert": ("model.tflite", "model.tflite"),
    }
    assert all(entry.max_difference <= 1e-5 for entry in manifest.formats.values())
    described = json.loads((exports["number"] / "columns.json").read_text(encoding="utf-8"))
    assert [entry["column"] for entry in described["inputs"]] == list(tables.ROWS)


def test_a_file_that_reads_raw_rows_otherwise_is_refused(
    models: dict[str, Path], schemas: dict[str, DataSchema], facts: ModelFacts, tmp_path: Path
) -> None:
    """If the raw rows are not the encoded ones, nothing is written."""
    sample = tables.sample_of(schemas["classes"])
    raw = {**sample.raw, "colour": ["red"] * len(sample.encoded)}

    with pytest.raises(RunError, match="format 'onnx' differs"):
        tables.write(
            models["classes"], schemas["classes"], tmp_path / "model", facts,
            formats=("onnx",), sample=dataclasses.replace(sample, raw=raw),
        )  # fmt: skip

    assert list(tmp_path.iterdir()) == []


def test_predict_keeps_columns_and_reports_once(exports: dict[str, Path], rows: Path) -> None:
    """CSV has the id and the prediction; stderr tells what is not used and what the model does not know."""
    result = run("predict", exports["classes"], rows, "--keep", "id")

    header, *lines = csv.reader(io.StringIO(result.stdout))
    assert header == ["id", "prediction"]
    assert [line[0] for line in lines] == [str(number) for number in range(100, 108)]
    assert {line[1] for line in lines} <= {"no", "yes", "ü,"}
    assert "1 column is not used: 'comment'" in result.stderr
    assert (
        f"'colour': 1 cell with a category that no training row has, the first: 'pink' ({rows}, line 9)"
        in result.stderr
    )
    assert "'size': 1 cell with no number or date of the known format, taken as missing" in result.stderr
    assert f"the first: 'abc' ({rows}, line 8)" in result.stderr


def test_the_check_has_cells_that_the_sample_has_not(schemas: dict[str, DataSchema]) -> None:
    """In every column, cells are missing, blank and unseen; others stay."""
    raw = {name: ["red"] * 24 for name in tables.ROWS}
    sample = dataclasses.replace(tables.sample_of(schemas["classes"]), raw=raw)

    for column in sample.altered.values():
        assert {"", " ", "?", "red"} < set(column.to_list())
        assert column.str.ends_with("unseen").any()


@pytest.mark.parametrize("name", ["new.csv", "new.csv.gz", "new.tsv", "new.parquet"])
def test_every_kind_of_table_gives_the_same(name: str, exports: dict[str, Path], rows: Path, tmp_path: Path) -> None:
    """Also if a Parquet file holds the cells as text."""
    path = tmp_path / "other" / name
    path.parent.mkdir()
    frame = pl.read_csv(rows, infer_schema=False).fill_null("")
    if name.endswith(".parquet"):
        frame.write_parquet(path)
    elif name.endswith(".gz"):
        path.write_bytes(gzip.compress(rows.read_bytes()))
    else:
        frame.write_csv(path, separator="\t" if name.endswith(".tsv") else ",")

    with_proba = ("--proba", "--json", "--keep", "id")
    results = [json.loads(run("predict", exports["classes"], file, *with_proba).stdout) for file in (rows, path)]

    assert results[0] == results[1]
    assert list(results[0][0]) == ["id", "prediction", "probabilities"]


def test_numbers_are_predicted_in_units_of_the_target(
    exports: dict[str, Path], models: dict[str, Path], schemas: dict[str, DataSchema], rows: Path
) -> None:
    """The CSV file has one column."""
    header, *lines = csv.reader(io.StringIO(run("predict", exports["number"], rows).stdout))

    assert header == ["prediction"]
    wanted = expected(models["number"], schemas["number"])[:, 0]
    np.testing.assert_allclose([float(line[0]) for line in lines], wanted, rtol=1e-5, atol=1e-5)


def test_missing_columns_are_named(exports: dict[str, Path], rows: Path) -> None:
    """With a hint if a column has a similar name; and if there is no header line at all."""
    frame = pl.read_csv(rows, infer_schema=False)
    with pytest.raises(DataError, match="lacks the columns 'Net Price', 'colour'") as caught:
        predict(exports["classes"], frame.rename({"Net Price": "net price"}).drop("colour"))
    assert caught.value.hint == "did you mean 'net price'?"

    frame.write_csv(rows, include_header=False)
    result = run("predict", exports["classes"], rows, code=2)
    assert (
        "names none of the model's columns: 'size', 'Net Price', 'day/hour', 'colour', 'Size' and 2 more"
        in result.stderr
    )


@pytest.mark.parametrize("option", [("--invert",), ("--array", "x"), ("--ignore-column", "id"), ("--no-header",)])
def test_options_for_arrays_are_refused(option: tuple[str, ...], exports: dict[str, Path], rows: Path) -> None:
    """An option without an effect is an error."""
    assert f"{option[0]} does not apply" in run("predict", exports["classes"], rows, *option, code=2).stderr


def test_keep_is_refused_for_arrays(shared_export: Path, rows: Path) -> None:
    """A model for images has no columns."""
    assert "--keep applies to models for tables" in run("predict", shared_export, rows, "--keep", "id", code=2).stderr


def test_a_pandas_frame_is_predicted_too(exports: dict[str, Path]) -> None:
    """Like a polars frame."""
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(tables.ROWS)

    assert predict(exports["number"], frame).numbers is not None


def test_an_unknown_column_cannot_be_kept(schemas: dict[str, DataSchema], rows: Path) -> None:
    """The hint is a similar name."""
    with pytest.raises(UsageError, match="has no column 'Id' to keep"):
        list(read_table_batches([rows], schemas["classes"], print, keep=("Id",)))
