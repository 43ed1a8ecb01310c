"""Writes all trials of a study to a CSV file."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from tuner.output_file import OutputFile
from tuner.results.trials import TrialResult
from tuner.spreadsheet import safe_cell

_COLUMNS = ("number", "state", "value", "best_epoch", "epochs", "seconds", "parameters", "label", "reason")
_START = ",".join(_COLUMNS[:4]).encode()


def write_csv(output: OutputFile, trials: Sequence[TrialResult]) -> None:
    """Write one line per trial: state and value, then objectives, metrics of its best epoch, and parameters.

    Every column has a name of its own: ``values_``, ``metrics_`` and ``params_`` keep the metric ``learning_rate`` and
    the parameter apart. Text that a spreadsheet would run as a formula gets a leading apostrophe. An error leaves no
    partial file.

    Raises:
        UsageError: If the file must not be written.
        RunError: If the file cannot be written.
    """
    objectives = list(dict.fromkeys(name for trial in trials for name in trial.values))
    if len(objectives) == 1:
        objectives = []  # the column `value` has it
    metrics = sorted({name for trial in trials for name in trial.metrics})
    params = sorted({name for trial in trials for name in trial.all_params})
    names = [f"values_{name}" for name in objectives]
    names += [f"metrics_{name}" for name in metrics]
    names += [f"params_{name}" for name in params]
    with output.text() as stream:
        writer = csv.writer(stream)
        writer.writerow([*_COLUMNS, *names])
        for trial in trials:
            writer.writerow(safe_cell(cell) for cell in _cells(trial, objectives, metrics, params))


def is_csv_of_trials(path: Path) -> bool:
    """Return whether a file begins like one that :func:`write_csv` wrote."""
    with path.open("rb") as file:
        return file.read(len(_START)) == _START


def _cells(
    trial: TrialResult, objectives: Sequence[str], metrics: Sequence[str], params: Sequence[str]
) -> Iterator[object]:
    """Yield the cells of one trial; a missing value is ``None``."""
    yield from (getattr(trial, name) for name in _COLUMNS)
    yield from (trial.values.get(name) for name in objectives)
    yield from (trial.metrics.get(name) for name in metrics)
    yield from (trial.all_params.get(name) for name in params)
