"""Describes a table: what is in each column, and what becomes of it. Stored and printed as JSON."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from tuner.config.tables import Table

Kind = Literal["number", "code", "boolean", "category", "date", "text", "identifier", "constant", "empty", "nested"]
Role = Literal["feature", "target", "left out"]
TaskName = Literal["regression", "binary", "multiclass"]
Rows = Annotated[int, Field(ge=0)]


class NumberStyle(Table):
    """How numbers are written as text.

    Attributes:
        decimal: The decimal point or comma.
        thousands: What separates groups of three digits, or nothing.
        unit: The percent or currency sign at all numbers, or nothing.
    """

    decimal: Literal[".", ","] = "."
    thousands: Literal["", ",", ".", " ", "'"] = ""
    unit: str = ""


class ColumnSchema(Table):
    """One column.

    Attributes:
        name: Its name, without blanks around it.
        kind: What it holds.
        role: Whether it is a feature, the target, or left out.
        reason: Why it is left out.
        missing: Number of cells without a value.
        distinct: Number of distinct values.
        example: The first value, as it stands in the file.
        common: The most frequent values of a category with their counts, at most ten.
        minimum: The smallest finite number, in the units of the column.
        median: The median.
        maximum: The largest finite number.
        written: How its numbers are written, if they are text.
        date_format: How its times are written, as in ``strftime``, if they are text.
    """

    name: str
    kind: Kind
    role: Role
    reason: str | None = None
    missing: Rows
    distinct: Rows
    example: str | None = None
    common: tuple[tuple[str, int], ...] = ()
    minimum: float | None = None
    median: float | None = None
    maximum: float | None = None
    written: NumberStyle | None = None
    date_format: str | None = None


class TargetSchema(Table):
    """What is predicted.

    Attributes:
        column: Name of the column.
        task: The task that its values suggest.
        certain: Whether they can hardly suggest another one.
        classes: The classes with their numbers of rows, the most frequent first; empty for regression.
    """

    column: str
    task: TaskName
    certain: bool
    classes: tuple[tuple[str, int], ...] = ()


class CsvSchema(Table):
    """How a CSV file is written.

    Attributes:
        encoding: Name of a Python codec.
        separator: The character between two cells.
        quote: The character around a cell that holds separators.
        header: Whether the first line holds names.
        decimal_comma: Whether numbers have a decimal comma.
    """

    encoding: str
    separator: str
    quote: str
    header: bool
    decimal_comma: bool


class TableSchema(Table):
    """A table.

    Attributes:
        schema_version: Version of this description.
        source: The path of the file, or ``the frame``.
        rows: Number of rows.
        csv: How the file is written, if it is a CSV file.
        columns: The columns, in the order of the file.
        target: What is predicted, if a target was named.
        notes: What was assumed, one line each.
        warnings: What may make a model useless, one line each.
    """

    schema_version: Literal[1] = 1
    source: str
    rows: Rows
    csv: CsvSchema | None = None
    columns: tuple[ColumnSchema, ...]
    target: TargetSchema | None = None
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
