"""Every trial of a study as a CSV file."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from tuner.errors import UsageError
from tuner.files import atomic_path
from tuner.results.trials import TrialResult

_FACTS = ("number", "state", "value", "best_epoch", "epochs", "seconds", "parameters", "label", "reason")
_DANGEROUS = ("=", "+", "-", "@", "\t", "\r")


def write_csv(path: Path, trials: Sequence[TrialResult]) -> None:
    """Write one line per trial: facts, metrics of its best epoch, further objectives, every parameter.

    The file is whole or absent. Text that a spreadsheet would run as a formula is written with a leading apostrophe.

    Raises:
        UsageError: If the file cannot be written.
    """
    metrics = sorted({name for trial in trials for name in trial.metrics})
    objectives = sorted({name for trial in trials for name in trial.values} - {*_FACTS, *metrics})
    params = sorted({name for trial in trials for name in trial.all_params})
    try:
        with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow([*_FACTS, *metrics, *objectives, *params])
            for trial in trials:
                writer.writerow(_safe(cell) for cell in _cells(trial, metrics, objectives, params))
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}", hint="choose another file for --csv") from None


def _cells(
    trial: TrialResult, metrics: Sequence[str], objectives: Sequence[str], params: Sequence[str]
) -> Iterator[object]:
    yield from (getattr(trial, fact) for fact in _FACTS)
    yield from (trial.metrics.get(name) for name in metrics)
    yield from (trial.values.get(name) for name in objectives)
    yield from (trial.all_params.get(name) for name in params)


def _safe(cell: object) -> object:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_DANGEROUS) else cell
