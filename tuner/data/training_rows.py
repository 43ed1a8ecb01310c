"""The rows that trainers read. Those of a table are encoded once per run, and all trainers map the same files."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from tuner.data.dataset import Dataset
from tuner.data.schema import DataSchema
from tuner.data.split import Rows
from tuner.errors import RunError
from tuner.tables.features import prepare

if TYPE_CHECKING:
    from tuner.data.table_dataset import TableDataset


@dataclass(frozen=True)
class TrainingRows:
    """The arrays of a study.

    Attributes:
        x_train: Inputs of the rows for training and validation, shape ``(rows, *schema.shape)``.
        prepared: What models for training read of these rows, shape ``(rows, ...)``: of a table, see
            :func:`tuner.tables.features.prepare`; else the inputs.
        y_train: Their classes, or their targets in the units of the target, shape ``(rows,)``.
        x_test: As ``x_train``, for the test rows.
        y_test: As ``y_train``, for the test rows.
        train: Positions of the rows to train on, ascending.
        validation: Positions of the validation rows, ascending.
    """

    x_train: NDArray[Any] = field(repr=False)
    prepared: NDArray[Any] = field(repr=False)
    y_train: NDArray[Any] = field(repr=False)
    x_test: NDArray[Any] = field(repr=False)
    y_test: NDArray[Any] = field(repr=False)
    train: Rows = field(repr=False)
    validation: Rows = field(repr=False)


def split_dataset(dataset: Dataset, validation: float, seed: int | Literal["last"]) -> TrainingRows:
    """Return the rows of a data set of arrays.

    Raises:
        DataError: If they cannot be split.
    """
    train, chosen = dataset.split(validation, seed)
    x = dataset.x_train
    return TrainingRows(x, x, dataset.y_train, dataset.x_test, dataset.y_test, train, chosen)


@contextmanager
def encoded_rows(
    dataset: Dataset | TableDataset, schema: DataSchema, validation: float, seed: int | Literal["last"]
) -> Iterator[Path | None]:
    """Yield a temporary folder with the encoded rows of a table, for :func:`map_rows`; ``None`` for other data sets.

    Within the block, no row is kept in memory.

    Args:
        dataset: The data set.
        schema: The schema of the study.
        validation: Size of the validation split.
        seed: Seed of the split.

    Raises:
        DataError: If the rows cannot be split.
        RunError: If the folder cannot be written.
    """
    if isinstance(dataset, Dataset):
        del dataset  # the caller may let go of it while the block runs
        yield None
        return
    rows = _encoded(dataset, schema, validation, seed)
    del dataset
    with tempfile.TemporaryDirectory(prefix="tuner-rows-", ignore_cleanup_errors=True) as folder:
        try:
            for part in fields(rows):
                np.save(Path(folder) / f"{part.name}.npy", getattr(rows, part.name), allow_pickle=False)
        except OSError as error:
            raise RunError(
                f"cannot write the encoded rows to {folder}: {error.strerror or error}",
                hint="make room there, or name another folder for temporary files with TMPDIR",
            ) from error
        del rows
        yield Path(folder)


def _encoded(dataset: TableDataset, schema: DataSchema, validation: float, seed: int | Literal["last"]) -> TrainingRows:
    train, chosen = dataset.split(validation, seed)
    arrays = dataset.arrays(schema)
    assert schema.table is not None  # noqa: S101 - the schema of a table
    prepared = prepare(arrays.x_train, schema.table)
    return TrainingRows(arrays.x_train, prepared, arrays.y_train, arrays.x_test, arrays.y_test, train, chosen)


def map_rows(folder: Path) -> TrainingRows:
    """Return the rows in a folder of :func:`encoded_rows`. They are read from the disk only as far as they are used."""
    return TrainingRows(*(np.load(folder / f"{part.name}.npy", mmap_mode="r") for part in fields(TrainingRows)))
