"""Writes predictions as CSV or JSON, batch after batch."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO

from tuner.delivery.predict import Prediction
from tuner.output_file import OutputFile
from tuner.spreadsheet import safe_cell

_START = re.compile(
    rb'(?:file,)?prediction(?:,"?p_|\r?\n)|\[\s*\{\s*(?:"file": "(?:[^"\\]|\\.)*",\s*)?"prediction":',
)
_LONGEST_START = 10_000  # bytes; the name of a file may be long


def write_predictions(predictions: Iterable[Prediction], stream: TextIO, *, as_json: bool, proba: bool = True) -> int:
    """Write predictions to an open stream as they come, so that memory does not depend on the number of rows.

    CSV has one line per row: the columns that were kept, ``file`` if the rows are told apart by their files,
    ``prediction``, then ``p_<class>`` for each class. JSON is an array with one object per line: the same, but
    ``probabilities`` by class name. The numbers are the shortest texts that are read back as the same float32. In CSV,
    a name that a spreadsheet would run as a formula gets a leading apostrophe.

    Args:
        predictions: The predictions.
        stream: Where to write.
        as_json: Write JSON.
        proba: Write the probabilities of classes.

    Returns:
        The number of rows.
    """
    return (_write_json if as_json else _write_csv)(predictions, stream, proba=proba)


def save_predictions(
    predictions: Iterable[Prediction], output: OutputFile, *, as_json: bool, proba: bool = True
) -> int:
    """Write a file that is either complete or absent; an existing file is replaced once the new one is complete.

    Returns:
        The number of rows.

    Raises:
        UsageError: If the file must not be written.
        RunError: If the file cannot be written.
    """
    with output.text() as stream:
        return write_predictions(predictions, stream, as_json=as_json, proba=proba)


def is_prediction(path: Path) -> bool:
    """Return whether a file begins like one that :func:`save_predictions` wrote, as CSV or JSON."""
    with path.open("rb") as file:
        return _START.match(file.read(_LONGEST_START)) is not None


def _write_csv(predictions: Iterable[Prediction], stream: TextIO, *, proba: bool) -> int:
    writer = csv.writer(stream, lineterminator="\n")
    rows = 0
    for prediction in predictions:
        columns = _columns(prediction, proba=proba)
        if not rows:
            writer.writerow([safe_cell(name) for name, _ in columns])
        writer.writerows(zip(*(cells for _, cells in columns), strict=True))
        rows += len(columns[-1][1])
    return rows


def _columns(prediction: Prediction, *, proba: bool) -> list[tuple[str, Sequence[object]]]:
    """Return the columns of the CSV file with their names."""
    columns: list[tuple[str, Sequence[object]]] = []
    for name, cells in (prediction.kept or {}).items():
        columns.append((name, [safe_cell(cell) for cell in cells]))
    if prediction.files is not None:
        columns.append(("file", [safe_cell(_printable(file)) for file in prediction.files]))
    if prediction.numbers is not None:
        return [*columns, ("prediction", prediction.numbers.astype(str).tolist())]
    labels = {name: safe_cell(name) for name in prediction.class_names}
    columns.append(("prediction", [labels[label] for label in prediction.labels]))
    if proba:
        digits = prediction.probabilities.astype(str).T.tolist()
        columns.extend((f"p_{name}", cells) for name, cells in zip(prediction.class_names, digits, strict=True))
    return columns


def _write_json(predictions: Iterable[Prediction], stream: TextIO, *, proba: bool) -> int:
    rows = 0
    for prediction in predictions:
        for row in _objects(prediction, proba=proba):
            stream.write(",\n" if rows else "[\n")
            stream.write(json.dumps(row, ensure_ascii=False, allow_nan=False, default=str))
            rows += 1
    stream.write("\n]\n")
    return rows


def _objects(prediction: Prediction, *, proba: bool) -> Iterator[dict[str, Any]]:
    kept = prediction.kept or {}
    values: Sequence[object] = prediction.labels if prediction.class_names else _floats(prediction.numbers)
    digits = _floats(prediction.probabilities)
    for i, value in enumerate(values):
        row: dict[str, Any] = {name: cells[i] for name, cells in kept.items()}
        if prediction.files is not None:
            row["file"] = _printable(prediction.files[i])
        row["prediction"] = value
        if proba and prediction.class_names:
            row["probabilities"] = dict(zip(prediction.class_names, digits[i], strict=True))
        yield row


def _floats(values: Any) -> list[Any]:
    """Return numbers of 64 bits with the shortest texts that are read back as the same float32."""
    return [] if values is None else values.astype(str).astype(float).tolist()


def _printable(name: str) -> str:
    """Return a file name without bytes that are no UTF-8 text, which Python keeps as lone surrogates."""
    return name.encode("utf-8", "backslashreplace").decode("utf-8")
