"""A table in memory whose columns were looked into: what a study of a table is trained on."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tuner.data.readers import Arrays
from tuner.data.schema import DataSchema
from tuner.data.split import Rows, split_groups, split_rows, split_times
from tuner.errors import DataError
from tuner.tables.columns import Column
from tuner.tables.encoder import encode
from tuner.tables.fit import fit_inputs, fit_target
from tuner.tables.schema import Kind, TableSchema
from tuner.tables.target import Target
from tuner.tasks import TASKS, Task

_CELL_END, _MISSING = "\x1f", "\x1e"  # in what the fingerprint is made of


@dataclass(frozen=True, eq=False)
class TableDataset:
    """A table with a target. Rows without a target are not part of it.

    Attributes:
        name: Name for people.
        source: File that the rows come from.
        features: The feature columns by name, with what they hold.
        target: The target of all rows.
        train: Indices of the rows for training and validation, ascending.
        test: Indices of the test rows, ascending.
        groups: Number of the group of each row, shape ``(rows,)``; no group is on both sides of a split.
        times: Rank of each row in time, shape ``(rows,)``; validation rows are the last of the training rows.
        schema: What is in all columns, what was assumed, and what may make a model useless.
    """

    name: str
    source: str
    features: Mapping[str, tuple[Column, Kind]] = field(repr=False)
    target: Target
    schema: TableSchema = field(repr=False)
    train: Rows = field(repr=False)
    test: Rows = field(repr=False)
    groups: NDArray[np.int64] | None = field(default=None, repr=False)
    times: NDArray[np.int64] | None = field(default=None, repr=False)

    @property
    def train_rows(self) -> int:
        """Number of rows for training and validation."""
        return len(self.train)

    @property
    def test_rows(self) -> int:
        """Number of test rows."""
        return len(self.test)

    @property
    def task(self) -> Task:
        """The task that the target sets."""
        return TASKS[self.target.task]

    @property
    def raw(self) -> dict[str, pl.Series]:
        """The raw cells of the features by name."""
        return {name: column.raw for name, (column, _) in self.features.items()}

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over the names, the kinds and the cells of all features and of the target, and over the split."""
        digest = hashlib.sha256()
        for name, (column, kind) in self.features.items():
            digest.update(f"{name}{_CELL_END}{kind}{_CELL_END}".encode())
            texts = column.raw.cast(pl.String).fill_null(_MISSING)
            digest.update(_CELL_END.join(texts.to_list()).encode())
        digest.update(repr((self.target.column, self.target.classes)).encode())
        for array in (self.target.values, self.train, self.test, self.groups, self.times):
            digest.update(b"" if array is None else np.ascontiguousarray(array).data)
        return digest.hexdigest()

    def split(self, validation: float, seed: int | Literal["last"]) -> tuple[Rows, Rows]:
        """Split the training rows: see :func:`tuner.data.split.split_rows`.

        Returns:
            Positions among the training rows: of those to train on, and of the validation rows; each ascending.
        """
        y = self.target.values[self.train]
        if self.times is not None:
            return split_times(self.times[self.train], validation)
        if self.groups is not None:
            return split_groups(self.groups[self.train], validation, seed)
        return split_rows(y, validation, seed, names=self.target.classes, task=self.task)

    def describe(self, train: Rows) -> DataSchema:
        """Return the schema of the table, fitted to some of the training rows.

        Args:
            train: Positions of these rows among the training rows.

        Raises:
            DataError: If all of them have the same target.
        """
        rows = self.train[train]
        y = self.target.values[rows]
        if (y == y[0]).all():
            raise DataError(
                f"{self.source}: all {len(rows)} rows to train on have the same value in the target "
                f"'{self.target.column}'",
                hint="split the rows in another way, or add rows",
            )
        table = fit_inputs(self.features, rows)
        return DataSchema(
            kind="table",
            shape=(table.width,),
            dtype="float32",
            table=table,
            target=self.target.column,
            labels=self.target.labels,
            classes=self.target.classes,
            numeric=None if self.target.classes else fit_target(y.astype(np.float64)),
        )

    def arrays(self, schema: DataSchema) -> Arrays:
        """Encode all rows.

        Args:
            schema: The schema of the study.
        """
        y = self.target.values
        x_train, x_test = (self.encode(schema, rows) for rows in (self.train, self.test))
        return Arrays(x_train, y[self.train], x_test, y[self.test])

    def encode(self, schema: DataSchema, rows: Rows) -> NDArray[np.float32]:
        """Encode some rows, given by their indices."""
        assert schema.table is not None  # noqa: S101 - the schema of a table
        return encode({name: cells.gather(rows) for name, cells in self.raw.items()}, schema.table).rows

    def texts(self, rows: Rows) -> dict[str, list[str | None]]:
        """Return the raw cells of some rows, given by their indices, as text by column."""
        return {name: cells.gather(rows).cast(pl.String).to_list() for name, cells in self.raw.items()}
