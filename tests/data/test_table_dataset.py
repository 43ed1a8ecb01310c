"""A table becomes the data set of a study: its target, its rows, its split and its fingerprint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from tuner.config.table_settings import TableSettings
from tuner.data.schema import DataSchema
from tuner.data.settle import pack_sample, settle, settled
from tuner.data.table_dataset import TableDataset
from tuner.data.table_loading import load_table
from tuner.data.training_rows import encoded_rows, map_rows
from tuner.errors import DataError, TunerError, UsageError

ROWS = 100


def houses(**columns: Any) -> pl.DataFrame:
    """Return a table of houses, with other columns as named."""
    usual: dict[str, Any] = {
        "size": [50.5 + i % 17 for i in range(ROWS)],
        "town": [("Bonn", "Ulm", "Kiel")[i % 3] for i in range(ROWS)],
        "price": [1000.5 * (1 + i % 17) for i in range(ROWS)],
        "sold": [("no", "yes")[i % 4 == 0] for i in range(ROWS)],
    }
    return pl.DataFrame({**usual, **columns})


def loaded(frame: pl.DataFrame | Path, target: str = "price", **settings: Any) -> TableDataset:
    """Load a table for a study."""
    return load_table(frame, TableSettings(target=target, **settings))


def test_a_fifth_of_the_rows_tests() -> None:
    """All rows are on one side."""
    data = loaded(houses())

    assert (data.train_rows, data.test_rows, data.task.name) == (80, 20, "regression")
    assert sorted([*data.train, *data.test]) == list(range(ROWS))


def test_classes_are_sorted_and_have_equal_shares_in_the_test_rows() -> None:
    """So ``no`` is class 0."""
    data = loaded(houses(), "sold")

    assert (data.target.classes, data.task.name) == (("no", "yes"), "binary")
    assert np.bincount(data.target.values[data.test]).tolist() == [15, 5]


def test_numbers_as_classes_are_sorted_by_number() -> None:
    """10 comes after 9."""
    data = loaded(houses(price=[str(8 + i % 3) for i in range(ROWS)]), columns={"price": "category"})

    assert data.target.classes == ("8", "9", "10")


def test_rows_without_a_target_are_left_out() -> None:
    """And named."""
    data = loaded(houses(price=[None, 3.5, *(float(i) for i in range(98))]))

    assert data.train_rows + data.test_rows == 99
    assert 0 not in {*data.train, *data.test}
    assert any("1 of 100 rows have no value in the target 'price'" in line for line in data.schema.warnings)


def test_the_rows_of_a_test_file_test(tmp_path: Path) -> None:
    """Its columns may have another order."""
    path = tmp_path / "later.csv"
    houses().select("sold", "price", "town", "size").head(7).write_csv(path)

    data = loaded(houses(), test=str(path))

    assert (data.train_rows, data.test_rows) == (100, 7)


@pytest.mark.parametrize(
    ("frame", "settings", "error", "message"),
    [
        (houses(), {"target": "prize"}, UsageError, "no column 'prize'"),
        (houses(price=[1.5] * ROWS), {}, DataError, "the target 'price' holds one value"),
        (houses(price=[None] * ROWS), {}, DataError, "the target 'price' holds no value"),
        (houses(price=["a"] * 98 + ["b"] * 2), {}, DataError, "fewer than 3 rows, too few to split: 'b' (2)"),
        (houses().select("price"), {}, DataError, "has no feature beside 'price'"),
        (houses(), {"group": "owner"}, UsageError, "no column 'owner', named by --group"),
        (houses(), {"time": "town"}, DataError, "holds neither times nor numbers"),
        (houses(day=[None, *range(99)]), {"time": "day"}, DataError, "1 rows have no value in 'day'"),
        (houses(town=["Bonn"] * ROWS), {"group": "town"}, DataError, "all rows are of one group"),
    ],
)
def test_what_cannot_be_trained_on_is_refused(
    frame: pl.DataFrame, settings: dict[str, Any], error: type[TunerError], message: str
) -> None:
    """With the name of the column."""
    with pytest.raises(error) as raised:
        loaded(frame, **settings)

    assert message in str(raised.value)


def test_no_group_is_on_two_sides() -> None:
    """Neither of the test nor of the validation. The group is no feature."""
    frame = houses(owner=[f"o{i % 23}" for i in range(ROWS)])

    data = loaded(frame, group="owner")
    train, validation = data.split(0.25, 1)

    owners = [{frame["owner"][int(i)] for i in rows} for rows in (data.train[train], data.train[validation], data.test)]
    assert not owners[0] & owners[1]
    assert not (owners[0] | owners[1]) & owners[2]
    assert all(owners)
    assert "owner" not in data.features


def test_the_last_rows_in_time_test_and_those_before_validate() -> None:
    """Rows of the same time stay together."""
    frame = houses(day=[f"2024-01-{1 + i // 4:02}" for i in range(ROWS)]).sample(fraction=1, shuffle=True, seed=0)

    data = loaded(frame, time="day", test=0.19)
    train, validation = data.split(0.25, 0)

    days = [{frame["day"][int(i)] for i in rows} for rows in (data.train[train], data.train[validation], data.test)]
    assert max(days[0]) < min(days[1])
    assert max(days[1]) < min(days[2])
    assert data.test_rows == 20


@pytest.mark.parametrize(
    ("changed", "settings"),
    [
        (houses(size=[51.5 + i % 17 for i in range(ROWS)]), {}),
        (houses(price=[1000.5 * (1 + i % 16) for i in range(ROWS)]), {}),
        (houses().rename({"town": "city"}), {}),
        (houses(), {"drop": ["size"]}),
        (houses(), {"test": 0.3}),
        (houses(), {"group": "town"}),
    ],
)
def test_other_rows_columns_or_splits_have_another_fingerprint(changed: pl.DataFrame, settings: dict[str, Any]) -> None:
    """The same ones have the same."""
    assert loaded(changed, **settings).fingerprint == loaded(changed, **settings).fingerprint
    assert loaded(changed, **settings).fingerprint != loaded(houses()).fingerprint


def test_what_a_study_stores_is_read_back() -> None:
    """The schema, and a sample of rows: encoded, and as they stand in the table."""
    data = settle(loaded(houses()), 0.2, 0)

    again = settled(data.schema.model_dump(mode="json"), pack_sample(data))

    assert again.schema == data.schema == DataSchema.model_validate_json(data.schema.model_dump_json())
    np.testing.assert_array_equal(again.sample, data.sample)
    assert again.raw_sample == data.raw_sample
    assert again.raw_sample is not None
    assert len(again.raw_sample["town"]) == len(data.sample) == 16


def test_trainers_map_the_encoded_rows() -> None:
    """The folder is gone afterwards."""
    data = loaded(houses(), "sold")
    schema = settle(data, 0.2, 0).schema

    with encoded_rows(data, schema, 0.2, 0) as folder:
        assert folder is not None
        rows = map_rows(folder)
        assert rows.x_train.shape == (80, *schema.shape)
        assert (len(rows.train), len(rows.validation), len(rows.x_test)) == (64, 16, 20)
        np.testing.assert_array_equal(rows.y_test, data.target.values[data.test])

    assert not folder.exists()
