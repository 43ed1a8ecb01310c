"""Fits the input of a model to the training rows of a table: vocabularies, medians, scales and knots."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tuner.tables.cells import read_categories, read_times
from tuner.tables.columns import Column
from tuner.tables.encoder import PARTS, encode
from tuner.tables.inputs import ONE_HOT, CodeInput, NumberInput, NumericTarget, TableInput
from tuner.tables.missing import are_countries
from tuner.tables.schema import Kind

KNOTS = 48  # bins of piecewise-linear embeddings. Source: Gorishniy et al. 2025, TabM, appendix D
_LONGEST_VOCABULARY = 10_000  # rarer categories count as unseen
_SMALLEST = 1e-37  # a smaller range counts as none, because its factor would overflow

Rows = NDArray[np.int32]


def fit_inputs(columns: Mapping[str, tuple[Column, Kind]], train: Rows) -> TableInput:
    """Return the input of a model for a table.

    Args:
        columns: The features, in the order of the table, with what they hold.
        train: Indices of the training rows. Nothing is taken from other rows.
    """
    numbers: list[NumberInput] = []
    codes: list[CodeInput] = []
    for column, kind in columns.values():
        raw = column.raw.gather(train)
        if kind == "date":
            numbers.extend(_date_parts(column, raw))
        elif _is_number(column, kind):
            numbers.append(NumberInput(column=column.name, fill=0.0, written=column.written))
        else:
            codes.append(fit_code(column.name, raw, truth=kind == "boolean"))
    draft = _with_unit_scales(numbers, codes)
    raw_rows = {name: column.raw.gather(train) for name, (column, _) in columns.items()}
    rows = encode(raw_rows, draft).rows if columns else np.empty((len(train), 0), np.float32)
    fitted = [_fit_number(number, rows[:, i]) for i, number in enumerate(numbers)]
    table = _with_unit_scales(fitted, codes)
    center, scale = zip(*_scales(table, rows), strict=True) if table.features else ((), ())
    return table.model_copy(update={"center": center, "scale": scale})


def fit_target(y: NDArray[np.float64]) -> NumericTarget:
    """Return the statistics of a numeric target.

    Args:
        y: The target in the training rows, shape ``(rows,)``; it is not constant.
    """
    logs = np.log(y) if y.min() > 0 else None
    return NumericTarget(
        mean=float(y.mean()),
        deviation=float(y.std()),
        smallest=float(y.min()),
        largest=float(y.max()),
        log_mean=None if logs is None else float(logs.mean()),
        log_deviation=None if logs is None else float(logs.std()),
    )


def _is_number(column: Column, kind: Kind) -> bool:
    if kind in {"number", "code"}:
        return True
    return kind == "boolean" and (column.number_format is not None or column.raw.dtype != pl.String)


def _date_parts(column: Column, raw: pl.Series) -> Iterator[NumberInput]:
    """Yield the parts of a date that differ between the training rows."""
    times = read_times(raw, column.date_format).drop_nulls()
    probe = TableInput(
        numbers=tuple(NumberInput(column=column.name, part=part, fill=0.0) for part in PARTS),
        center=(0.0,) * len(PARTS),
        scale=(1.0,) * len(PARTS),
    )
    values = encode({column.name: times}, probe).rows
    for i, number in enumerate(probe.numbers):
        if number.part == "days" or np.unique(values[:, i]).size > 1:
            yield number.model_copy(update={"date_format": column.date_format})


def fit_code(name: str, raw: pl.Series, *, truth: bool) -> CodeInput:
    """Return the codes of a column of categories.

    Args:
        name: Name of the column.
        raw: Its cells in the training rows.
        truth: Whether these are truth values, so that ``YES`` and ``yes`` are the same.
    """
    texts = read_categories(raw, namibia=raw.dtype == pl.String and are_countries(raw.drop_nulls().unique()))
    counts = texts.drop_nulls().alias("name").value_counts().sort(["count", "name"], descending=[True, False])
    names = counts["name"].to_list()
    spellings = _spellings(names) if truth else {}
    missing = texts.null_count() > 0
    vocabulary = tuple(name for name in names if name not in spellings)[:_LONGEST_VOCABULARY]
    return CodeInput(
        column=name,
        vocabulary=vocabulary,
        spellings=spellings,
        missing=missing,
        embedded=len(vocabulary) + missing > ONE_HOT,
    )


def _spellings(names: Sequence[str]) -> dict[str, str]:
    """Return other spellings of truth values, each with the most frequent spelling of those that occur."""
    meant: dict[str, str] = {}
    for name in names:
        meant.setdefault(name.lower(), name)
    variants = {spelling: name for word, name in meant.items() for spelling in (word, word.upper(), word.title())}
    variants |= {name: meant[name.lower()] for name in names}
    return {spelling: name for spelling, name in variants.items() if spelling != name}


def _with_unit_scales(numbers: Sequence[NumberInput], codes: Sequence[CodeInput]) -> TableInput:
    draft = TableInput.model_construct(numbers=tuple(numbers), codes=tuple(codes), center=(), scale=())
    return TableInput(
        numbers=draft.numbers, codes=draft.codes, center=(0.0,) * draft.features, scale=(1.0,) * draft.features
    )


def _fit_number(number: NumberInput, values: NDArray[np.float32]) -> NumberInput:
    known = values[~np.isnan(values)].astype(np.float64)
    if not known.size:
        return number
    knots = np.unique(np.quantile(known, np.linspace(0, 1, KNOTS + 1)).astype(np.float32))
    return number.model_copy(
        update={
            "fill": float(np.float32(np.median(known))),
            "indicator": bool(known.size < values.size),
            "knots": tuple(knots.astype(float).tolist()) if knots.size > 1 else (),
        }
    )


def _scales(table: TableInput, rows: NDArray[np.float32]) -> Iterator[tuple[float, float]]:
    """Yield center and scale of each feature."""
    count = len(table.numbers)
    for i, number in enumerate(table.numbers):
        known = rows[:, i][~np.isnan(rows[:, i])]
        yield _robust(known) if known.size else (number.fill, 0.0)
    for i in table.indicators:
        yield _robust(np.isnan(rows[:, i]).astype(np.float32))
    for position, high, low in table.one_hot:
        codes = rows[:, count + position]
        yield _robust((codes == high).astype(np.float32) - (codes == low))


def _robust(values: NDArray[Any]) -> tuple[float, float]:
    """Return the median, and the inverse of the range of the middle half; of the half range if that is 0."""
    exact = values.astype(np.float64)
    low, median, high = np.quantile(exact, [0.25, 0.5, 0.75])
    spread = high - low if high - low > _SMALLEST else (exact.max() - exact.min()) / 2
    return float(median), float(1 / spread) if spread > _SMALLEST else 0.0
