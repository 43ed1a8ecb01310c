"""Shows how well the winner and the ensemble predict, beside simple models that were trained on the same rows."""

from __future__ import annotations

from rich.table import Table

from tuner.evaluation.assessment import Assessment, Measured
from tuner.evaluation.facts import BaselineName
from tuner.report.tables import new_table
from tuner.report.text import metric
from tuner.tasks import Task

_NAMES: dict[BaselineName, str] = {
    "gradient_boosting": "gradient boosting",
    "linear": "linear model",
    "constant": "constant",
}


def comparison_table(assessment: Assessment, task: Task) -> Table:
    """Return one row per model: its metrics on the test rows, its number of weights, and its time for one row.

    Gradient boosting is scikit-learn's HistGradientBoosting with its defaults.
    """
    table = new_table("On the test rows")
    table.add_column("model")
    names = [name for name in task.metrics if name in assessment.single.test]
    for name in names:
        table.add_column(name, justify="right")
    table.add_column("weights", justify="right")
    table.add_column("ms/row", justify="right")
    if assessment.ensemble is not None:
        _add(table, f"average of {len(assessment.members)} models", assessment.ensemble, names)
    _add(table, f"trial {assessment.candidates[0]}", assessment.single, names)
    baselines = {baseline.name: baseline for baseline in assessment.single.validation.baselines}
    for name, title in _NAMES.items():
        if name in baselines:
            table.add_row(title, *(metric(baselines[name].test.get(each)) for each in names), "", "")
    return table


def _add(table: Table, title: str, measured: Measured, names: list[str]) -> None:
    values = (metric(measured.test.get(name)) for name in names)
    table.add_row(title, *values, f"{measured.parameters:,}", f"{measured.latency_ms:.2f}")
