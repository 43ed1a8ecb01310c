"""Evaluation of an exported model for tables: on rows of others, and on those of its own study."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner

from tests.delivery import tables
from tuner.cli.main import main
from tuner.config.table_settings import TableSettings
from tuner.data.table_dataset import TableDataset
from tuner.data.table_loading import load_table
from tuner.delivery.evaluate_table import evaluate_table
from tuner.delivery.export import ModelFacts, export_model
from tuner.delivery.predict import predict
from tuner.delivery.table_formats import TableSample
from tuner.errors import DataError, UsageError
from tuner.evaluation.facts import ValidationFacts
from tuner.files import sha256_of

pytestmark = pytest.mark.slow

SETTINGS = TableSettings(target="label", test=0.25)


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table with two numbers and a category, and a class that the first number decides."""
    random = np.random.default_rng(0)
    size = random.normal(size=80).round(3)
    frame = pl.DataFrame(
        {
            "size": size,
            "weight": random.normal(size=80).round(3),
            "colour": random.choice(["red", "green", "blue"], 80),
            "label": np.where(size > 0, "yes", "no"),
        }
    )
    path = tmp_path_factory.mktemp("data") / "things.csv"
    frame.write_csv(path)
    return path


@pytest.fixture(scope="module")
def dataset(rows: Path) -> TableDataset:
    """The table as a study loads it."""
    return load_table(rows, SETTINGS)


@pytest.fixture(scope="module")
def exported(rows: Path, dataset: TableDataset, facts: ModelFacts, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export of an untrained model of this table."""
    folder = tmp_path_factory.mktemp("table")
    schema = dataset.describe(np.arange(dataset.train_rows, dtype=np.int32))
    tables.core(schema).save(folder / "model.keras")
    some = dataset.train[:9]
    changed = dataclasses.replace(
        facts, task="binary", scale=1.0, class_names=schema.classes, table=schema, data=str(rows),
        fingerprint=dataset.fingerprint, settings=SETTINGS,
        validation=ValidationFacts(rows=15, threshold=0.25, temperature=2.0),
    )  # fmt: skip
    export_model(
        folder / "model.keras", sha256_of(folder / "model.keras"), folder / "model", formats=("onnx",),
        sample=TableSample(schema, dataset.encode(schema, some), dataset.texts(some)), facts=changed,
    )  # fmt: skip
    return folder / "model"


def test_of_its_own_table_only_the_test_rows_are_measured(exported: Path, rows: Path, dataset: TableDataset) -> None:
    """The model has seen the others. A note says so."""
    notes: list[str] = []

    found = evaluate_table(exported, rows, notes.append, resamples=0)

    test = pl.read_csv(rows)[dataset.test.tolist()]
    assert found.rows == dataset.test_rows == 20
    right = predict(exported, test).probabilities.argmax(axis=1) == (test["label"] == "yes").to_numpy()
    assert found.accuracy == pytest.approx(np.mean(right))
    assert "its 20 test rows are measured" in notes[0]


def test_of_another_table_all_rows_with_a_target_are_measured(exported: Path, rows: Path, tmp_path: Path) -> None:
    """Its columns may be in another order; a frame is measured likewise."""
    frame = pl.read_csv(rows).select("label", "colour", "weight", "size")
    labels = [None if i == 3 else label for i, label in enumerate(frame["label"])]
    frame = frame.with_columns(pl.Series("label", labels))
    frame.write_csv(tmp_path / "new.csv")
    notes: list[str] = []

    found = evaluate_table(exported, tmp_path / "new.csv", notes.append, resamples=0)

    assert found.rows == 79
    assert "1 of 80 rows have no target and are left out" in notes
    assert evaluate_table(exported, frame, notes.append, resamples=0) == found


def test_a_changed_file_of_the_same_name_is_another_table(exported: Path, rows: Path, tmp_path: Path) -> None:
    """Its split is not that of the study, so all rows count."""
    pl.read_csv(rows).head(50).write_csv(tmp_path / rows.name)

    assert evaluate_table(exported, tmp_path / rows.name, lambda _: None, resamples=0).rows == 50


def test_what_the_validation_rows_chose_is_used(exported: Path, rows: Path) -> None:
    """The threshold and the temperature of the manifest."""
    command: Any = ["evaluate", str(exported), str(rows), "--json", "--resamples", "0"]
    found = json.loads(CliRunner().invoke(main, command).stdout)

    assert [at["threshold"] for at in found["thresholds"]] == [0.5, 0.25]
    assert [each["temperature"] for each in found["calibration"]] == [1.0, 2.0]


def test_tables_and_arrays_are_not_confused(exported: Path, shared_export: Path, rows: Path) -> None:
    """A model for arrays refuses a table; a table without the target is refused by its column."""
    with pytest.raises(UsageError, match="takes arrays, not tables"):
        evaluate_table(shared_export, rows, lambda _: None)
    with pytest.raises(DataError, match="the frame has no column 'label'"):
        evaluate_table(exported, pl.read_csv(rows).drop("label"), lambda _: None)
