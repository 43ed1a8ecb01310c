"""A SavedModel that takes raw columns, each as one named input of its signature."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tuner.data.schema import DataSchema
from tuner.delivery.fronts.calendar import DAY, days_from_civil, parts_of_date
from tuner.delivery.fronts.columns import (
    BLANK,
    LABEL,
    PREDICTION,
    PROBABILITIES,
    WITH_POINT,
    code_of_missing,
    codes_of,
    missing_pattern,
    raw_columns,
    table_of,
)
from tuner.tables.dates import FIRST_YEAR, LAST_YEAR
from tuner.tables.encoder import LARGEST
from tuner.tables.inputs import UNSEEN, CodeInput, TableInput

ENCODED = "encoded"
"""Name of the signature that takes encoded rows."""

_ISO = r"(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.\d+)?)?Z?)?"
_NO_DATE = "0000-00-00"
_NO_CODE = -1


def write_saved_model(core: Any, schema: DataSchema, path: Path) -> None:
    """Write a SavedModel with two signatures.

    ``serving_default`` takes one tensor of shape ``(rows,)`` for each raw column: numbers as ``float32`` with NaN for
    missing ones, categories as text, dates as text in ISO 8601. It returns ``probabilities`` ``(rows, classes)`` and
    ``label`` ``(rows,)``; or ``prediction`` ``(rows,)`` if the target is a number. The signature
    ``encoded`` takes encoded rows, shape ``(rows, width)``, and returns the same.

    Args:
        core: A Keras model that takes encoded rows.
        schema: The schema of the table.
        path: The folder to write.
    """
    import tensorflow as tf

    table = table_of(schema)
    columns = raw_columns(table)
    types = {"number": tf.float32, "category": tf.string, "date": tf.string}
    with tempfile.TemporaryDirectory() as temporary:
        core.export(temporary, format="tf_saved_model", verbose=False)
        module = tf.Module()
        module.core = tf.saved_model.load(temporary)
        module.lookups = [_lookup_table(code) for code in table.codes]  # kept by the module, so that they are saved

        def serve(cells: Mapping[str, Any]) -> dict[str, Any]:
            raw = {column.name: cells[column.argument] for column in columns}
            return _outputs(module.core.serve(_encode(raw, table, module.lookups)), schema)

        signature = {
            column.argument: tf.TensorSpec((None,), types[column.kind], name=column.argument) for column in columns
        }
        module.serve = tf.function(serve)
        module.encoded = tf.function(lambda rows: _outputs(module.core.serve(rows), schema))
        signatures = {
            "serving_default": module.serve.get_concrete_function(signature),
            ENCODED: module.encoded.get_concrete_function(tf.TensorSpec((None, table.width), tf.float32, name="rows")),
        }
        # Gradients are of no use here, and those that JAX has written cannot be saved a second time.
        options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
        tf.saved_model.save(module, str(path), signatures=signatures, options=options)


def _outputs(predictions: Any, schema: DataSchema) -> dict[str, Any]:
    import tensorflow as tf

    if schema.numeric is not None:
        return {PREDICTION: predictions[:, 0]}
    label = tf.gather(tf.constant(schema.classes), tf.argmax(predictions, axis=1))
    return {PROBABILITIES: predictions, LABEL: label}


def _encode(raw: Mapping[str, Any], table: TableInput, lookups: list[Any]) -> Any:
    """Return encoded rows, shape ``(rows, width)``, as :func:`tuner.tables.encoder.encode` does."""
    import tensorflow as tf

    dates: dict[str, dict[str, Any]] = {}
    values = []
    for number in table.numbers:
        cells = raw[number.column]
        if number.part == "value":
            values.append(tf.where(tf.abs(cells) > LARGEST, tf.sign(cells) * LARGEST, cells))
            continue
        if number.column not in dates:
            dates[number.column] = _parts(cells)
        values.append(dates[number.column][number.part])
    for code, lookup in zip(table.codes, lookups, strict=True):
        values.append(tf.cast(_code(raw[code.column], code, lookup), tf.float32))
    return tf.stack(values, axis=1)


def _lookup_table(code: CodeInput) -> Any:
    import tensorflow as tf

    codes = codes_of(code) or {"": _NO_CODE}
    pairs = tf.lookup.KeyValueTensorInitializer(
        tf.constant(list(codes)), tf.constant(list(codes.values()), dtype=tf.int64)
    )
    return tf.lookup.StaticHashTable(pairs, _NO_CODE)


def _code(cells: Any, code: CodeInput, lookup: Any) -> Any:
    import tensorflow as tf

    texts = _stripped(cells)
    found = lookup.lookup(texts)
    found = tf.where(found == _NO_CODE, lookup.lookup(tf.strings.regex_replace(texts, f"^{WITH_POINT}$", r"\1")), found)
    missing = tf.strings.regex_full_match(cells, missing_pattern())
    other = tf.where(missing, tf.constant(code_of_missing(code), tf.int64), UNSEEN)
    return tf.where(found == _NO_CODE, other, found)


def _stripped(cells: Any) -> Any:
    import tensorflow as tf

    return tf.strings.regex_replace(cells, f"^{BLANK}+|{BLANK}+$", "")


def _parts(cells: Any) -> dict[str, Any]:
    """Return all parts of dates as ``float32``, NaN where the text is no date."""
    import tensorflow as tf

    texts = _stripped(cells)
    texts = tf.where(tf.strings.regex_full_match(texts, _ISO), texts, _NO_DATE)
    year, month, day, hour, minute, second = (
        # A zero in front, because a time without seconds has no text for them.
        tf.strings.to_number(tf.strings.regex_replace(texts, f"^{_ISO}$", rf"0\{group}"), tf.int64)
        for group in range(1, 7)
    )
    seconds = days_from_civil(year, month, day) * DAY + hour * 3600 + minute * 60 + second
    parts = parts_of_date(seconds)
    given = {"year": year, "month": month, "day": day, "hour": hour, "minute": minute}
    valid = (year >= FIRST_YEAR) & (year <= LAST_YEAR) & (second < 60)  # noqa: PLR2004 - seconds of a minute
    for part, value in given.items():  # differs for days such as February 30
        valid &= parts[part] == value
    days = tf.cast(seconds, tf.float64) / DAY
    return {
        name: tf.where(valid, tf.cast(value, tf.float32), float("nan"))
        for name, value in {**parts, "days": days}.items()
    }
