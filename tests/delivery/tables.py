"""Tables with everything that a column can hold, and small models for them."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from tuner.data.schema import DataSchema
from tuner.delivery.export import ModelFacts, export_model
from tuner.delivery.fronts.columns import table_of
from tuner.delivery.manifest import Manifest
from tuner.delivery.table_formats import TableSample
from tuner.files import sha256_of
from tuner.tables.encoder import encode
from tuner.tables.inputs import CodeInput, NumberInput, NumericTarget, Part, TableInput
from tuner.tables.schema import NumberStyle

ALL_FORMATS = ("keras", "saved-model", "onnx", "litert")
PARTS: tuple[Part, ...] = ("days", "year", "month", "day", "weekday", "hour", "minute")
NUMBERS = (
    NumberInput(column="size", fill=1.0, indicator=True),
    NumberInput(column="Net Price", fill=2.0, written=NumberStyle(decimal=",", thousands=".")),
    *(NumberInput(column="day/hour", part=part, fill=0.0, date_format="%d.%m.%Y %H:%M") for part in PARTS),
)
CODES = (
    CodeInput(column="colour", vocabulary=("red", "dark blue", "grün", '"q"'), missing=True),
    CodeInput(column="Size", vocabulary=("1", "2", "30"), missing=False),
    CodeInput(
        column="wifi", vocabulary=("Yes", "No"), spellings={"YES": "Yes", "yes": "Yes", "no": "No"}, missing=False
    ),
    CodeInput(column="country", vocabulary=("DE", "NA", "FR", "US"), missing=True, embedded=True),
)

ROWS: dict[str, list[Any]] = {
    "size": ["1.5", " 2 ", "", "NA", "inf", "-1e300", "abc", "0.25"],
    "Net Price": ["1.234,5", "7", "?", "-3,25", "1e400", "", " ", "0"],
    "day/hour": ["29.02.2024 23:59", "01.01.1970 00:00", "", "31.12.1899 12:30", "30.02.2024 01:00", "none",
                 "01.03.2100 05:06", "28.02.1900 00:01"],
    "colour": ["red", " dark blue ", "grün", '"q"', "", "N/A", "  ", "pink"],
    "Size": ["1", "2.0", "30.", "3", "", "30", "nan", "02"],
    "wifi": ["Yes", "YES", "no", " No", "maybe", "", "yes", "No"],
    "country": ["DE", "NA", "na", "fr", "US ", "XX", "", "FR"],
}  # fmt: skip


ODD = CodeInput(
    column="odd",
    vocabulary=(
        "a  b",
        "x\ty",
        "a.b",
        "(c|d)*",
        "007",
        "-5",
        "é\u00e8",
        "\U0001f600",
        "a,b;c",
        "\\",
        "one of four words",
    ),
    missing=True,
)
"""Categories with blanks, signs of regular expressions, quotes and letters of other alphabets."""


def frame(rows: dict[str, list[Any]] | None = None) -> pl.DataFrame:
    """Return raw rows as text: missing, unseen, blank and impossible cells, and odd spellings."""
    return pl.DataFrame({name: pl.Series(cells, dtype=pl.String) for name, cells in (rows or ROWS).items()})


def table_input(numbers: tuple[NumberInput, ...] = NUMBERS, codes: tuple[CodeInput, ...] = CODES) -> TableInput:
    """Return the input of a model; its scales are not used by the models here."""
    draft = TableInput.model_construct(numbers=numbers, codes=codes)
    return TableInput(numbers=numbers, codes=codes, center=(0.0,) * draft.features, scale=(1.0,) * draft.features)


def schema(
    *, regression: bool = False, table: TableInput | None = None, classes: tuple[str, ...] = ("no", "yes", "ü,")
) -> DataSchema:
    """Return a schema with a numeric target or with classes."""
    table = table or table_input()
    target = NumericTarget(mean=10.0, deviation=2.0, smallest=0.0, largest=20.0)
    return DataSchema(
        kind="table",
        shape=(table.width,),
        dtype="float32",
        table=table,
        target="price" if regression else "label",
        classes=() if regression else classes,
        numeric=target if regression else None,
    )


def core(schema: DataSchema) -> Any:
    """Return an untrained model from encoded rows to predictions, of layers that the trained ones have."""
    import keras
    from keras import ops

    keras.utils.set_random_seed(1)
    table = schema.table
    assert table is not None
    rows = keras.Input((table.width,), dtype="float32", name="rows")
    count = len(table.numbers)
    pieces = ops.split(rows, [count, *range(count + 1, table.width)], axis=1) if table.codes else [rows]
    parts = []
    if count:
        missing = ops.isnan(pieces[0])
        filled = ops.where(missing, np.array([number.fill for number in table.numbers], np.float32), pieces[0])
        scaled = ops.clip(ops.multiply(filled, 0.02), -1e6, 1e6)
        squashed = ops.divide(scaled, ops.sqrt(ops.add(ops.square(ops.divide(scaled, 3.0)), 1.0)))
        parts += [squashed, ops.cast(missing, "float32")]
    for code, piece in zip(table.codes, pieces[1:], strict=True):
        codes = ops.cast(piece, "int32")
        vectors = keras.layers.Embedding(code.codes, 3, embeddings_initializer=keras.initializers.RandomNormal(0, 1))
        parts.append(keras.layers.Flatten()(vectors(codes)))
    joined = keras.layers.Concatenate()(parts) if len(parts) > 1 else parts[0]
    hidden = keras.layers.Activation("mish")(keras.layers.Dense(16)(joined))
    outputs = keras.layers.Dense(schema.outputs)(hidden)
    outputs = keras.layers.Softmax()(outputs) if schema.numeric is None else keras.layers.Rescaling(2.0, 10.0)(outputs)
    return keras.Model(rows, outputs)


def sample_of(schema: DataSchema) -> TableSample:
    """Return the rows of :data:`ROWS`."""
    return TableSample(schema, encode(frame().to_dict(), table_of(schema)).rows, ROWS)


def write(model: Path, schema: DataSchema, folder: Path, facts: ModelFacts, **changes: Any) -> Manifest:
    """Export a model for a table."""
    facts = dataclasses.replace(
        facts,
        task=schema.task.name,
        scale=1.0,
        class_names=schema.classes,
        table=schema,
        test={"loss": 0.5, "rmse": 1.25},
        splits=("validation: 20% of the training rows",),
    )
    settings = {"formats": ALL_FORMATS, "sample": sample_of(schema), "facts": facts, **changes}
    return export_model(model, sha256_of(model), folder, **settings)
