"""Reads the target of labelled rows of a table, as a model knows it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuner.data.schema import DataSchema
from tuner.errors import DataError, did_you_mean
from tuner.printable import escaped
from tuner.tables.cells import present, read_numbers
from tuner.tables.inputs import CodeInput
from tuner.tables.reading import read_table
from tuner.tables.table import RawTable
from tuner.tables.target import MISSING, classes_of

_SHOWN = 5  # classes in a message


def read_targets(source: Any, schema: DataSchema) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Read the targets of all rows.

    Args:
        source: A file with a header line, or a frame of polars or pandas.
        schema: The schema of the table that the model takes.

    Returns:
        Classes as numbers from 0, or numbers, shape ``(rows,)``; and which rows have a target, shape ``(rows,)``.

    Raises:
        DataError: If the source cannot be read, has no target, or has one that the model does not know.
    """
    table = read_table(source, header=True)
    name, labels = schema.target, schema.labels
    if name is None or labels is None:
        raise DataError("the model does not know its target", hint="export the model again")
    if name not in table.frame.columns:
        raise DataError(
            f"{table.source} has no column '{escaped(name)}', which is the target",
            hint=did_you_mean(name, table.frame.columns),
        )
    raw = table.frame[name]
    if isinstance(labels, CodeInput):
        y: NDArray[Any] = classes_of(raw, labels)
        known = y != MISSING
    else:
        comma = table.csv is not None and table.csv.dialect.decimal_comma
        y = read_numbers(raw, labels.written, decimal_comma=comma).fill_null(float("nan")).to_numpy()
        known = np.isfinite(y)
    _check(table, name, known, schema)
    return y, known


def _check(table: RawTable, name: str, known: NDArray[np.bool_], schema: DataSchema) -> None:
    """Check that each cell with a target holds one that the model knows, and that there is one."""
    wrong = np.flatnonzero(present(table.frame[name]).to_numpy() & ~known)
    if len(wrong):
        first = int(wrong[0])
        names = ", ".join(map(escaped, schema.classes[:_SHOWN]))
        classes = f"classes: {names}{' …' if len(schema.classes) > _SHOWN else ''}"
        raise DataError(
            f"{table.source}, {table.row(first)}: the target '{escaped(str(table.frame[name][first]))}' is "
            f"{'no class of the model' if schema.classes else 'no number'}",
            hint=classes if schema.classes else f"'{escaped(name)}' was a number in the training data",
        )
    if not known.any():
        raise DataError(f"{table.source}: no row has a target", hint=f"the target is the column '{escaped(name)}'")
