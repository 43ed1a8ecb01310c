"""Writes ``MODEL_CARD.md``: what an exported model is, for people. It never changes what the model does."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tuner.config.data_files import is_data_file
from tuner.data.schema import DataSchema
from tuner.delivery.fronts.columns import RawColumn, raw_columns, table_of
from tuner.delivery.manifest import FormatEntry, FormatName, Manifest
from tuner.printable import escaped

_MEANINGFUL = re.compile(r"[\\`*_{}\[\]<>#|~&!$^@:+=\"]|(?<=www)\.")  # for Markdown, or for what shows it
_SHOWN = 12  # categories or classes
_DIGITS = 6


def model_card(manifest: Manifest, splits: Sequence[str]) -> str:
    """Return the model card as Markdown. Names from the data are escaped: they are shown as they are.

    Args:
        manifest: The manifest of the export.
        splits: How the rows were split, one line each.
    """
    table = manifest.table
    blocks = [
        [f"# {as_text(manifest.study)}: trial {manifest.trial}", "", _summary(manifest)],
        ["## Data", "", *_data(manifest), *(f"- {as_text(line)}" for line in splits)],
        ["## Input", "", *(_array_input(manifest) if table is None else _table_input(table))],
        ["## Output", "", *_output(manifest)],
        ["## Metrics", "", *_metrics(manifest)],
        ["## Hyperparameters", "", *_pairs(("parameter", "value"), manifest.params)],
        ["## Limits", "", *(f"- {line}" for line in _limits(manifest))],
        ["## Use", "", *_use(manifest)],
    ]
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"


def as_text(text: object) -> str:
    """Return a text so that Markdown shows it as it is, on one line."""
    return _MEANINGFUL.sub(r"\\\g<0>", escaped(str(text)))


def _summary(manifest: Manifest) -> str:
    kind = {"regression": "predicts a number", "binary": "predicts one of two classes"}
    what = kind.get(manifest.task, f"predicts one of {len(manifest.class_names)} classes")
    refit = "" if manifest.refit is None else f" It was trained again on all {manifest.refit.rows:,} rows."
    if manifest.ensemble:
        members = ", ".join(f"{member.number} ({member.weight:.0%})" for member in manifest.ensemble)
        refit = f" It averages {len(manifest.ensemble)} models, those of the trials {members}."
    return (
        f"A neural network (MLP) with {manifest.parameters:,} weights that {what}. It was found by tuner "
        f"{as_text(manifest.versions.tuner)} and exported on {manifest.created:%Y-%m-%d}.{refit}"
    )


def _data(manifest: Manifest) -> Iterator[str]:
    name = manifest.data.name
    yield f"- data: {as_text(Path(name).name if is_data_file(name) else name)}"
    yield f"- fingerprint (SHA-256): {manifest.data.fingerprint}"


def _array_input(manifest: Manifest) -> Iterator[str]:
    spec = manifest.input
    yield f"Rows of shape {spec.shape}, {spec.dtype}: raw values. The preprocessing is part of the model."
    if spec.columns is not None:
        yield ""
        yield f"Columns: {_listed(spec.columns)}"


def _table_input(schema: DataSchema) -> Iterator[str]:
    yield "Raw columns. The preprocessing is part of the model."
    yield ""
    yield "| column | input | what it is | what becomes of it |"
    yield "|---|---|---|---|"
    for column in raw_columns(table_of(schema)):
        kind, becomes = _column(column, schema)
        yield f"| {as_text(column.name)} | {as_text(column.argument)} | {kind} | {becomes} |"


def _column(column: RawColumn, schema: DataSchema) -> tuple[str, str]:
    """Return what a column holds, and what becomes of it."""
    table = table_of(schema)
    if column.kind == "category":
        code = next(code for code in table.codes if code.column == column.name)
        how = "a learned vector for each" if code.embedded else "a feature for each"
        if len(code.one_hot) == 1:
            how = "one feature, -1 or 1"
        missing = "; a missing value is one more" if code.missing else ""
        return f"category: {_listed(code.vocabulary)}", f"{how}{missing}"
    numbers = [number for number in table.numbers if number.column == column.name]
    if column.kind == "date":
        return "date", f"its parts: {', '.join(number.part for number in numbers)}"
    filled = f"missing: {numbers[0].fill:.{_DIGITS}g}" + (" and a flag" if numbers[0].indicator else "")
    return "number", f"scaled and squashed; {filled}"


def _output(manifest: Manifest) -> Iterator[str]:
    table = manifest.table
    target = "" if table is None or table.target is None else f" of {as_text(table.target)}"
    if table is not None and table.numeric is not None:
        numeric = table.numeric
        yield (
            f"A number{target}, in its units. In the training rows: mean {numeric.mean:.{_DIGITS}g}, deviation "
            f"{numeric.deviation:.{_DIGITS}g}, from {numeric.smallest:.{_DIGITS}g} to {numeric.largest:.{_DIGITS}g}."
        )
    else:
        yield f"The probability{target} of each class, in this order: {_listed(manifest.class_names)}"


def _metrics(manifest: Manifest) -> Iterator[str]:
    yield f"The search compared trials by {as_text(manifest.objective.name)} ({manifest.objective.direction})."
    if manifest.refit is not None:
        yield "The metrics of the validation rows are those of the trial before it was trained again."
    test = manifest.test or {}
    validation = {name: value for name, value in manifest.metrics.items() if name.startswith("val_")}
    yield ""
    if manifest.intervals:
        yield "| metric | value | 95 % interval |"
        yield "|---|---|---|"
        for name, value in validation.items():
            yield f"| {as_text(name)} | {_shown(value)} | |"
        for name, value in test.items():
            ends = " to ".join(_shown(end) for end in manifest.intervals.get(name, ()))
            yield f"| {as_text(f'test_{name}')} | {_shown(value)} | {ends} |"
        yield ""
        yield "The intervals are those of the bootstrap over the test rows."
    else:
        yield from _pairs(("metric", "value"), {**validation, **{f"test_{name}": test[name] for name in test}})
    if not test:
        yield ""
        yield "The model was not measured on test rows."
    elif not manifest.intervals:
        yield ""
        yield "`tuner evaluate` computes 95 % intervals."


def _pairs(names: tuple[str, str], values: Mapping[str, object]) -> Iterator[str]:
    yield f"| {names[0]} | {names[1]} |"
    yield "|---|---|"
    for name, value in values.items():
        yield f"| {as_text(name)} | {_shown(value)} |"


def _shown(value: object) -> str:
    return f"{value:.{_DIGITS}g}" if isinstance(value, float) else as_text(value)


def _limits(manifest: Manifest) -> Iterator[str]:
    yield "The metrics hold for rows like those of the data above. For others, measure the model again."
    table = manifest.table
    if table is None:
        yield "Values far outside those of the training rows give predictions that nothing supports."
        return
    yield "A category that no training row has counts as unseen: it changes no feature of its column."
    yield "A missing number is replaced by the median of the training rows."
    yield "Numbers far outside the training rows are squashed, so the model hardly tells them apart."
    if table.numeric is not None:
        yield "The model cannot be trusted far outside the range of the target in the training rows."


def _use(manifest: Manifest) -> Iterator[str]:
    yield (
        "    tuner predict FOLDER new.csv -o predictions.csv" if manifest.table else "    tuner predict FOLDER new.npy"
    )
    for name, entry in manifest.formats.items():
        yield from ("", f"{name}:", "", "```python", *_loading(name, entry, table=manifest.table is not None), "```")
    if manifest.table is not None:
        yield ""
        yield "`columns.json` describes the columns and how rows are encoded for the files that take encoded rows."


def _loading(name: FormatName, entry: FormatEntry, *, table: bool) -> Sequence[str]:
    """Return three lines of Python that run a format."""
    raw = table and entry.encoded != entry.path
    rows = "rows"
    if name == "keras":
        given = "{name: tf.constant(cells)[:, None] for name, cells in columns.items()}" if raw else rows
        first = "import keras, tensorflow as tf" if raw else "import keras"
        return (first, f'model = keras.saving.load_model("{entry.path}")', f"print(model({given}))")
    if name == "saved-model":
        call = 'model.signatures["serving_default"](**columns)' if table else "model.serve(rows)"
        return ("import tensorflow as tf", f'model = tf.saved_model.load("{entry.path}")', f"print({call})")
    if name == "onnx":
        given = "columns" if raw else "{session.get_inputs()[0].name: rows}"
        load = f'session = onnxruntime.InferenceSession("{entry.path}")'
        return ("import onnxruntime", load, f"print(session.run(None, {given}))")
    return (
        "from ai_edge_litert.interpreter import Interpreter",
        f'runner = Interpreter("{entry.path}").get_signature_runner()',
        f"print(runner(**{{next(iter(runner.get_input_details())): {rows}}}))",
    )


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return ", ".join(as_text(name) for name in names[:_SHOWN]) + more
