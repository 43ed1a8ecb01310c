"""What a study stores of its data."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from tests.schemas import numbers
from tuner.data.dataset import Dataset
from tuner.data.lookup import load_dataset
from tuner.data.schema import DataSchema
from tuner.data.settle import pack, settle, settled, unpack
from tuner.data.split import split_rows


def table(rows: int = 200, features: int = 3) -> Dataset:
    """Return random numbers in two classes."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(5, 2, (rows, features)).astype(np.float32), np.arange(rows) % 2
    return Dataset("table", x, y, x[:10], y[:10], ("no", "yes"), "table.npz")


def test_numbers_are_standardised_on_the_training_rows() -> None:
    """The schema holds the mean and the deviation of each feature, and the classes."""
    data = table()

    schema = settle(data, 0.2, 0).schema

    train, _ = split_rows(data.y_train, 0.2, 0)
    assert schema.standard is not None
    assert schema.standard.mean == pytest.approx(data.x_train[train].mean(axis=0), rel=1e-5)
    assert schema.standard.deviation == pytest.approx(data.x_train[train].std(axis=0), rel=1e-5)
    assert (schema.kind, schema.shape, schema.dtype, schema.classes) == ("numbers", (3,), "float32", ("no", "yes"))


def test_pixels_are_scaled_and_not_standardised() -> None:
    """Images are divided by the largest pixel, as ever."""
    schema = settle(load_dataset("digits"), 0.2, 0).schema

    assert (schema.kind, schema.dtype, schema.scale, schema.standard) == ("pixels", "uint8", 1 / 16, None)


def test_the_sample_is_a_part_of_the_validation_rows() -> None:
    """At most 64 rows, from all over the validation rows."""
    data = table(2000)

    sample = settle(data, 0.2, 0).sample

    _, validation = split_rows(data.y_train, 0.2, 0)
    rows = [int(np.flatnonzero((data.x_train == row).all(axis=1))[0]) for row in sample]
    assert len(rows) == 64
    assert (rows[0], rows[-1]) == (validation[0], validation[-1])
    assert set(rows) <= set(validation.tolist())


def test_a_sample_of_wide_rows_is_small() -> None:
    """It has at most one mebibyte, and at least one row."""
    assert len(settle(table(40, 40_000), 0.2, 0).sample) == 6
    assert len(settle(table(10, 300_000), 0.2, 0).sample) == 1


def test_what_is_stored_is_read_back_exactly() -> None:
    """JSON keeps every digit of the statistics, and text every bit of the sample."""
    data = settle(table(), 0.2, 0)

    again = settled(
        DataSchema.model_validate_json(data.schema.model_dump_json()).model_dump(mode="json"), pack(data.sample)
    )

    assert again.schema == data.schema
    assert np.array_equal(again.sample, data.sample)


def test_damaged_rows_are_refused() -> None:
    """They must be a whole number of rows."""
    with pytest.raises(ValueError, match="reshape"):
        unpack(pack(np.zeros(5, np.float32)), "float32", (3,))


def test_statistics_must_fit_the_shape() -> None:
    """A schema from an archive cannot have statistics of other features."""
    raw = numbers((3,), 2).model_dump() | {
        "standard": {"mean": [0, 0], "deviation": [1, 1], "smallest": 0, "largest": 1}
    }

    with pytest.raises(ValidationError, match="3 features"):
        DataSchema.model_validate(raw)
