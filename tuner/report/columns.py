"""Shows what is in a table: how the file is written, one line per column, and what was noticed.

Names and cells may hold line breaks, which are escaped here, so that none of them begins a line of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from tuner.printable import escaped
from tuner.report.tables import new_table
from tuner.report.text import count
from tuner.tables.inputs import ONE_HOT
from tuner.tables.schema import ColumnSchema, TableSchema

if TYPE_CHECKING:
    from tuner.data.table_dataset import TableDataset

_SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
_ENCODINGS = {"utf-8": "UTF-8", "utf-8-sig": "UTF-8 with a mark", "utf-16": "UTF-16", "cp1252": "Windows-1252"}
_EXAMPLE = 18  # characters


def summary(schema: TableSchema) -> str:
    """Return the size of a table, and how its file is written, in one line."""
    parts = [f"{schema.source}: {count(schema.rows, 'row')}, {count(len(schema.columns), 'column')}"]
    if (csv := schema.csv) is not None:
        parts.append(f"separator {_SEPARATORS.get(csv.separator, repr(csv.separator))}")
        parts.append(f"quote {csv.quote}")
        parts.append(_ENCODINGS.get(csv.encoding, csv.encoding.upper()))
        parts += ["decimal comma"] if csv.decimal_comma else []
        parts += [] if csv.header else ["no header line"]
    return escaped(", ".join(parts))


def columns_table(schema: TableSchema) -> Table:
    """Return one row per column, in the order of the file."""
    table = new_table()
    table.add_column("column", overflow="fold")
    table.add_column("type", overflow="fold")
    table.add_column("missing", justify="right")
    table.add_column("distinct", justify="right")
    table.add_column("example", overflow="ellipsis", no_wrap=True, max_width=_EXAMPLE)
    table.add_column("becomes", overflow="fold")
    for column in schema.columns:
        style = {"target": "bold", "left out": "dim"}.get(column.role, "")
        table.add_row(
            escaped(column.name),
            escaped(_type(column)),
            f"{column.missing:,}" if column.missing else "",
            f"{column.distinct:,}",
            escaped(column.example or "")[: _EXAMPLE + 1],
            Text(becomes(column, schema), style=style),
        )
    return table


def remarks_table(schema: TableSchema) -> Table:
    """Return the warnings, and what was assumed."""
    table = Table.grid(padding=(0, 1))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for warning in schema.warnings:
        table.add_row(Text("Warning:", style="yellow"), escaped(warning))
    for note in schema.notes:
        table.add_row("Note:", escaped(note))
    return table


def data_lines(data: TableDataset) -> list[str]:
    """Return what a study of a table is trained on, in a few lines: rows, target, columns, and what was noticed."""
    schema, features = data.schema, len(data.features)
    rows = f"{count(data.train_rows, 'row')} to train and validate on, {data.test_rows:,} to test"
    predicted = f"predicts '{data.target.column}' ({data.task.name}) from {count(features, 'column')}"
    lines = [f"{data.name}: {predicted}; {rows}"]
    left_out = [column for column in schema.columns if column.role == "left out"]
    if left_out:
        lines.append("Left out: " + ", ".join(f"'{column.name}' ({column.reason})" for column in left_out))
    lines += [f"Warning: {warning}" for warning in schema.warnings]
    lines += [f"Note: {note}" for note in schema.notes]
    return [escaped(line) for line in lines]


def becomes(column: ColumnSchema, schema: TableSchema) -> str:
    """Return what becomes of a column, in a few words."""
    if column.role == "left out":
        return f"left out: {column.reason}"
    if column.role == "target" and schema.target is not None:
        classes = f", {len(schema.target.classes):,} classes" if schema.target.task == "multiclass" else ""
        return f"target: {schema.target.task}{classes}"
    missing = ", missing flag" if column.missing else ""
    if column.kind == "category":
        return ("one-hot" if column.distinct <= ONE_HOT else "embedding") + missing
    return {"boolean": "0 or 1", "date": "parts of the date"}.get(column.kind, "number") + missing


def _type(column: ColumnSchema) -> str:
    if column.date_format is not None and column.kind == "date":
        return f"date {column.date_format}"
    if column.written is not None and column.written.unit and column.kind == "number":
        return f"number in {column.written.unit}"
    return column.kind
