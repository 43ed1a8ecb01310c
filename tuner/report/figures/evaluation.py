"""How a model predicts the test rows: confusion matrix, ROC and precision-recall curve, or numbers and residuals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from tuner.evaluation.evaluation import Confusion, Curve, Evaluation, Points
from tuner.printable import escaped
from tuner.report.figures.learning_curves import TEMPLATE
from tuner.report.figures.style import BLUE, GREY, new_figure, plotly_text, short
from tuner.report.text import count, figure

_COUNTED = 12  # classes whose counts fit into the matrix
_HEIGHT = 380
_OF_TWO = ("roc", "precision-recall")  # panels of two classes
_DIAGONAL = {"color": GREY, "dash": "dash", "width": 1}
_LARGE = {"exponentformat": "SI"}  # such as 50k
_DASHBOARD_SCALE = [[0, "#ffffff"], [1, "#1f6fb2"]]


@dataclass(frozen=True)
class Panel:
    """One figure, or a part of one.

    Attributes:
        name: Its name: ``confusion``, ``roc``, ``precision-recall``, ``predicted`` or ``residuals``.
        title: What it shows.
        caption: How to read it.
        traces: Its lines, points or matrix.
        x: Settings of the x axis.
        y: Settings of the y axis.
        height: Pixels.
    """

    name: str
    title: str
    caption: str
    traces: tuple[dict[str, Any], ...]
    x: dict[str, Any]
    y: dict[str, Any] = field(default_factory=dict)
    height: int = _HEIGHT


def panels(evaluation: Evaluation | None, classes: Sequence[str]) -> list[Panel]:
    """Return the figures of an evaluation; none without one.

    Args:
        evaluation: How the model predicts.
        classes: Names of all classes of the study; empty for numbers.
    """
    if evaluation is None:
        return []
    shown = []
    if evaluation.confusion is not None:
        shown.append(_confusion(evaluation.confusion, classes))
    if evaluation.roc is not None:
        shown.append(_roc(evaluation.roc, evaluation, classes))
    if evaluation.precision_recall is not None:
        shown.append(_precision_recall(evaluation.precision_recall, evaluation, classes))
    if evaluation.points is not None:
        shown += [_predicted(evaluation.points, evaluation.rows), _residuals(evaluation.points)]
    return shown


def panel_figure(panel: Panel) -> go.Figure:
    """Return a panel as a figure of a report."""
    drawn = new_figure(panel.height)
    drawn.add_traces([dict(trace) for trace in panel.traces])
    drawn.update_layout(showlegend=False, xaxis=panel.x, yaxis=panel.y, coloraxis=_colours(panel))
    return drawn


def evaluation_figure(evaluation: Evaluation | None, classes: Sequence[str]) -> go.Figure | None:
    """Return all panels side by side, for the dashboard; ``None`` without an evaluation."""
    shown = panels(evaluation, classes)
    if not shown:
        return None
    drawn = make_subplots(cols=len(shown), subplot_titles=[panel.title for panel in shown], horizontal_spacing=0.09)
    for column, panel in enumerate(shown, start=1):
        for trace in panel.traces:
            drawn.add_trace(dict(trace), row=1, col=column)
        drawn.update_xaxes(panel.x, row=1, col=column)
        drawn.update_yaxes(panel.y, row=1, col=column)
    drawn.update_annotations(font_size=13)  # the titles
    drawn.update_layout(
        template=TEMPLATE,
        title={
            "text": "<b>The model that is exported</b>, on the test rows",
            "subtitle": {
                "text": f"positive class: {plotly_text(_positive(classes))}" if shown[-1].name in _OF_TWO else ""
            },
            "x": 0.02,
            "y": 0.93,
        },
        margin={"l": 10, "r": 10, "t": 95, "b": 10},
        showlegend=False,
        uirevision="kept",
        coloraxis={**_colours(shown[0]), "colorscale": _DASHBOARD_SCALE},
    )
    return drawn


def _colours(panel: Panel) -> dict[str, Any]:
    """Return the scale of a matrix. A report adds the colours of the reader's scheme."""
    return {"cmin": 0, "cmax": 1, "showscale": False} if panel.name == "confusion" else {}


def _confusion(confusion: Confusion, classes: Sequence[str]) -> Panel:
    size = len(confusion.classes)
    places = list(range(size))
    names = [plotly_text(classes[i]) if i < len(classes) else str(i) for i in confusion.classes]
    shares = [
        [short(cell / rows, 4) if rows else 0 for cell in cells]
        for cells, rows in zip(confusion.counts, confusion.rows, strict=True)
    ]
    matrix: dict[str, Any] = {
        "type": "heatmap",
        "x": places,
        "y": places,
        "z": shares,
        "text": [[f"{cell:,}" for cell in cells] for cells in confusion.counts],
        "coloraxis": "coloraxis",
        "xgap": 1,
        "ygap": 1,
        "hovertemplate": "%{y}, predicted as %{x}: %{text} rows, %{z:.1%}<extra></extra>",
    }
    if size <= _COUNTED:
        matrix["texttemplate"] = "%{text}"
    axis = {"tickmode": "array", "tickvals": places, "ticktext": names, "showgrid": False}
    some = ""
    if confusion.left_out:
        some = (
            f" These are the {size} classes that are confused most often; {confusion.left_out:,} others are left out."
        )
    return Panel(
        "confusion",
        "Confusion matrix",
        f"Rows by true class (down) and predicted class (across). The stronger the colour, the larger the share of the "
        f"rows of the class.{some}",
        (matrix,),
        {**axis, "title": {"text": "predicted"}, "range": [-0.5, size - 0.5]},
        {**axis, "title": {"text": "true"}, "range": [size - 0.5, -0.5]},
        height=max(_HEIGHT, 140 + 20 * size),
    )


def _roc(curve: Curve, evaluation: Evaluation, classes: Sequence[str]) -> Panel:
    return Panel(
        "roc",
        f"ROC{_value('AUC', evaluation, 'auc')}",
        f"ROC: the share of the rows of {escaped(_positive(classes))} that are found, over the share of the other rows "
        "that are taken for it. Dashed: a guess.",
        (_guess([0, 1], [0, 1]), _curve(curve, "%{x:.3f} false, %{y:.3f} found")),
        {"title": {"text": "false positive rate"}, "range": [0, 1]},
        {"title": {"text": "true positive rate"}, "range": [0, 1.02]},
    )


def _precision_recall(curve: Curve, evaluation: Evaluation, classes: Sequence[str]) -> Panel:
    confusion = evaluation.confusion
    share = short(confusion.rows[1] / evaluation.rows, 4) if confusion is not None else None
    return Panel(
        "precision-recall",
        "Precision and recall",
        f"Precision: the share of the rows taken for {escaped(_positive(classes))} that are of it. Recall: the share "
        "of its rows that are found. Dashed: a guess.",
        (_guess([0, 1], [share, share]), _curve(curve, "recall %{x:.3f}, precision %{y:.3f}")),
        {"title": {"text": "recall"}, "range": [0, 1]},
        {"title": {"text": "precision"}, "range": [0, 1.02]},
    )


def _predicted(points: Points, rows: int) -> Panel:
    ends = [min(*points.true, *points.predicted), max(*points.true, *points.predicted)]
    some = f" {len(points.true):,} of {count(rows, 'row')}." if len(points.true) < rows else ""
    return Panel(
        "predicted",
        "Predicted against true",
        f"Each point is a test row; on the dashed line, the prediction is exact.{some}",
        (_guess(ends, ends), _scatter(points.true, points.predicted, "true %{x}, predicted %{y}")),
        {**_LARGE, "title": {"text": "true"}},
        {**_LARGE, "title": {"text": "predicted"}},
    )


def _residuals(points: Points) -> Panel:
    residuals = [predicted - true for true, predicted in zip(points.true, points.predicted, strict=True)]
    ends = [min(points.predicted), max(points.predicted)]
    return Panel(
        "residuals",
        "Residuals",
        "Predicted minus true, over the prediction. A pattern means that the model misses something.",
        (_guess(ends, [0, 0]), _scatter(points.predicted, residuals, "predicted %{x}, %{y} too high")),
        {**_LARGE, "title": {"text": "predicted"}},
        {**_LARGE, "title": {"text": "predicted - true"}},
    )


def _positive(classes: Sequence[str]) -> str:
    return classes[1] if len(classes) > 1 else "class 1"


def _value(label: str, evaluation: Evaluation, name: str) -> str:
    """Return a metric for a title, after a comma; empty if it is unknown."""
    estimate = evaluation.metrics.get(name)
    return "" if estimate is None or estimate.value is None else f", {label} {figure(estimate.value)}"


def _guess(x: Sequence[float | None], y: Sequence[float | None]) -> dict[str, Any]:
    line = {"x": [short(each) for each in x], "y": [short(each) for each in y], "line": _DIAGONAL}
    return {"type": "scatter", "mode": "lines", "hoverinfo": "skip", **line}


def _curve(curve: Curve, hover: str) -> dict[str, Any]:
    shown = {"x": list(map(short, curve.x)), "y": list(map(short, curve.y)), "line": {"color": BLUE}}
    return {"type": "scatter", "mode": "lines", "hovertemplate": f"{hover}<extra></extra>", **shown}


def _scatter(x: Sequence[float], y: Sequence[float], hover: str) -> dict[str, Any]:
    shown = {"x": list(map(short, x)), "y": list(map(short, y)), "marker": {"color": BLUE, "size": 5, "opacity": 0.6}}
    return {"type": "scatter", "mode": "markers", "hovertemplate": f"{hover}<extra></extra>", **shown}
