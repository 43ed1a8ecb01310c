"""The files of each format for a table: one that takes raw columns, and one that takes encoded rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from tuner.data.schema import DataSchema
from tuner.delivery.compare import difference
from tuner.delivery.formats import FORMATS, Format, Predictions, Rows, guarded, load_runner
from tuner.delivery.fronts import run
from tuner.delivery.fronts.columns import table_of
from tuner.delivery.fronts.keras_model import write_keras
from tuner.delivery.fronts.onnx_model import write_onnx
from tuner.delivery.fronts.saved_model import write_saved_model
from tuner.delivery.manifest import FormatEntry, FormatName
from tuner.environment import backend
from tuner.tables.encoder import encode

_HARD = ("", " ", "?", "\u2603 unseen")  # cells that real rows may hold, but those of a sample may not


@dataclass(frozen=True, slots=True)
class TableSample:
    """Rows of a table on which an export is checked.

    Attributes:
        schema: The schema of the table.
        encoded: Encoded rows, shape ``(rows, width)``.
        raw: The same rows as they stand in the table: text by column.
    """

    schema: DataSchema
    encoded: Rows
    raw: Mapping[str, Sequence[str | None]]

    @property
    def columns(self) -> dict[str, pl.Series]:
        """The raw columns by name."""
        return {name: pl.Series(name, cells, pl.String) for name, cells in self.raw.items()}

    @property
    def altered(self) -> dict[str, pl.Series]:
        """The raw columns, with a third of the cells missing, blank or unseen."""
        return {
            name: pl.Series(
                name,
                [_HARD[(row // 3 + place) % len(_HARD)] if (row + place) % 3 == 0 else cell
                 for row, cell in enumerate(cells)],
                pl.String,
            )
            for place, (name, cells) in enumerate(self.raw.items())
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class TableFormat:
    """How one format holds a model for tables.

    Attributes:
        path: The file or folder that takes raw columns; that of encoded rows if the format cannot hold texts.
        encoded: The file or folder that takes encoded rows.
        write: Writes both into a folder.
        load: Loads the file that takes raw columns; ``None`` if there is none.
    """

    path: str
    encoded: str
    write: Callable[[Any, DataSchema, Path], None]
    load: Callable[[Path, DataSchema], run.RawRunner] | None


def write_table(
    model_format: Format, core: Any, folder: Path, compared: tuple[TableSample, Predictions]
) -> FormatEntry:
    """Write the files of one format, load them again and compare them with the original.

    The file for raw columns must also predict as the other one if cells are missing, blank or unseen.

    Args:
        model_format: The format.
        core: The Keras model that takes encoded rows.
        folder: The folder of the export.
        compared: Rows for the comparison, and the predictions of the original for these.

    Raises:
        RunError: If a file does not run.
    """
    sample, expected = compared
    schema = sample.schema
    files = table_format(model_format.name)
    files.write(core, schema, folder)
    encoded, raw = folder / files.encoded, folder / files.path
    runner = load_runner(model_format, encoded)
    found = difference(runner(sample.encoded), expected, schema)
    if files.load is not None:
        altered = sample.altered
        again = runner(encode(altered, table_of(schema)).rows)
        for columns, wanted in ((sample.columns, expected), (altered, again)):
            actual = guarded(model_format, raw, partial(_run_raw, files, raw, schema, columns))
            found = max(found, difference(actual, wanted, schema))
    return FormatEntry(path=files.path, encoded=files.encoded, max_difference=found)


def table_format(name: FormatName) -> TableFormat:
    """Return how a format holds a model for tables. Keras can look up texts with TensorFlow only."""
    if name == "keras" and backend() != "tensorflow":
        return TableFormat("core.keras", "core.keras", _write_core_keras, None)
    return _FORMATS[name]


def _run_raw(files: TableFormat, path: Path, schema: DataSchema, columns: Mapping[str, pl.Series]) -> Predictions:
    assert files.load is not None  # noqa: S101 - checked by the caller
    return files.load(path, schema)(columns)


def _write_core_keras(core: Any, schema: DataSchema, folder: Path) -> None:  # noqa: ARG001 - as the other writers
    core.save(folder / "core.keras")


def _write_keras(core: Any, schema: DataSchema, folder: Path) -> None:
    _write_core_keras(core, schema, folder)
    write_keras(core, schema, folder / "model.keras")


def _write_saved_model(core: Any, schema: DataSchema, folder: Path) -> None:
    write_saved_model(core, schema, folder / "saved_model")


def _write_onnx(core: Any, schema: DataSchema, folder: Path) -> None:
    FORMATS["onnx"].write(core, folder / "core.onnx")
    write_onnx(folder / "core.onnx", schema, folder / "model.onnx")


def _write_litert(core: Any, schema: DataSchema, folder: Path) -> None:  # noqa: ARG001 - as the other writers
    FORMATS["litert"].write(core, folder / "model.tflite")


_FORMATS: dict[FormatName, TableFormat] = {
    "keras": TableFormat("model.keras", "core.keras", _write_keras, run.load_keras),
    "saved-model": TableFormat("saved_model", "saved_model", _write_saved_model, run.load_saved_model),
    "onnx": TableFormat("model.onnx", "core.onnx", _write_onnx, run.load_onnx),
    "litert": TableFormat("model.tflite", "model.tflite", _write_litert, None),
}
