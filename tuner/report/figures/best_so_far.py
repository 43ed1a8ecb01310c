"""The best value of a study over the time that its runs took, as a plotly figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import plotly.graph_objects as go

from tuner.config.recipe import Recipe
from tuner.report.figures.learning_curves import TEMPLATE
from tuner.report.text import metric
from tuner.results.trials import TrialResult, ranked


def best_so_far(
    recipe: Recipe,
    trials: Sequence[TrialResult],
    ended: Mapping[int, datetime],
    runs: Sequence[tuple[datetime, datetime]],
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
    done = [trial for trial in ranked(list(trials), recipe) if trial.number in ended]
    sign = -1 if recipe.objective.maximize else 1
    steps: list[TrialResult] = []
    for trial in sorted(done, key=lambda trial: ended[trial.number]):
        if not steps or sign * (trial.value or 0.0) < sign * (steps[-1].value or 0.0):
            steps.append(trial)
    if not steps:
        return None
    minutes = [_minutes(ended[trial.number], runs) for trial in steps]
    values = [float(f"{trial.value:.6g}") for trial in steps]
    last = max((_minutes(end, runs) for _, end in runs), default=0.0)
    figure = go.Figure(
        go.Scatter(
            x=[*minutes, last],
            y=[*values, values[-1]],
            text=[*(f"trial {trial.number}" for trial in steps), "now"],
            mode="lines+markers",
            line={"shape": "hv"},
            hovertemplate="%{text}<br>%{x:.1f} min: %{y:.5~g}<extra></extra>",
        )
    )
    objective = recipe.objective.metric
    title = f"<b>Best {objective} so far</b>: {metric(values[-1])}, trial {steps[-1].number}"
    figure.update_layout(
        title={"text": title, "x": 0.02},
        margin={"l": 10, "r": 10, "t": 50, "b": 10},
        uirevision="kept",
        template=TEMPLATE,
    )
    figure.update_xaxes(title_text="minutes of running", rangemode="tozero")
    figure.update_yaxes(title_text=objective)
    return figure


def _minutes(moment: datetime, runs: Sequence[tuple[datetime, datetime]]) -> float:
    """Return how many minutes of the runs had passed at a moment."""
    seconds = sum(max(0.0, (min(end, moment) - begin).total_seconds()) for begin, end in runs)
    return round(seconds / 60, 3)
