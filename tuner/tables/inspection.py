"""Describes a table: reads its columns, decides on them as the user asked for, and looks for what may go wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import polars as pl

from tuner.config.recipe import TaskSetting
from tuner.errors import UsageError, did_you_mean
from tuner.tables.columns import Column, read_column
from tuner.tables.findings import (
    find_leaks,
    find_long_tail,
    find_missing_target,
    find_order,
    find_rare_classes,
    find_repeated_rows,
    find_time,
)
from tuner.tables.kinds import kind_of
from tuner.tables.overrides import read_as
from tuner.tables.schema import ColumnSchema, CsvSchema, Kind, Role, TableSchema, TargetSchema
from tuner.tables.table import RawTable
from tuner.tables.task import common_values, infer_task

_LEFT_OUT: dict[Kind, str] = {
    "identifier": "identifier",
    "constant": "one value",
    "empty": "no value",
    "text": "free text",
    "nested": "lists or bytes",
}
_NO_TARGETS: dict[Kind, str] = {**_LEFT_OUT, "identifier": "an identifier", "date": "dates"}
_SHOWN = 4  # names in a note
_EXAMPLE = 100  # characters


class ReadColumn(NamedTuple):
    """A column, what it holds, and whether the user said so."""

    column: Column
    kind: Kind
    overridden: bool


class Inspection(NamedTuple):
    """A table after it was looked into: its columns by name, and its description."""

    columns: dict[str, ReadColumn]
    schema: TableSchema

    @property
    def features(self) -> dict[str, tuple[Column, Kind]]:
        """The columns that are features, in the order of the table, with what they hold."""
        names = [column.name for column in self.schema.columns if column.role == "feature"]
        return {name: (self.columns[name].column, self.columns[name].kind) for name in names}


def inspect_table(
    table: RawTable,
    target: str | None = None,
    kinds: Mapping[str, str] | None = None,
    drop: Sequence[str] = (),
    *,
    task: TaskSetting = "auto",
    random_split: bool = False,
) -> Inspection:
    """Find out what is in each column of a table, and what becomes of it.

    Args:
        table: The table.
        target: The column to predict.
        kinds: Kinds of columns that the user knows better, by name: see
            :func:`tuner.tables.overrides.read_as`.
        drop: Columns to leave out.
        task: Whether to predict a class or a number; ``auto`` decides by the values of the target.
        random_split: Whether the rows will be split at random, so that their order means nothing.

    Raises:
        UsageError: If there is no column of a name, or no such kind.
        DataError: If a column cannot be read as the kind that the user named.
    """
    kinds = kinds or {}
    for name in [*([] if target is None else [target]), *kinds, *drop]:
        if name not in table.frame.columns:
            raise UsageError(f"{table.source} has no column '{name}'", hint=did_you_mean(name, table.frame.columns))
    if target in drop:
        raise UsageError(f"'{target}' cannot be both the target and left out", hint="omit one of the two options")
    comma = table.csv is not None and table.csv.dialect.decimal_comma
    read = {
        name: _read(table, name, kinds.get(name), decimal_comma=comma, target=name == target)
        for name in table.frame.columns
    }
    columns = tuple(_describe(each, _role(each, target, drop), drop) for each in read.values())
    predicted = None
    if target is not None:
        predicted = infer_task(read[target].column, read[target].kind, overridden=target in kinds, task=task)
    schema = TableSchema(
        source=table.source,
        rows=table.frame.height,
        csv=_csv_schema(table),
        columns=columns,
        target=predicted,
        notes=(*table.notes, *_notes(read, columns, predicted)),
        warnings=tuple(_warnings(table, read, columns, predicted, random_split=random_split)),
    )
    return Inspection(read, schema)


def _read(table: RawTable, name: str, asked: str | None, *, decimal_comma: bool, target: bool) -> ReadColumn:
    if asked is not None:
        return ReadColumn(*read_as(table, name, asked, decimal_comma=decimal_comma), overridden=True)
    column = read_column(table.frame[name], decimal_comma=decimal_comma)
    kind = kind_of(column)
    if target and kind == "identifier" and column.values.dtype.is_numeric():
        kind = "number"  # prices may all be different
    return ReadColumn(column, kind, overridden=False)


def _role(read: ReadColumn, target: str | None, drop: Sequence[str]) -> Role:
    if read.column.name == target:
        return "target"
    return "left out" if read.column.name in drop or read.kind in _LEFT_OUT else "feature"


def _describe(read: ReadColumn, role: Role, drop: Sequence[str]) -> ColumnSchema:
    column, present = read.column, read.column.present
    first = column.values.is_not_null().arg_max()
    shown = len(present) > 0 and read.kind != "nested"
    reason = "as you asked" if column.name in drop else _LEFT_OUT.get(read.kind)
    numbers = present.cast(pl.Float64) if read.kind in {"number", "code"} else pl.Series([], dtype=pl.Float64)
    finite: Any = numbers.filter(numbers.is_finite())
    return ColumnSchema(
        name=column.name,
        kind=read.kind,
        role=role,
        reason=reason if role == "left out" else None,
        missing=column.values.null_count(),
        distinct=0 if read.kind == "nested" else present.n_unique(),
        example=str(column.raw[first]).strip()[:_EXAMPLE] if shown and first is not None else None,
        common=common_values(column) if read.kind in {"boolean", "category", "code"} else (),
        minimum=finite.min(),
        median=finite.median(),
        maximum=finite.max(),
        written=column.written,
        date_format=column.date_format,
    )


def _csv_schema(table: RawTable) -> CsvSchema | None:
    if table.csv is None:
        return None
    dialect = table.csv.dialect
    return CsvSchema(
        encoding=table.csv.encoding,
        separator=dialect.separator,
        quote=dialect.quote,
        header=table.csv.header,
        decimal_comma=dialect.decimal_comma,
    )


def _notes(read: Mapping[str, ReadColumn], columns: Sequence[ColumnSchema], task: TargetSchema | None) -> Iterator[str]:
    """Yield what was assumed, with the option that changes it."""
    for each in read.values():
        yield from each.column.notes
    codes = [column.name for column in columns if column.kind == "code" and column.role == "feature"]
    codes = [name for name in codes if not read[name].overridden]
    if codes:
        shown = ", ".join(codes[:_SHOWN]) + (", …" if len(codes) > _SHOWN else "")
        yield (
            f"whole numbers with few values are read as numbers ({shown}); if their order means nothing, "
            f"use --column '{codes[0]}=category'"
        )
    texts = [column.name for column in columns if column.kind == "text" and column.role == "left out"]
    if texts:
        yield f"free text is left out, because models do not read it yet ({', '.join(texts[:_SHOWN])})"
    if task is not None and not task.certain:
        other, kind = ("classes", "category") if task.task == "regression" else ("a number", "number")
        yield (
            f"the target '{task.column}' has {read[task.column].column.present.n_unique()} distinct whole numbers and "
            f"was taken for {task.task}; to predict {other}, use --column '{task.column}={kind}'"
        )


def _warnings(
    table: RawTable,
    read: Mapping[str, ReadColumn],
    columns: Sequence[ColumnSchema],
    task: TargetSchema | None,
    *,
    random_split: bool,
) -> Iterator[str]:
    for each in read.values():
        yield from _warnings_of(table, each)
    values = {name: each.column for name, each in read.items()}
    features = [column for column in columns if column.role == "feature"]
    identifiers = {name: each.column for name, each in read.items() if each.kind == "identifier"}
    if task is not None:
        target = values[task.column]
        yield from find_missing_target(table, target)
        if (kind := read[task.column].kind) in _NO_TARGETS:
            yield f"the target '{task.column}' holds {_NO_TARGETS[kind]}: name another column"
        else:
            yield from find_rare_classes(task)
            yield from find_long_tail(target, task)
            yield from find_leaks(values, features, target, task)
            yield from find_order(table, identifiers, target, task, random_split=random_split)
    kept = [column.name for column in columns if column.kind not in {"identifier", "nested"}]
    yield from find_repeated_rows(table, kept)
    yield from find_time({column.name: values[column.name] for column in features})


def _warnings_of(table: RawTable, read: ReadColumn) -> Iterator[str]:
    column = read.column
    if column.unreadable:
        cells = column.raw[list(column.unreadable)]
        shown = ", ".join(f"'{text}'" for text in cells.unique(maintain_order=True).head(3))
        what = "date of this format" if read.kind == "date" else "number"
        yield f"'{column.name}': {shown} is no {what} and counts as missing ({table.rows(column.unreadable)})"
    if column.values.dtype == pl.Float64 and read.kind in {"number", "code"}:
        infinite = column.values.is_infinite().fill_null(value=False).arg_true().to_list()
        if infinite:
            yield f"'{column.name}': infinite in {table.rows(infinite)}"
