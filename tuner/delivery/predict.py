"""Predicts with an export, in the format that starts fastest."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuner.delivery.checked_files import private_format, read_manifest
from tuner.delivery.formats import FORMATS, Format, Predictions, Rows, Runner, load_runner
from tuner.delivery.manifest import FormatName, Manifest
from tuner.delivery.rows import Batch, fit_rows
from tuner.delivery.table_rows import frame_batches
from tuner.errors import RunError, UsageError, did_you_mean
from tuner.paths import StrPath, user_path

_log = logging.getLogger(__name__)

AUTO = "auto"
# Sorted by import time: 0.1 s, 0.1 s, 10 s, 10 s. All give the same result: the export has compared them.
FASTEST_FIRST: tuple[FormatName, ...] = ("onnx", "litert", "keras", "saved-model")


@dataclass(frozen=True, slots=True)
class Prediction:
    """Predictions of rows.

    Attributes:
        class_names: The names of the classes; none if the target is a number.
        probabilities: Probabilities of the classes, shape ``(rows, classes)``.
        runtime: The format that was run.
        files: The file of each row; ``None`` if the rows are not told apart by their files.
        kept: Cells of other columns that belong to the rows, by column.
        numbers: The predicted numbers in the units of the target, shape ``(rows,)``; ``None`` if there are classes.
    """

    class_names: tuple[str, ...]
    probabilities: Predictions
    runtime: FormatName
    files: tuple[str, ...] | None = None
    kept: Mapping[str, Sequence[object]] | None = None
    numbers: NDArray[np.float32] | None = None

    @property
    def labels(self) -> list[str]:
        """The name of the most probable class of each row."""
        return [self.class_names[i] for i in self.probabilities.argmax(axis=1)]


class Predictor:
    """An exported model. The model itself is loaded when the first rows are predicted.

    Args:
        folder: The export; every checksum is compared.
        runtime: A format of the export, or ``auto`` for the installed one that starts fastest.

    Attributes:
        manifest: The manifest of the export.

    Raises:
        UsageError: If ``folder`` is not an export, or the runtime is not in it or not installed.
        RunError: If a checksum differs.
    """

    def __init__(self, folder: StrPath, *, runtime: str = AUTO) -> None:
        self.manifest = read_manifest(folder)
        self._format = _choose(self.manifest, runtime)
        self._folder = user_path(folder)

    @property
    def runtime(self) -> FormatName:
        """The format that is run."""
        return self._format.name

    def predict(self, batches: Iterable[Batch]) -> Iterator[Prediction]:
        """Predict batch after batch, so that memory does not depend on the number of rows.

        Args:
            batches: From :func:`tuner.delivery.readers.read_batches`, or for a table from
                :func:`tuner.delivery.table_rows.read_table_batches`. The first is read before the model is loaded.

        Raises:
            RunError: If the model does not run.
        """
        for batch in batches:
            outputs = self._run(batch.rows)
            numbers = None if self.manifest.class_names else outputs[:, 0]
            probabilities = outputs[:, : len(self.manifest.class_names)]
            yield Prediction(self.manifest.class_names, probabilities, self.runtime, batch.files, batch.kept, numbers)

    @cached_property
    def _runner(self) -> Runner:
        with private_format(self._folder, self.manifest, self.runtime) as path:
            return load_runner(self._format, path)

    def _run(self, rows: Rows) -> Predictions:
        outputs = self._runner(rows)
        expected = len(self.manifest.class_names) or 1
        if outputs.shape != (len(rows), expected):
            raise RunError(f"the model has {outputs.shape[1:]} outputs, its manifest {expected}")
        return outputs


def predict(folder: StrPath, rows: Any, *, runtime: str = AUTO) -> Prediction:
    """Run an exported model on raw rows in memory. The arguments and errors are those of :class:`Predictor`.

    Args:
        folder: The export.
        rows: Raw values, shape ``(rows, *input shape)``; for a table, a frame of polars or pandas with its columns in
            any order. Cells that the model does not know are logged.
        runtime: The format to run.

    Raises:
        DataError: If the rows do not fit the model.
    """
    predictor = Predictor(folder, runtime=runtime)
    manifest = predictor.manifest
    if manifest.table is None:
        return next(predictor.predict([Batch(fit_rows(np.asarray(rows), manifest.input, "the input"))]))
    parts = list(predictor.predict(frame_batches(rows, manifest.table, _log.warning)))
    numbers = [part.numbers for part in parts if part.numbers is not None]
    return replace(
        parts[0],
        probabilities=np.concatenate([part.probabilities for part in parts]),
        numbers=np.concatenate(numbers) if numbers else None,
    )


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
