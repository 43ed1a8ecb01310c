"""Infers from the target whether to predict a number, one of two classes, or one of several."""

from __future__ import annotations

import polars as pl

from tuner.config.recipe import TaskSetting
from tuner.tables.columns import Column
from tuner.tables.kinds import is_whole
from tuner.tables.schema import Kind, TargetSchema

# Whole numbers with so few distinct values may be classes: grades, ratings, numbers of people.
_DOUBTFUL = 20
_TWO = 2  # classes


def infer_task(column: Column, kind: Kind, *, overridden: bool, task: TaskSetting = "auto") -> TargetSchema:
    """Return the task, with its classes.

    Text and truth values are classes. So are whole numbers that count up from 0, as programs number classes. Other
    numbers are predicted as numbers. Few distinct whole numbers leave doubt, unless the user named the kind.

    Args:
        column: The target.
        kind: What it holds.
        overridden: Whether the user named the kind.
        task: The task, if the user named it.
    """
    values = column.present
    distinct = values.n_unique()
    if kind == "date" or values.dtype.is_nested():
        return TargetSchema(column=column.name, task="regression", certain=True)
    if values.dtype in {pl.Int64, pl.Float64} and kind != "boolean":
        doubtful = distinct <= _DOUBTFUL and is_whole(values.cast(pl.Float64))
        classes = distinct <= _TWO or (doubtful and sorted(values.unique().to_list()) == list(range(distinct)))
        doubtful = doubtful and distinct > _TWO and task == "auto"
        if task == "regression" or (task == "auto" and (not classes or overridden)):
            return TargetSchema(column=column.name, task="regression", certain=overridden or not doubtful)
    else:
        doubtful = False
    return TargetSchema(
        column=column.name,
        task="binary" if distinct <= _TWO else "multiclass",
        certain=not doubtful,
        classes=common_values(column, most=None),
    )


def common_values(column: Column, *, most: int | None = 10) -> tuple[tuple[str, int], ...]:
    """Return the most frequent values of a column with their counts, as they stand in the file.

    Args:
        column: The column.
        most: How many to return; ``None`` returns all.
    """
    # Truth values and numbers that are written in one way only are shown as they are written.
    texts = column.raw.cast(pl.String).str.strip_chars().set(column.values.is_null(), None)
    plain = texts if texts.n_unique() == column.values.n_unique() else column.values.cast(pl.String)
    counts = plain.drop_nulls().alias("value").value_counts().sort(["count", "value"], descending=[True, False])
    return tuple(counts.head(len(counts) if most is None else most).iter_rows())
