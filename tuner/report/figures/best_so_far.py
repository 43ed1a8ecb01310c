"""The best value of a study over the time that its runs took, as a plotly figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import plotly.graph_objects as go

from tuner.config.recipe import Recipe
from tuner.report.figures.learning_curves import TEMPLATE
from tuner.report.figures.run_time import Spans, improvements_in_time, minutes_until
from tuner.report.text import metric
from tuner.results.trials import TrialResult


def best_so_far(
    recipe: Recipe,
    trials: Sequence[TrialResult],
    ended: Mapping[int, datetime],
    runs: Spans,
) -> go.Figure | None:
    """Return a figure with one step for each trial that was better than all before it.

    Args:
        recipe: The study's recipe.
        trials: All trials.
        ended: When each trial ended, in UTC.
        runs: When each run began and ended, in UTC; of one that goes on, the time now. Other time does not count.

    Returns:
        The figure, or ``None`` while no trial is complete.
    """
    steps = improvements_in_time(recipe, trials, ended, runs)
    if not steps:
        return None
    minutes = [passed for passed, _ in steps]
    values = [float(f"{trial.value:.6g}") for _, trial in steps]
    last = max((minutes_until(end, runs) for _, end in runs), default=0.0)
    figure = go.Figure(
        go.Scatter(
            x=[*minutes, last],
            y=[*values, values[-1]],
            text=[*(f"trial {trial.number}" for _, trial in steps), "now"],
            mode="lines+markers",
            line={"shape": "hv"},
            hovertemplate="%{text}<br>%{x:.1f} min: %{y:.5~g}<extra></extra>",
        )
    )
    objective = recipe.objective.metric
    title = f"<b>Best {objective} so far</b>: {metric(values[-1])}, trial {steps[-1][1].number}"
    figure.update_layout(
        title={"text": title, "x": 0.02},
        margin={"l": 10, "r": 10, "t": 50, "b": 10},
        uirevision="kept",
        template=TEMPLATE,
    )
    figure.update_xaxes(title_text="minutes of running", rangemode="tozero")
    figure.update_yaxes(title_text=objective)
    return figure
