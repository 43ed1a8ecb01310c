"""Reads the rows of tables for prediction, part by part, and counts the cells that the model does not know."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tuner.config.data_files import TABLES, is_table
from tuner.data.schema import DataSchema
from tuner.delivery.fronts.columns import table_of
from tuner.delivery.rows import Batch, Note
from tuner.errors import DataError, UsageError, did_you_mean
from tuner.printable import escaped
from tuner.tables.csv_files import stream_csv
from tuner.tables.encoder import Problem, encode
from tuner.tables.frames import from_frame, stream_parquet
from tuner.tables.table import RawTable

PART = 20_000  # rows of a frame that are encoded at a time
_SHOWN = 5  # columns in a message
_RESERVED = frozenset({"prediction", "probabilities"})  # columns and keys of the output


def read_table_batches(
    paths: Sequence[Path], schema: DataSchema, note: Note, *, keep: Sequence[str] = ()
) -> Iterator[Batch]:
    """Read the rows of tables, in the order of the files. Memory does not depend on the number of rows.

    Args:
        paths: Files with one of :data:`tuner.config.data_files.TABLES` as the end of their names, with a header line.
            Their columns may be in any order.
        schema: The schema of the table that the model takes.
        note: Receives lines for people: which columns are not used; in the end, how many cells the model does not know.
        keep: Columns whose cells travel with the rows.

    Yields:
        At least one batch of encoded rows.

    Raises:
        DataError: If a file cannot be read, or columns are missing.
        UsageError: If a column cannot be kept.
    """
    parts = (part for i, path in enumerate(paths) for part in _parts(path, schema, keep, None if i else note))
    return _batches(parts, schema, note, keep)


def frame_batches(frame: Any, schema: DataSchema, note: Note, *, keep: Sequence[str] = ()) -> Iterator[Batch]:
    """Encode the rows of a frame of polars or pandas; see :func:`read_table_batches`."""
    table = from_frame(frame)
    _check_columns(table.frame.columns, table.source, schema, keep, note)
    parts = (
        RawTable(table.source, table.frame.slice(start, PART), table.notes)
        for start in range(0, table.frame.height, PART)
    )
    return _batches(parts, schema, note, keep)


@dataclass
class _Unknown:
    """Cells that the model does not know, by column, over all parts.

    Attributes:
        what: What they are.
        found: By column: number of cells, where the first one is, and what it holds.
    """

    what: str
    found: dict[str, tuple[int, str, str]] = field(default_factory=dict)

    def add(self, problems: Mapping[str, Problem], part: RawTable, offset: int) -> None:
        """Count the cells of a part that begins at row ``offset`` of its file."""
        for column, problem in problems.items():
            row = f"row {offset + problem.first + 1}" if part.lines is None else part.row(problem.first)
            count, *first = self.found.get(column, (0, f"{part.source}, {row}", problem.example))
            self.found[column] = (count + problem.cells, first[0], first[1])

    def report(self, note: Note) -> None:
        """Tell how many there are, one line per column."""
        for column, (cells, where, example) in self.found.items():
            count = "1 cell" if cells == 1 else f"{cells:,} cells"
            note(f"'{escaped(column)}': {count} with {self.what}, the first: '{escaped(example)}' ({where})")


def _batches(parts: Iterator[RawTable], schema: DataSchema, note: Note, keep: Sequence[str]) -> Iterator[Batch]:
    table = table_of(schema)
    unseen = _Unknown("a category that no training row has")
    unreadable = _Unknown("no number or date of the known format, taken as missing")
    source, offset = "", 0
    for part in parts:
        if part.source != source:
            for line in part.notes:
                note(f"{part.source}: {line}")
            source, offset = part.source, 0
        encoded = encode(
            part.frame.to_dict(), table, decimal_comma=part.csv is not None and part.csv.dialect.decimal_comma
        )
        unseen.add(encoded.unseen, part, offset)
        unreadable.add(encoded.unreadable, part, offset)
        kept = {name: part.frame[name].to_list() for name in keep}
        yield Batch(encoded.rows, kept=kept or None)
        offset += part.frame.height
    unseen.report(note)
    unreadable.report(note)


def _parts(path: Path, schema: DataSchema, keep: Sequence[str], note: Note | None) -> Iterator[RawTable]:
    """Yield the parts of a file. ``note`` receives the names of the columns that are not used."""
    if not path.exists():
        raise DataError(f"there is no file {path}")
    if not path.is_file() or not is_table(path.name):
        raise DataError(f"{path} is no table", hint=f"the model takes files of these kinds: {', '.join(TABLES)}")
    if path.name.lower().endswith(".parquet"):

        def needed(names: Sequence[str]) -> list[str]:
            _check_columns(names, str(path), schema, keep, note)
            return list({*table_of(schema).columns, *keep})

        yield from stream_parquet(path, needed)
        return
    checked = False
    for part in stream_csv(path, header=True):
        if not checked:
            _check_columns(part.frame.columns, str(path), schema, keep, note)
            checked = True
        yield part


def _check_columns(
    names: Sequence[str], source: str, schema: DataSchema, keep: Sequence[str], note: Note | None
) -> None:
    for name in keep:
        if name not in names:
            raise UsageError(f"{source} has no column '{name}' to keep", hint=did_you_mean(name, names))
        if name in _RESERVED:
            raise UsageError(f"the column '{name}' cannot be kept: the output has one of this name")
    needed = table_of(schema).columns
    missing = [name for name in needed if name not in names]
    if not missing:
        unused = [name for name in names if name not in {*needed, *keep, schema.target}]
        if unused and note is not None:
            columns = "1 column is" if len(unused) == 1 else f"{len(unused)} columns are"
            note(f"{source}: {columns} not used: {_listed(unused)}")
        return
    if len(missing) == len(needed):
        raise DataError(
            f"the first line of {source} names none of the model's columns: {_listed(missing)}"
            if source.lower().endswith(TABLES[:-1])
            else f"{source} has none of the model's columns: {_listed(missing)}",
            hint="the file needs a header line with the names of the training data",
        )
    hint = did_you_mean(missing[0], [name for name in names if name not in needed])
    columns = "column" if len(missing) == 1 else "columns"
    raise DataError(f"{source} lacks the {columns} {_listed(missing)}", hint=hint)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(f"'{escaped(name)}'" for name in names[:_SHOWN]) + more
