"""Evaluates an exported model on labelled rows of a table."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuner.config.recipe import TaskSetting
from tuner.data.lookup import load_table_file, places
from tuner.data.schema import DataSchema
from tuner.data.sklearn_tables import NAMED_TABLES
from tuner.data.table_dataset import TableDataset
from tuner.delivery.evaluate import Evaluation, compare
from tuner.delivery.manifest import Manifest
from tuner.delivery.predict import AUTO, Predictor
from tuner.delivery.rows import Batch, Note
from tuner.delivery.table_rows import frame_batches, read_table_batches
from tuner.delivery.targets import read_targets
from tuner.errors import DataError, TunerError, UsageError
from tuner.evaluation.bootstrap import RESAMPLES
from tuner.paths import StrPath


def evaluate_table(
    folder: StrPath,
    source: Any,
    note: Note,
    *,
    data_dir: Path | None = None,
    runtime: str = AUTO,
    resamples: int = RESAMPLES,
) -> Evaluation:
    """Run an exported model on rows of a table, and compare its predictions with the targets.

    Of the table that the model was trained on, these are the test rows; of any other, all rows that have a target.

    Args:
        folder: The export.
        source: The name of a table, a file with a header line, or a frame of polars or pandas. Its columns may be in
            any order.
        note: Receives lines for people: which rows are measured, which columns are not used, and which cells the model
            does not know.
        data_dir: A folder that may hold the file.
        runtime: The format to run; see :func:`tuner.delivery.predict.predict`.
        resamples: Number of bootstrap resamples for the intervals; 0 computes none.

    Raises:
        UsageError: If ``folder`` is not an export of a model for tables, or the runtime cannot be used.
        DataError: If the rows or the targets do not fit, or there are none.
        RunError: If a checksum differs or the model does not run.
    """
    predictor = Predictor(folder, runtime=runtime)
    schema = predictor.manifest.table
    if schema is None:
        raise UsageError(f"the model in {folder} takes arrays, not tables", hint="name an .npz file or a data set")
    own = _own_table(predictor.manifest, source, data_dir)
    if own is not None:
        note(f"{source} holds the training rows of the model, too: its {own.test_rows:,} test rows are measured")
        y = own.target.values[own.test]
        predictions = _predictions(predictor, [Batch(own.encode(schema, own.test))])
    else:
        y, predictions = _all_rows(predictor, schema, source, data_dir, note)
    return compare(
        schema.task.name,
        y,
        predictions,
        schema.classes,
        runtime=predictor.runtime,
        facts=predictor.manifest.validation,
        resamples=resamples,
    )


def _all_rows(
    predictor: Predictor, schema: DataSchema, source: Any, data_dir: Path | None, note: Note
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return targets and predictions of all rows that have a target."""
    path = places(os.fspath(source), data_dir)[0] if isinstance(source, str | Path) else None
    y, known = read_targets(source if path is None else path, schema)
    batches = frame_batches(source, schema, note) if path is None else read_table_batches([path], schema, note)
    predictions = _predictions(predictor, batches)
    if len(predictions) != len(y):
        raise DataError(f"{path} was changed while it was read", hint="start the command again")
    if not known.all():
        note(f"{len(y) - int(known.sum()):,} of {len(y):,} rows have no target and are left out")
    return y[known], predictions[known]


def _predictions(predictor: Predictor, batches: Iterable[Batch]) -> NDArray[Any]:
    parts = predictor.predict(batches)
    return np.concatenate([part.probabilities if part.numbers is None else part.numbers for part in parts])


def _own_table(manifest: Manifest, source: Any, data_dir: Path | None) -> TableDataset | None:
    """Return the table that the model was trained on, split as it was then, if ``source`` is this table."""
    settings = manifest.data.table
    if settings is None or not isinstance(source, str | Path):
        return None
    if str(source) not in NAMED_TABLES and Path(source).name != Path(manifest.data.name).name:
        return None
    task: TaskSetting = "classification" if manifest.class_names else "regression"
    try:
        table = load_table_file(source, settings, task, data_dir)
    except TunerError:  # it has other columns, or the file with the test rows is not there
        return None
    return table if table.fingerprint == manifest.data.fingerprint else None
