"""A Keras model that takes raw columns, made of Keras' own layers. It runs with TensorFlow only."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np

from tuner.data.schema import DataSchema
from tuner.delivery.fronts.calendar import DAY, MISSING_DATE, parts_of_date
from tuner.delivery.fronts.columns import code_of_missing, codes_of, is_whole, raw_columns, table_of, with_blanks
from tuner.tables.encoder import LARGEST
from tuner.tables.inputs import UNSEEN, CodeInput, TableInput
from tuner.tables.missing import MISSING

_TYPES = {"number": "float32", "category": "string", "date": "int64"}
_POINTS = (".0", ".", ".00")  # after a category that is a whole number


def write_keras(core: Any, schema: DataSchema, path: Path) -> None:
    """Write a ``.keras`` file that takes a dictionary of raw columns.

    The keys are the names of the inputs, see :class:`tuner.delivery.fronts.columns.RawColumn`. Each value has the shape
    ``(rows, 1)``: numbers as ``float32`` with NaN for missing ones, categories as text, dates as ``int64`` seconds
    since 1970 with :data:`MISSING_DATE` for missing ones. Keras has no layer that removes blanks, so a category has at
    most one blank at each end.

    Args:
        core: A Keras model that takes encoded rows, shape ``(rows, width)``.
        schema: The schema of the table.
        path: The file to write.
    """
    import keras

    table = table_of(schema)
    columns = raw_columns(table)
    inputs = {c.argument: keras.Input((1,), dtype=_TYPES[c.kind], name=c.argument) for c in columns}
    cells = {c.name: inputs[c.argument] for c in columns}
    keras.Model(inputs, core(_encode(cells, table))).save(path)


def _encode(raw: dict[str, Any], table: TableInput) -> Any:
    from keras import ops

    dates: dict[str, dict[str, Any]] = {}
    values = []
    for number in table.numbers:
        cells = raw[number.column]
        if number.part == "value":
            values.append(ops.where(ops.abs(cells) > LARGEST, ops.sign(cells) * LARGEST, cells))
            continue
        if number.column not in dates:
            dates[number.column] = _parts(cells)
        values.append(dates[number.column][number.part])
    values.extend(_code(raw[code.column], code) for code in table.codes)
    return ops.concatenate(values, axis=1) if len(values) > 1 else values[0]


def _parts(seconds: Any) -> dict[str, Any]:
    from keras import ops

    missing = ops.equal(seconds, MISSING_DATE)
    known = ops.where(missing, ops.zeros_like(seconds), seconds)
    parts: dict[str, Any] = {**parts_of_date(known), "days": ops.cast(known, "float64") / DAY}
    return {name: ops.where(missing, float("nan"), ops.cast(part, "float32")) for name, part in parts.items()}


def _code(cells: Any, code: CodeInput) -> Any:
    import keras

    keys = _keys(code)
    lookup = keras.layers.StringLookup(vocabulary=list(keys), num_oov_indices=1)
    codes = np.array([UNSEEN, *keys.values()], np.float32)
    return keras.ops.take(codes, lookup(cells))


def _keys(code: CodeInput) -> dict[str, int]:
    """Return all texts that are looked up, with their codes."""
    codes = codes_of(code)
    whole = {f"{text}{end}": codes[text] for text in codes if is_whole(text) for end in _POINTS}
    missing = {text: code_of_missing(code) for word in MISSING for text in _capitals(word)}
    keys: dict[str, int] = {}
    for texts in (codes, whole, missing):  # what comes first counts
        keys = {**with_blanks(texts), **keys}
    return keys


def _capitals(word: str) -> set[str]:
    """Return all ways to write a word with small and capital letters."""
    return {"".join(letters) for letters in itertools.product(*zip(word.lower(), word.upper(), strict=True))}
