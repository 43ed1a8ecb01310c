"""Small schemas for tests, and rows of a table."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuner.data.schema import DataSchema
from tuner.tables.inputs import CodeInput, NumberInput, NumericTarget, TableInput


def pixels(shape: tuple[int, ...], classes: int, scale: float = 1.0) -> DataSchema:
    """Return the schema of ``uint8`` images."""
    return DataSchema(kind="pixels", shape=shape, dtype="uint8", scale=scale, classes=names(classes))


def numbers(shape: tuple[int, ...], classes: int) -> DataSchema:
    """Return the schema of numbers that are used as they are."""
    return DataSchema(kind="numbers", shape=shape, dtype="float32", classes=names(classes))


def names(classes: int) -> tuple[str, ...]:
    """Return the names of numbered classes."""
    return tuple(str(number) for number in range(classes))


def table(*, classes: int = 0, embedded: bool = True) -> DataSchema:
    """Return the schema of a table with numbers and categories of each kind; without classes, of a positive number."""
    tall = tuple(f"town {number}" for number in range(12))
    numbers = (
        NumberInput(column="age", fill=40.0, indicator=True, knots=(18.0, 25.0, 40.0, 60.0, 90.0)),
        NumberInput(column="income", fill=2e4, knots=(0.0, 1e4, 3e4)),
        NumberInput(column="debt", fill=0.0, indicator=True),
    )
    codes = (
        CodeInput(column="sex", vocabulary=("f", "m")),
        CodeInput(column="town", vocabulary=tall, embedded=embedded),
        CodeInput(column="plan", vocabulary=("a", "b", "c"), missing=True),
        CodeInput(column="shop", vocabulary=tall[:9], embedded=embedded, missing=True),
    )
    features = len(numbers) + 2 + sum(len(code.one_hot) for code in codes)
    center, scale = [40.0, 2e4, 50.0, *[0.0] * features][:features], [0.05, 1e-4, 0.0, *[2.0] * features][:features]
    described = TableInput(numbers=numbers, codes=codes, center=tuple(center), scale=tuple(scale))
    target = NumericTarget(mean=5.0, deviation=2.0, smallest=0.5, largest=20.0, log_mean=1.5, log_deviation=0.6)
    return DataSchema(
        kind="table",
        shape=(described.width,),
        dtype="float32",
        table=described,
        target="y",
        classes=names(classes),
        numeric=None if classes else target,
    )


def table_rows(schema: DataSchema, rows: int, seed: int = 0) -> tuple[NDArray[np.float32], NDArray[Any]]:
    """Return encoded rows of :func:`table` with missing numbers, and targets that depend on them."""
    rng = np.random.default_rng(seed)
    assert schema.table is not None
    numbers = rng.normal([40, 2e4, 50], [15, 1e4, 20], (rows, 3))
    codes = np.stack([rng.integers(0, code.codes, rows) for code in schema.table.codes], axis=1)
    signal = numbers[:, 0] / 40 + codes[:, 0] + codes[:, 1] / 6
    numbers[rng.random(numbers.shape) < 0.1] = np.nan
    encoded = np.concatenate([numbers, codes], axis=1).astype(np.float32)
    if schema.classes:
        return encoded, (signal * len(schema.classes) / 5).astype(np.int32) % len(schema.classes)
    return encoded, np.clip(np.exp(signal / 2), 0.5, 20).astype(np.float32)
