"""The learning curves of a study as one plotly figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go
from plotly.colors import qualitative
from plotly.subplots import make_subplots

from tuner.config.recipe import Recipe
from tuner.report.text import metric
from tuner.results.trials import TrialResult, ranked

Curves = Mapping[int, Sequence[Mapping[str, float]]]

MAX_TRIALS = 200  # a longer legend is hard to scroll through
MAX_POINTS = 100  # per line: the figure is half a screen wide
COLOURS = qualitative.D3

_HOW_TO_READ = "Solid: validation, dotted: training, star: best epoch.<br>Click trials to show or hide them."
# Settings that all lines share: the dashboard stores the figure in small pieces, each with a transaction of its own.
TEMPLATE = go.layout.Template(
    data={
        "scatter": [
            {
                "mode": "lines+markers",
                "marker": {"size": 4},
                "line": {"width": 1.5},
                "hovertemplate": "%{fullData.name}<br>epoch %{x}: %{y:.5~g}<extra></extra>",
            }
        ]
    },
    layout={
        "font": {"color": "#2a3f5f"},
        "xaxis": {"gridcolor": "#ebf0f8", "zeroline": False, "automargin": True},
        "yaxis": {"gridcolor": "#ebf0f8", "zeroline": False, "automargin": True},
    },
)


def learning_curves(recipe: Recipe, trials: Sequence[TrialResult], curves: Curves) -> go.Figure | None:
    """Return a figure of the training and validation metrics of every finished trial, one panel per metric.

    At first only the best trial is visible; a click in the legend shows or hides the others. A menu would be of no use:
    the dashboard redraws the figure every ten seconds, and plotly then keeps the state of the legend (``uirevision``)
    but not that of a menu.

    Args:
        recipe: The study's recipe; the panel of its objective comes first.
        trials: All trials. If more than 200 have finished, the best of them are in the figure.
        curves: The metrics of every epoch by trial number.

    Returns:
        The figure, or ``None`` while no trial has finished an epoch.
    """
    shown = [trial for trial in best_first(trials, recipe) if curves.get(trial.number)][:MAX_TRIALS]
    if not shown:
        return None
    panels = _panels(curves[shown[0].number][0], recipe)
    figure = make_subplots(rows=len(panels), cols=1, shared_xaxes=True, vertical_spacing=0.06)
    lines = [
        line
        for rank, trial in enumerate(shown)
        for line in _lines(trial, curves[trial.number], panels, recipe.objective.metric, rank)
    ]
    figure.add_traces(lines)
    figure.update_layout(
        template=TEMPLATE,
        title={
            "text": "<b>Learning curves</b>",
            "subtitle": {"text": _HOW_TO_READ},
            "x": 0.02,
            "y": 0.95,
        },
        legend={"title": {"text": f"trial  {recipe.objective.metric}"}},
        margin={"l": 10, "r": 10, "t": 90, "b": 10},
        uirevision="kept",  # any constant: a change would reset what is visible
    )
    for row, name in enumerate(panels, start=1):
        figure.update_yaxes(title_text=name, row=row)
    figure.update_xaxes(title_text="epoch", row=len(panels))
    return figure


def best_first(trials: Sequence[TrialResult], recipe: Recipe) -> list[TrialResult]:
    """Return the complete trials, best first, then the pruned and the failed ones."""
    others = [trial for state in ("pruned", "failed") for trial in trials if trial.state == state]
    return [*ranked(list(trials), recipe), *others]


def _panels(epoch: Mapping[str, float], recipe: Recipe) -> list[str]:
    """Return the metrics that exist for training and validation rows, the objective first."""
    names = [name for name in epoch if f"val_{name}" in epoch]
    return sorted(names, key=lambda name: f"val_{name}" != recipe.objective.metric)


def _lines(
    trial: TrialResult, epochs: Sequence[Mapping[str, float]], panels: Sequence[str], objective: str, rank: int
) -> list[dict[str, Any]]:
    """Return the lines of a trial, and a star at its best epoch."""
    colour = COLOURS[rank % len(COLOURS)]
    step = -(-len(epochs) // MAX_POINTS)
    lines: list[dict[str, Any]] = [
        {
            "name": _label(trial) if prefix else f"{trial.number} training",
            "showlegend": prefix + name == objective,
            "x0": 1,
            "dx": step,
            "y": [_short(epoch[prefix + name]) for epoch in epochs[::step]],
            "xaxis": f"x{row}",
            "yaxis": f"y{row}",
            "line": {"color": colour, "dash": dash},
        }
        for row, name in enumerate(panels, start=1)
        for prefix, dash in (("val_", "solid"), ("", "dot"))
    ]
    if trial.best_epoch is not None:
        best = {"x": [trial.best_epoch + 1], "y": [_short(epochs[trial.best_epoch][objective])], "showlegend": False}
        star = {"symbol": "star", "size": 12, "color": colour}
        lines.append({"name": _label(trial), **best, "mode": "markers", "marker": star})
    shared = {"legendgroup": str(trial.number), "visible": True if rank == 0 else "legendonly"}
    # By `uid`, plotly recognises a line whose position in the figure has changed.
    return [{"type": "scatter", "uid": f"{trial.number}-{i}", **shared, **line} for i, line in enumerate(lines)]


def _short(value: float) -> float:
    """Round to four significant digits, which are enough for a screen."""
    return float(f"{value:.4g}")


def _label(trial: TrialResult) -> str:
    state = "" if trial.state == "complete" else f" {trial.state}"
    return f"{trial.number}  {metric(trial.value)}{state}"
