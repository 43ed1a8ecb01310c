"""Writes all trials of a study to a CSV file."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from tuner.errors import UsageError
from tuner.files import atomic_path
from tuner.results.trials import TrialResult

_COLUMNS = ("number", "state", "value", "best_epoch", "epochs", "seconds", "parameters", "label", "reason")
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def write_csv(path: Path, trials: Sequence[TrialResult]) -> None:
    """Write one line per trial: state and value, metrics of its best epoch, further objectives, parameters.

    An error leaves no partial file. Text that a spreadsheet would run as a formula gets a leading apostrophe.

    Raises:
        UsageError: If the file cannot be written.
    """
    metrics = sorted({name for trial in trials for name in trial.metrics})
    objectives = sorted({name for trial in trials for name in trial.values} - {*_COLUMNS, *metrics})
    params = sorted({name for trial in trials for name in trial.all_params})
    try:
        with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow([*_COLUMNS, *metrics, *objectives, *params])
            for trial in trials:
                writer.writerow(_safe(cell) for cell in _cells(trial, metrics, objectives, params))
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}", hint="choose another file for --csv") from None


def _cells(
    trial: TrialResult, metrics: Sequence[str], objectives: Sequence[str], params: Sequence[str]
) -> Iterator[object]:
    """Yield the cells of one trial; a missing value is ``None``."""
    yield from (getattr(trial, name) for name in _COLUMNS)
    yield from (trial.metrics.get(name) for name in metrics)
    yield from (trial.values.get(name) for name in objectives)
    yield from (trial.all_params.get(name) for name in params)


def _safe(cell: object) -> object:
    """Return a cell that no spreadsheet runs as a formula."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA_STARTS) else cell
