"""An ONNX file that takes raw columns: a front of text operators, joined to the model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tuner.data.schema import DataSchema
from tuner.delivery.fronts.calendar import DAY, MISSING_DATE, parts_of_date
from tuner.delivery.fronts.columns import (
    LABEL,
    PREDICTION,
    PROBABILITIES,
    WITH_POINT,
    RawColumn,
    code_of_missing,
    codes_of,
    is_whole,
    missing_pattern,
    raw_columns,
    table_of,
    with_blanks,
)
from tuner.delivery.fronts.onnx_graph import ML_OPSET, OPSET, Graph, Value
from tuner.tables.encoder import LARGEST
from tuner.tables.inputs import UNSEEN, CodeInput, TableInput

_NO_CODE = -1
_REGULAR = " *[^ ]+(?: [^ ]+)* *"  # a text in which no two blanks follow each other
_END = "\ue000"  # stands after the words of a text; a private character of Unicode, which no category has
_IR = 10  # version of the file format; that of OPSET needs 9


def write_onnx(core: Path, schema: DataSchema, path: Path) -> None:
    """Join an ONNX file that takes encoded rows to a front that takes raw columns.

    Each raw column is an input of shape ``(rows, 1)``: numbers as ``float`` with NaN for missing
    ones, categories as ``string``, dates as ``int64`` seconds since 1970 with :data:`MISSING_DATE` for missing ones.
    The outputs are ``probabilities``, shape ``(rows, classes)``, and ``label``, shape ``(rows,)``; or ``prediction``,
    shape ``(rows, 1)``, if the target is a number. ONNX has no operator that removes blanks of all kinds, so only
    spaces are removed from the ends of a category.

    Args:
        core: The file that takes encoded rows, shape ``(rows, width)``.
        schema: The schema of the table.
        path: The file to write.
    """
    import onnx
    from onnx import helper, version_converter

    table = table_of(schema)
    columns = raw_columns(table)
    model = onnx.compose.add_prefix(version_converter.convert_version(onnx.load(core), OPSET), "model/")
    graph = Graph("front/")
    raw = {column.name: Value(graph, column.argument) for column in columns}
    _encode(graph, raw, table, output=model.graph.input[0].name)
    begin = list(graph.nodes)
    graph.nodes.clear()
    outputs = _outputs(graph, model.graph.output[0], schema)
    joined = helper.make_graph(
        [*begin, *model.graph.node, *graph.nodes],
        "table",
        [helper.make_tensor_value_info(column.argument, _tensor_type(column), ["rows", 1]) for column in columns],
        outputs,
        [*graph.constants, *model.graph.initializer],
    )
    imports = [helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", ML_OPSET)]
    saved = helper.make_model(joined, opset_imports=imports, ir_version=_IR, producer_name="tuner")
    onnx.checker.check_model(saved)
    onnx.save(saved, path)


def _tensor_type(column: RawColumn) -> int:
    from onnx import TensorProto

    types = {"number": TensorProto.FLOAT, "category": TensorProto.STRING, "date": TensorProto.INT64}
    return int(types[column.kind])


def _outputs(graph: Graph, predictions: Any, schema: DataSchema) -> list[Any]:
    """Add the nodes of the outputs, and return their descriptions."""
    from onnx import TensorProto, helper

    def described(name: str, value: Value, kind: int, shape: list[str | int]) -> Any:
        graph.node("Identity", value, output=name)
        return helper.make_tensor_value_info(name, kind, shape)

    value = Value(graph, predictions.name)
    if schema.numeric is not None:
        return [described(PREDICTION, value, TensorProto.FLOAT, ["rows", 1])]
    best = graph.node("ArgMax", value, axis=1, keepdims=0)
    label = graph.node("Gather", graph.constant(list(schema.classes)), best)
    return [
        described(PROBABILITIES, value, TensorProto.FLOAT, ["rows", len(schema.classes)]),
        described(LABEL, label, TensorProto.STRING, ["rows"]),
    ]


def _encode(graph: Graph, raw: dict[str, Value], table: TableInput, output: str) -> None:
    """Add the nodes that encode rows as :func:`tuner.tables.encoder.encode` does."""
    dates: dict[str, dict[str, Value]] = {}
    values = []
    for number in table.numbers:
        cells = raw[number.column]
        if number.part == "value":
            values.append(_clipped(graph, cells))
            continue
        if number.column not in dates:
            dates[number.column] = _parts(graph, cells)
        values.append(dates[number.column][number.part])
    values.extend(graph.cast(_code(graph, raw[code.column], code), np.float32) for code in table.codes)
    graph.node("Concat", *values, output=output, axis=1)


def _clipped(graph: Graph, cells: Value) -> Value:
    large = graph.constant(np.float32(LARGEST))
    limit = graph.node("Mul", graph.node("Sign", cells), large)
    return graph.where(graph.node("Greater", graph.node("Abs", cells), large), limit, cells)


def _parts(graph: Graph, seconds: Value) -> dict[str, Value]:
    """Return all parts of dates as ``float``, NaN where the date is missing."""
    missing = graph.equal(seconds, MISSING_DATE)
    known = graph.where(missing, graph.constant(np.int64(0)), seconds)
    days = graph.node("Div", graph.cast(known, np.float64), graph.constant(np.float64(DAY)))
    parts: dict[str, Value] = {**parts_of_date(known), "days": days}
    nan = graph.constant(np.float32("nan"))
    return {name: graph.where(missing, nan, graph.cast(part, np.float32)) for name, part in parts.items()}


def _code(graph: Graph, cells: Value, code: CodeInput) -> Value:
    """Return the code of each text, shape ``(rows, 1)``, ``int64``."""
    codes = codes_of(code)
    found = _looked_up(graph, cells, codes)
    if any(map(is_whole, codes)):
        with_point = graph.node("RegexFullMatch", cells, pattern=f" *{WITH_POINT} *")
        ended = graph.node("StringConcat", cells, graph.constant(["."]))
        before_point = _word(graph, graph.node("StringSplit", ended, delimiter="."), 0)
        number = _looked_up(graph, graph.where(with_point, before_point, cells), codes)
        found = graph.where(graph.equal(found, _NO_CODE), number, found)
    missing = graph.node("RegexFullMatch", cells, pattern=missing_pattern())
    other = graph.where(missing, graph.constant(np.int64(code_of_missing(code))), graph.constant(np.int64(UNSEEN)))
    return graph.where(graph.equal(found, _NO_CODE), other, found)


def _looked_up(graph: Graph, cells: Value, codes: dict[str, int]) -> Value:
    """Return the code of each text with spaces around it, ``_NO_CODE`` if there is none.

    A text is split at its spaces, and the words are joined with one space between two. A category with two spaces in a
    row would be lost so: it is found with at most one space before and after it.
    """
    regular = {text: number for text, number in codes.items() if "  " not in text}
    most = max((len(text.split(" ")) for text in regular), default=0) + 1
    keys = {" ".join([*words, *[_END] * (most - len(words))]): codes[" ".join(words)] for words in map(_split, regular)}
    ends = graph.constant(["".join(f" {_END}" for _ in range(most))])
    words = graph.node("StringSplit", graph.node("StringConcat", cells, ends), delimiter="")
    joined = _word(graph, words, 0)
    for position in range(1, most):
        spaced = graph.node("StringConcat", graph.constant([" "]), _word(graph, words, position))
        joined = graph.node("StringConcat", joined, spaced)
    is_regular = graph.node("RegexFullMatch", cells, pattern=_REGULAR)
    found = graph.where(is_regular, _label(graph, joined, keys), graph.constant(np.int64(_NO_CODE)))
    others = with_blanks({text: number for text, number in codes.items() if text not in regular})
    return graph.where(graph.equal(found, _NO_CODE), _label(graph, cells, others), found) if others else found


def _split(text: str) -> list[str]:
    return text.split(" ")


def _word(graph: Graph, words: Value, position: int) -> Value:
    """Return a word of each text that was split, shape ``(rows, 1)``."""
    return graph.node("Gather", words, graph.constant(np.int64(position)), axis=2)


def _label(graph: Graph, texts: Value, codes: dict[str, int]) -> Value:
    known = codes or {"": _NO_CODE}
    return graph.node(
        "LabelEncoder", texts, keys_strings=list(known), values_int64s=list(known.values()), default_int64=_NO_CODE
    )
