"""The target of a table: as numbers, or as numbers of classes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tuner.errors import DataError
from tuner.tables.cells import read_numbers
from tuner.tables.columns import Column
from tuner.tables.encoder import read_codes
from tuner.tables.fit import fit_code
from tuner.tables.inputs import CodeInput, NumberInput
from tuner.tables.schema import Kind, TargetSchema
from tuner.tasks import TaskName

MISSING = -1  # the class of a row without a target
_MOST_CLASSES = 1_000
_LARGEST = 1e18  # of a numeric target: its square is finite in float32
_OTHER = "name another column with --target; `tuner data inspect FILE` shows all of them"


@dataclass(frozen=True)
class Target:
    """The target of some rows.

    Attributes:
        column: Name of its column.
        task: The task that it sets.
        labels: How it is written.
        values: Numbers of type ``float64``, NaN where one is missing; or numbers of classes of type ``int32``,
            :data:`MISSING` where one is missing. Shape ``(rows,)``.
        classes: Names of the classes in the order of their numbers; empty for regression.
    """

    column: str
    task: TaskName
    labels: CodeInput | NumberInput
    values: NDArray[Any] = field(repr=False)
    classes: tuple[str, ...] = ()

    @property
    def known(self) -> NDArray[np.bool_]:
        """Which rows have a target, shape ``(rows,)``."""
        known: NDArray[np.bool_] = self.values != MISSING if self.classes else np.isfinite(self.values)
        return known

    @property
    def is_skewed(self) -> bool:
        """Whether it is a positive number with a long tail, and its logarithm has none: its skewness is smaller.

        Source of the limit: a skewness above 1 counts as high (Bulmer 1979, Principles of Statistics, chapter 4).
        """
        values = self.values[self.known]
        if self.classes or not len(values) or values.min() <= 0:
            return False
        plain, log = _skewness(values), _skewness(np.log(values))
        return plain > 1 and abs(log) < plain


def _skewness(values: NDArray[np.float64]) -> float:
    centered = values - values.mean()
    return float(np.mean(centered**3) / max(np.mean(centered**2), np.finfo(np.float64).tiny) ** 1.5)


def read_target(column: Column, kind: Kind, schema: TargetSchema, source: str) -> Target:
    """Return the target of a table.

    Classes are sorted by name, and by number if all of them are numbers. So ``No`` is class 0 and ``Yes`` class 1.

    Args:
        column: The column.
        kind: What it holds.
        schema: The task that it sets.
        source: Name of the file, for messages.

    Raises:
        DataError: If the column cannot be predicted.
    """
    name = column.name
    if schema.task == "regression":
        number = NumberInput(column=name, fill=0.0, written=column.written)
        values = numbers_of(column.raw, number)
        known = values[np.isfinite(values)]
        if np.unique(known).size < 2:  # noqa: PLR2004
            raise DataError(f"{source}: the target '{name}' has the same value in all rows", hint=_OTHER)
        largest, spread = np.abs(known).max(), np.ptp(known)
        if largest > _LARGEST or spread < 1 / _LARGEST:
            what = f"holds {largest:g}" if largest > _LARGEST else f"varies by {spread:g}"
            raise DataError(
                f"{source}: the target '{name}' {what}, which models cannot tell apart in float32",
                hint="predict it in other units, or its logarithm",
            )
        return Target(name, "regression", number, values)
    code = fit_code(name, column.raw, truth=kind == "boolean")
    classes = tuple(sorted(code.vocabulary, key=_order(code.vocabulary)))
    if len(classes) < 2:  # noqa: PLR2004
        raise DataError(f"{source}: the target '{name}' has only one class: {', '.join(classes)}", hint=_OTHER)
    if len(classes) > _MOST_CLASSES:
        raise DataError(
            f"{source}: the target '{name}' has {len(classes):,} classes, at most {_MOST_CLASSES:,} can be learned",
            hint="name another target, or predict numbers with --task regression",
        )
    task: TaskName = "binary" if len(classes) == 2 else "multiclass"  # noqa: PLR2004
    labels = code.model_copy(update={"vocabulary": classes, "missing": False, "embedded": False})
    return Target(name, task, labels, classes_of(column.raw, labels), classes)


def numbers_of(raw: pl.Series, labels: NumberInput) -> NDArray[np.float64]:
    """Return a numeric target, NaN where it is missing, shape ``(rows,)``."""
    numbers: NDArray[np.float64] = read_numbers(raw, labels.written).fill_null(float("nan")).to_numpy()
    return numbers


def classes_of(raw: pl.Series, labels: CodeInput) -> NDArray[np.int32]:
    """Return the numbers of classes, :data:`MISSING` where a class is missing or unknown, shape ``(rows,)``."""
    codes: NDArray[np.int32] = read_codes(raw, labels).to_numpy()
    return codes.astype(np.int32) - 1  # a code of 0 is no class


def _order(names: tuple[str, ...]) -> Any:
    numeric = pl.Series(names, dtype=pl.String).cast(pl.Float64, strict=False)
    return str if numeric.null_count() else float
