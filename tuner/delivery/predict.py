"""Predicts with an export, in the format that starts fastest, and writes the result as CSV or JSON."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from tuner.delivery.formats import FORMATS, Format, Probabilities, Rows, load_runner
from tuner.delivery.manifest import FormatName, Manifest, read_manifest
from tuner.delivery.rows import fit_rows
from tuner.errors import RunError, UsageError, did_you_mean
from tuner.files import atomic_path

AUTO = "auto"
# Sorted by import time: 0.1 s, 0.1 s, 10 s, 10 s. All give the same result: the export has compared them.
FASTEST_FIRST: tuple[FormatName, ...] = ("onnx", "litert", "keras", "saved-model")


@dataclass(frozen=True, slots=True)
class Prediction:
    """Class probabilities of rows.

    Attributes:
        class_names: The names of the classes.
        probabilities: Shape ``(rows, classes)``.
        runtime: The format that was run.
    """

    class_names: tuple[str, ...]
    probabilities: Probabilities
    runtime: FormatName

    @property
    def labels(self) -> list[str]:
        """The name of the most probable class of each row."""
        return [self.class_names[i] for i in self.probabilities.argmax(axis=1)]

    def write(self, stream: TextIO, *, as_json: bool) -> None:
        """Write all rows to an open stream, as JSON or CSV."""
        if as_json:
            self.write_json(stream)
        else:
            self.write_csv(stream)

    def write_csv(self, stream: TextIO) -> None:
        """Write one line per row: ``prediction``, then ``p_<class>`` for each class."""
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["prediction", *(f"p_{name}" for name in self.class_names)])
        digits = self.probabilities.astype(str)  # the shortest text that is read back as the same float32
        writer.writerows([label, *row] for label, row in zip(self.labels, digits.tolist(), strict=True))

    def write_json(self, stream: TextIO) -> None:
        """Write an array with one object per row: ``prediction`` and ``probabilities`` by class name."""
        digits = self.probabilities.astype(str).astype(float)
        rows = [
            {"prediction": label, "probabilities": dict(zip(self.class_names, row, strict=True))}
            for label, row in zip(self.labels, digits.tolist(), strict=True)
        ]
        json.dump(rows, stream, indent=2, ensure_ascii=False, allow_nan=False)
        stream.write("\n")

    def save(self, path: Path, *, as_json: bool) -> None:
        """Write a file that is either complete or absent; an existing file is replaced once the new one is complete.

        Raises:
            UsageError: If ``path`` exists and is not a file.
            RunError: If the file cannot be written.
        """
        target = path.resolve()  # keeps a link, and replaces its target
        if target.exists() and not target.is_file():
            raise UsageError(f"{path} is not a file", hint="without -o, the result goes to standard output")
        try:
            with atomic_path(target) as temporary, temporary.open("w", encoding="utf-8", newline="") as stream:
                self.write(stream, as_json=as_json)
        except OSError as error:
            raise RunError(f"cannot write {path}: {error.strerror or error}") from error


def predict(folder: Path, rows: Rows, *, runtime: str = AUTO) -> Prediction:
    """Run an exported model on raw rows, after checking every checksum.

    Args:
        folder: The export.
        rows: Raw values, shape ``(rows, *input shape)``; :mod:`tuner.delivery.readers` loads them from files.
        runtime: A format of the export, or ``auto`` for the installed one that starts fastest.

    Raises:
        UsageError: If ``folder`` is not an export, or the runtime is not in it or not installed.
        DataError: If the rows do not fit the model.
        RunError: If a checksum differs or the model does not run.
    """
    manifest = read_manifest(folder)
    model_format = _choose(manifest, runtime)
    raw = fit_rows(rows, manifest.input, "the input")
    probabilities = load_runner(model_format, folder / manifest.formats[model_format.name].path)(raw)
    if probabilities.shape[1] != len(manifest.class_names):
        raise RunError(
            f"the model has {probabilities.shape[1]} outputs, its manifest {len(manifest.class_names)} classes"
        )
    return Prediction(manifest.class_names, probabilities, model_format.name)


def _choose(manifest: Manifest, runtime: str) -> Format:
    present = [FORMATS[name] for name in FASTEST_FIRST if name in manifest.formats]
    if runtime == AUTO:
        # If none is installed, `require` below names what to install for the last one.
        chosen = next((candidate for candidate in present if not candidate.missing(writing=False)), present[-1])
    else:
        by_name: dict[str, Format] = {candidate.name: candidate for candidate in present}
        if runtime not in by_name:
            raise UsageError(f"the exported model has no format '{runtime}'", hint=did_you_mean(runtime, by_name))
        chosen = by_name[runtime]
    chosen.require(writing=False)
    return chosen
