"""Studies of tables from Python: frames, and how a study goes on."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from tests.houses import houses, houses_csv
from tuner import open_study
from tuner.errors import DataError, RecipeError, UsageError
from tuner.study import Study, load_study

QUICK = {"epochs": 2, "executor": "inline", "device": "cpu"}


@pytest.fixture
def study(tmp_path: Path) -> Study:
    """A study of a frame with one trial."""
    study = open_study(houses(90), target="sold", name="houses", drop=["price"], home=tmp_path / ".tuner")
    study.run(trials=1, **QUICK)  # type: ignore[arg-type]
    return study


@pytest.mark.slow
def test_a_study_of_a_frame_goes_on_with_the_same_frame(study: Study, tmp_path: Path) -> None:
    """What was said of its columns need not be said again."""
    again = open_study(houses(90), name="houses", home=tmp_path / ".tuner")

    again.run(trials=2, **QUICK)  # type: ignore[arg-type]

    assert len(again.trials()) == 2
    assert study.best().metrics.keys() >= {"val_auc", "val_accuracy", "val_loss"}


@pytest.mark.slow
def test_a_study_of_a_frame_asks_for_the_frame(study: Study, tmp_path: Path) -> None:
    """It is on no disk; reading what was found needs none."""
    loaded = load_study("houses", home=tmp_path / ".tuner")

    assert loaded.best().number == study.best().number
    with pytest.raises(DataError, match="is not on the disk"):
        loaded.run(trials=2, **QUICK)  # type: ignore[arg-type]


@pytest.mark.slow
def test_other_rows_and_other_columns_are_refused(study: Study, tmp_path: Path) -> None:
    """Trials of different rows or columns cannot be compared."""
    home = tmp_path / ".tuner"

    with pytest.raises(DataError, match="the rows of 'the frame' changed since study 'houses' began"):
        open_study(houses(91), name="houses", home=home).run(trials=2, **QUICK)  # type: ignore[arg-type]
    with pytest.raises(RecipeError, match="the table of 'houses' changed since the study began"):
        open_study(houses(90), name="houses", drop=["price", "town"], home=home).run(trials=2, **QUICK)  # type: ignore[arg-type]


def test_a_pandas_frame_is_read_like_its_csv_file(tmp_path: Path) -> None:
    """Missing cells included."""
    pandas = pytest.importorskip("pandas")
    path = houses_csv(tmp_path)

    frame = open_study(pandas.read_csv(path), target="price", home=tmp_path).load_data()
    file = open_study(path, target="price", home=tmp_path).load_data()

    assert frame.train_rows == file.train_rows
    assert frame.features.keys() == file.features.keys()  # type: ignore[union-attr]


def test_a_frame_needs_a_target(tmp_path: Path) -> None:
    """The hint says how to name it."""
    with pytest.raises(UsageError, match="which column of the frame") as raised:
        open_study(pl.DataFrame({"x": [1, 2]}), home=tmp_path)

    assert raised.value.hint == 'name it: target="price"'


def test_anything_else_is_refused(tmp_path: Path) -> None:
    """With what was expected."""
    with pytest.raises(UsageError, match="dict is no table"):
        open_study({"x": [1]}, target="x", home=tmp_path)
