"""Loads a table for a study: reads it, looks into its columns, leaves out rows, and holds back the test rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tuner.config.recipe import TaskSetting
from tuner.config.table_settings import TableSettings
from tuner.data.split import Rows, split_groups, split_rows, split_times
from tuner.data.table_dataset import TableDataset
from tuner.errors import DataError, UsageError, did_you_mean
from tuner.paths import user_path
from tuner.tables.cells import read_categories
from tuner.tables.inspection import Inspection, inspect_table
from tuner.tables.reading import read_table
from tuner.tables.table import RawTable
from tuner.tables.target import Target, read_target
from tuner.tasks import TASKS

TEST_SHARE, MOST_TEST_ROWS = 0.2, 20_000
SPLIT_SEED = 0  # fixed: the test rows must be the same in every study of a table
_FEWEST = 3  # rows of a class: one to train on, one to validate on, one to test
_SHOWN = 3  # classes in a note


def load_table(
    source: Any,
    settings: TableSettings,
    task: TaskSetting = "auto",
    *,
    name: str | None = None,
) -> TableDataset:
    """Read a table as a user describes it.

    Args:
        source: What :func:`tuner.tables.reading.read_table` reads.
        settings: The target, the columns and the split.
        task: Whether to predict a class or a number; ``auto`` decides by the values of the target.
        name: Name for people; by default that of the file.

    Raises:
        DataError: If the table cannot be read, has no usable feature or target, or cannot be split.
        UsageError: If it has no column of a name.
    """
    table = read_table(source, header=settings.header)
    height = table.frame.height
    if isinstance(settings.test, str):
        table = _joined(table, read_table(user_path(settings.test), header=settings.header))
    for option, column in (("--group", settings.group), ("--time", settings.time)):
        if column is not None and column not in table.frame.columns:
            raise UsageError(
                f"{table.source} has no column '{column}', named by {option}",
                hint=did_you_mean(column, table.frame.columns),
            )
    drop = [*settings.drop, *([] if settings.group is None else [settings.group])]
    random = settings.time is None
    inspection = inspect_table(table, settings.target, settings.columns, drop, task=task, random_split=random)
    features = inspection.features
    if not features:
        raise DataError(
            f"{table.source} has no feature beside '{settings.target}'",
            hint="see what becomes of each column: `tuner data inspect FILE --target NAME`",
        )
    target = _target(inspection, table)
    kept = _kept_rows(target)
    times = None if settings.time is None else _times(table, inspection, settings.time)
    groups = None if settings.group is None else _groups(table.frame[settings.group])
    if isinstance(settings.test, str):
        train, test = kept[kept < height], kept[kept >= height]
        if not len(test):
            raise DataError(f"{settings.test} has no row with a value of '{target.column}'")
    else:
        train, test = _held_out(target, kept, settings, groups, times)
    path = Path(str(source)) if isinstance(source, str | Path) else None
    return TableDataset(
        name=name or (table.source if path is None else path.name.partition(".")[0]),
        source=table.source,
        features=features,
        target=target,
        schema=inspection.schema,
        train=train,
        test=test,
        groups=groups,
        times=times,
    )


def _joined(table: RawTable, test: RawTable) -> RawTable:
    """Return both tables as one, the test rows last. Columns that only the test file has are left out."""
    missing = [name for name in table.frame.columns if name not in test.frame.columns]
    if missing:
        raise DataError(
            f"{test.source} has no column '{missing[0]}', which {table.source} has",
            hint="the file with the test rows needs all columns of the other file",
        )
    frames = [table.frame, test.frame.select(table.frame.columns)]
    if frames[0].schema != frames[1].schema:  # such as a CSV file and a Parquet file
        frames = [frame.with_columns(pl.all().cast(pl.String)) for frame in frames]
    return RawTable(
        source=table.source,
        frame=pl.concat(frames, rechunk=True),
        notes=table.notes,
        csv=table.csv,
        lines=None if table.lines is None or test.lines is None else pl.concat([table.lines, test.lines]),
    )


def _target(inspection: Inspection, table: RawTable) -> Target:
    description = inspection.schema.target
    assert description is not None  # noqa: S101 - a target was named
    read = inspection.columns[description.column]
    if read.kind in {"empty", "constant", "nested", "date", "text", "identifier"}:
        found = {"empty": "no value", "constant": "one value", "nested": "lists or bytes", "date": "dates"}
        raise DataError(
            f"{table.source}: the target '{description.column}' holds {found.get(read.kind, read.kind)}",
            hint="name another column with --target, or say what it holds with --column NAME=KIND",
        )
    if read.column.unreadable:
        first = read.column.unreadable[0]
        raise DataError(
            f"{table.source}, {table.row(first)}: '{read.column.raw[first]}' is no number, in the target "
            f"'{description.column}' (in {len(read.column.unreadable)} rows)",
            hint="correct these cells, or empty them to leave the rows out",
        )
    return read_target(read.column, read.kind, description, table.source)


def _kept_rows(target: Target) -> Rows:
    """Return the rows that have a target.

    Raises:
        DataError: If a class has too few rows to be in all parts of the split.
    """
    kept = target.known
    if target.classes:
        sizes = np.bincount(target.values[kept], minlength=len(target.classes))
        rare = np.flatnonzero(sizes < _FEWEST)
        if rare.size:
            shown = ", ".join(f"'{target.classes[i]}' ({sizes[i]})" for i in rare[:_SHOWN])
            more = f" and {len(rare) - _SHOWN} more" if len(rare) > _SHOWN else ""
            raise DataError(
                f"{len(rare)} classes of '{target.column}' have fewer than {_FEWEST} rows, too few to split: "
                f"{shown}{more}",
                hint="add rows, leave these rows out, or predict numbers with --task regression",
            )
    return np.flatnonzero(kept).astype(np.int32)


def _groups(raw: pl.Series) -> NDArray[np.int64]:
    """Return the number of the group of each row. Rows without a group are one group."""
    groups: NDArray[np.int64] = read_categories(raw).fill_null("").rank("dense").cast(pl.Int64).to_numpy()
    return groups


def _times(table: RawTable, inspection: Inspection, name: str) -> NDArray[np.int64]:
    values = inspection.columns[name].column.values
    missing = values.is_null().arg_true().to_list()
    if values.dtype == pl.String or values.dtype.is_nested():
        raise DataError(
            f"{table.source}: rows cannot be split by '{name}', which holds neither times nor numbers",
            hint=f"name its format as in strftime: --column '{name}=date:%d.%m.%Y'",
        )
    if missing:
        raise DataError(
            f"{table.source}: {len(missing)} rows have no value in '{name}', by which they are split: "
            f"{table.rows(missing)}",
            hint="fill them in, or leave these rows out",
        )
    ranks: NDArray[np.int64] = values.rank("dense").cast(pl.Int64).to_numpy()
    return ranks


def _held_out(
    target: Target,
    kept: Rows,
    settings: TableSettings,
    groups: NDArray[np.int64] | None,
    times: NDArray[np.int64] | None,
) -> tuple[Rows, Rows]:
    share = settings.test if isinstance(settings.test, float) else min(TEST_SHARE, MOST_TEST_ROWS / max(1, len(kept)))
    if times is not None:
        train, test = split_times(times[kept], share)
    elif groups is not None:
        train, test = split_groups(groups[kept], share, SPLIT_SEED)
    else:
        task = TASKS[target.task]
        train, test = split_rows(target.values[kept], share, SPLIT_SEED, names=target.classes, task=task)
    return kept[train], kept[test]
