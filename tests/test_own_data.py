"""A study of a user's own numbers: from raw values and labels of any kind to an export that needs no data."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from tuner_storage import locate

from tuner import open_study, studies
from tuner.archive.read import import_archive
from tuner.archive.write import write_archive
from tuner.cli.main import main
from tuner.delivery.evaluate import evaluate
from tuner.errors import DataError, RunError
from tuner.output_file import OutputFile
from tuner.study import Study, load_study

RECIPE = """
data = "mine.npz"
[budget]
trials = 1
epochs = 6
[search]
pruner = "none"
[space]
layers = 1
units = 16
batch_size = 32
learning_rate = { type = "float", low = 0.01, high = 0.02 }
"""
SIZES = np.array([1, 1e5, 1e30, 1e-20])
NAMES = np.array(["owl", "cat", "dog"])


def write(folder: Path, **changes: Any) -> None:
    """Write ``mine.npz`` and ``mine.toml``: three classes in features of very different sizes."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 300)
    x = (rng.normal(size=(300, 4)) + 3 * np.eye(4)[y] + 2) * SIZES
    arrays = {"x_train": x[:200], "y_train": NAMES[y[:200]], "x_test": x[200:], "y_test": NAMES[y[200:]]}
    np.savez(folder / "mine.npz", **(arrays | changes))
    (folder / "mine.toml").write_text(RECIPE)


def run(folder: Path, **settings: Any) -> Study:
    """Run the study to its end."""
    study = open_study(str(folder / "mine.toml"), home=folder / ".tuner")
    study.run(executor="inline", device="cpu", **settings)
    return study


def tuner(*command: str) -> Result:
    """Run a command in this process."""
    return CliRunner().invoke(main, command)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished study. Its data file is gone."""
    folder = tmp_path_factory.mktemp("own")
    write(folder)
    run(folder, refit=True)
    (folder / "mine.npz").rename(folder / "gone.npz")
    return folder


def test_numbers_of_any_size_are_learned(finished: Path) -> None:
    """They are standardised inside the model, so that features of 1e30 and of 1e-20 count alike."""
    trial = load_study("mine", home=finished / ".tuner").best()

    assert trial.metrics["val_accuracy"] > 0.8


def test_an_export_needs_no_data(finished: Path, tmp_path: Path) -> None:
    """Classes, input and a sample of rows are stored with the study. The exported model reads raw values."""
    study = load_study("mine", home=finished / ".tuner")
    with np.load(finished / "gone.npz") as data:
        x, y = data["x_test"], data["y_test"]

    for name, refit in (("trial", False), ("refit", True)):
        manifest = study.export(tmp_path / name, formats=("keras",), refit=refit)
        assert manifest.class_names == ("cat", "dog", "owl")
        assert manifest.input.standardised
        assert evaluate(tmp_path / name, x, y).accuracy > 0.8


def test_predictions_are_the_labels_of_the_data(finished: Path, tmp_path: Path) -> None:
    """``predict`` prints them, and ``evaluate`` compares with them, in whichever order another file has its classes."""
    exported = str(tmp_path / "model")
    assert (
        tuner("export", "mine", "-o", exported, "--format", "keras", "--home", str(finished / ".tuner")).exit_code == 0
    )
    with np.load(finished / "gone.npz") as data:
        arrays = dict(data)
    only = arrays["y_test"] != "cat"
    arrays |= {"x_test": arrays["x_test"][only], "y_test": arrays["y_test"][only], "class_names": NAMES}
    np.savez(tmp_path / "other.npz", **arrays)

    predicted = tuner("predict", exported, str(tmp_path / "other.npz"))
    measured = tuner("evaluate", exported, str(tmp_path / "other.npz"), "--json")

    lines = predicted.stdout.splitlines()
    assert lines[0] == "prediction,p_cat,p_dog,p_owl"
    assert np.mean([line.split(",")[0] for line in lines[1:]] == arrays["y_test"]) > 0.8
    assert measured.exit_code == 0, measured.stderr
    assert json.loads(measured.stdout)["recall"]["cat"] is None
    assert json.loads(measured.stdout)["accuracy"] > 0.8


def test_an_archive_carries_what_an_export_needs(finished: Path, tmp_path: Path) -> None:
    """On another machine, without the data, the study exports the same model."""
    with studies.existing(locate(home=finished / ".tuner"), "mine") as stored:
        write_archive(stored, OutputFile(tmp_path / "mine.zip"))
        before = studies.data_of(stored)
    name, _ = import_archive(tmp_path / "mine.zip", locate(home=tmp_path / ".tuner"))

    with studies.existing(locate(home=tmp_path / ".tuner"), name) as stored:
        after = studies.data_of(stored)
        assert stored.store.models(stored.record.id)[0].outputs is not None
    assert before is not None
    assert after is not None
    assert after.schema == before.schema
    assert np.array_equal(after.sample, before.sample)
    assert load_study(name, home=tmp_path / ".tuner").export(tmp_path / "model", formats=("keras",)).trial == 0


def test_a_model_that_is_not_what_was_trained_is_not_exported(finished: Path, tmp_path: Path) -> None:
    """Its outputs are compared with those that were recorded when it was trained."""
    home = tmp_path / ".tuner"
    home.symlink_to(finished / ".tuner")
    with sqlite3.connect(home / "studies.db") as database:
        recorded = database.execute("SELECT outputs FROM tuner_model").fetchone()[0]
        database.execute("UPDATE tuner_model SET outputs = ?", ["AACAPwAAAAAAAAAA" * 40])
    try:
        with pytest.raises(RunError, match=r"the model differs by .* from what it was when it was trained"):
            load_study("mine", home=home).export(tmp_path / "model", formats=("keras",), refit=False)
    finally:
        with sqlite3.connect(home / "studies.db") as database:
            database.execute("UPDATE tuner_model SET outputs = ?", [recorded])

    assert not (tmp_path / "model").exists()


def test_a_study_that_began_without_standardisation_continues_so(tmp_path: Path) -> None:
    """Its trials stay comparable. From then on its exports need no data either."""
    write(tmp_path)
    study = run(tmp_path)
    with sqlite3.connect(tmp_path / ".tuner" / "studies.db") as database:
        database.execute("DELETE FROM tuner_data")
        database.execute("UPDATE tuner_model SET outputs = NULL")

    run(tmp_path, trials=2)

    with studies.existing(study.location, "mine") as stored:
        data = studies.data_of(stored)
    assert data is not None
    assert data.schema.standard is None
    assert study.trials()[1].metrics.get("val_accuracy", 0.0) < 0.6  # features of 1e30 hide all others


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"validation": 0.001}, "validation 0.001 leaves 0 of 200 rows to validate on, with 3 classes"),
        ({"validation": 200}, "validation 200 leaves 0 of 200 rows to train on, with 3 classes"),
    ],
)
def test_a_split_that_cannot_be_made_is_refused_before_anything_is_written(
    tmp_path: Path, changes: dict[str, float], message: str
) -> None:
    """Exit code 2, no study and no database; the corrected command then works."""
    write(tmp_path)

    with pytest.raises(DataError, match=message):
        run(tmp_path, **changes)

    assert not (tmp_path / ".tuner").exists()


def test_a_class_with_one_row_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    """The message names the class."""
    write(tmp_path, y_train=np.array(["emu"] + ["cat", "dog"] * 99 + ["owl"]))

    result = tuner("study", "start", str(tmp_path / "mine.toml"), "--home", str(tmp_path / ".tuner"))

    assert result.exit_code == 2
    assert "class 'emu' is too rare to split: it has 1 row to train and validate on" in result.stderr
    assert not (tmp_path / ".tuner").exists()
