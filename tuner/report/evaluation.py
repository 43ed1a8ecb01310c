"""Shows how good a model is on labelled rows, in tables of at most 80 columns.

Names of classes may hold line breaks, which are escaped here, so that none of them begins a line of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from rich.table import Table

from tuner.evaluation.bootstrap import Estimate
from tuner.evaluation.facts import BaselineFacts
from tuner.evaluation.measure import ClassScores, Measured, ThresholdScores
from tuner.printable import escaped
from tuner.report.tables import new_table
from tuner.report.text import count, figure

_LABELS = {
    "rmse": "RMSE",
    "mae": "MAE",
    "median_absolute_error": "median error",
    "r2": "R2",
    "auc": "AUC",
    "average_precision": "average precision",
    "log_loss": "log loss",
    "brier": "Brier score",
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "f1": "F1, mean of classes",
}
_BASELINES = {"constant": "constant", "linear": "linear", "gradient_boosting": "boosting"}


def heading(measured: Measured) -> str:
    """Return what was measured, in one line."""
    rows = count(measured.rows, "row")
    if measured.task == "regression":
        return rows
    if measured.task == "multiclass":
        return f"{rows}, {count(len(measured.classes), 'class', 'classes')}"
    positive = measured.classes[1]
    return f"{rows}, {100 * positive.rows / measured.rows:.1f} % of them {escaped(positive.name)}, the positive class"


def evaluation_tables(measured: Measured, baselines: Sequence[BaselineFacts] = ()) -> list[Table]:
    """Return the tables of an evaluation: metrics first, then what the task adds.

    Args:
        measured: How good the model is.
        baselines: Simple models that were trained on the same rows; shown if their test metrics are known.
    """
    tables = [_metrics(measured, [baseline for baseline in baselines if baseline.test])]
    if measured.task == "binary":
        tables += [_thresholds(measured.thresholds), _confusion(measured)]
    elif measured.task == "multiclass":
        tables.append(_classes(measured))
    if measured.calibration:
        tables.append(_calibration(measured))
    return tables


def _table(*columns: str) -> Table:
    """Return a table whose first column holds text, and the others numbers."""
    table = new_table()
    for i, column in enumerate(columns):
        justify: Literal["right", "left"] = "right" if i else "left"
        table.add_column(column, justify=justify, overflow="fold")
    return table


def _metrics(measured: Measured, baselines: Sequence[BaselineFacts]) -> Table:
    known = any(estimate.low is not None for estimate in measured.metrics.values())
    table = _table("", "value", *(["95 % interval"] if known else []), *(_BASELINES[each.name] for each in baselines))
    for name, estimate in measured.metrics.items():
        others = (figure(baseline.test.get(name)) for baseline in baselines)
        table.add_row(label_of(name), figure(estimate.value), *([interval_of(estimate)] if known else []), *others)
    if baselines:
        table.caption = f"{', '.join(_BASELINES[each.name] for each in baselines)}: on the test rows of the study"
        table.caption_justify = "left"
    return table


def label_of(name: str) -> str:
    """Return the name of a metric for people."""
    return _LABELS.get(name, name)


def interval_of(estimate: Estimate) -> str:
    """Return the ends of an interval; empty if there is none."""
    return "" if estimate.low is None else f"{figure(estimate.low)} to {figure(estimate.high)}"


def _thresholds(thresholds: Sequence[ThresholdScores]) -> Table:
    table = _table("positive from", "precision", "recall", "F1", "accuracy")
    for at in thresholds:
        label = f"{at.threshold:.4f}, best F1 in validation" if at.validated else f"{at.threshold:g}"
        table.add_row(label, *map(_share, (at.precision, at.recall, at.f1, at.accuracy)))
    return table


def _confusion(measured: Measured) -> Table:
    """Return a table with the predictions at each threshold side by side."""
    names = [escaped(each.name) for each in measured.classes]
    table = _table("rows of class", *(f"as {name}, {at.threshold:.2g}" for at in measured.thresholds for name in names))
    for i, name in enumerate(names):
        table.add_row(name, *(f"{cell:,}" for at in measured.thresholds for cell in at.confusion[i]))
    return table


def _classes(measured: Measured) -> Table:
    table = _table("class", "rows", "precision", "recall", "F1")
    table.add_column("mostly taken for", overflow="fold")
    for i, each in enumerate(measured.classes):
        rates = map(_share, (each.precision, each.recall, each.f1))
        mistake = _mistake(measured.classes, measured.confusion[i], i)
        table.add_row(escaped(each.name), f"{each.rows:,}", *rates, mistake)
    return table


def _mistake(classes: Sequence[ClassScores], row: Sequence[int], own: int) -> str:
    wrong = {name: cell for name, cell in enumerate(row) if name != own and cell}
    if not wrong:
        return ""
    most = max(wrong, key=lambda name: wrong[name])
    return f"{escaped(classes[most].name)} ({wrong[most]:,})"


def _calibration(measured: Measured) -> Table:
    table = _table("probabilities", "log loss", "Brier", "calibration error")
    for each in measured.calibration:
        label = "as they are" if each.temperature == 1 else f"with temperature {each.temperature:.3g}"
        table.add_row(label, *map(_share, (each.log_loss, each.brier, each.ece)))
    return table


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
