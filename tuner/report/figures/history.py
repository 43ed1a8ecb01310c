"""The value of each trial and the best so far, and the Pareto front."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from tuner.config.recipe import Recipe
from tuner.report.figures.style import BLUE, GREEN, GREY, ORANGE, new_figure, plotly_text, short, thinned, useful_range
from tuner.report.text import brief
from tuner.results.trials import TrialResult, ranked

Point = tuple[float, float]  # a trial's number, and its value


def history(recipe: Recipe, trials: Sequence[TrialResult]) -> go.Figure | None:
    """Return the value of each trial and the best value so far; ``None`` if no trial is complete."""
    done = sorted(ranked(list(trials), recipe), key=lambda trial: trial.number)
    if not done:
        return None
    figure = new_figure()
    pruned = [trial for trial in trials if trial.state == "pruned" and trial.value is not None]
    for name, some, colour, symbol in (("pruned", pruned, GREY, "x-thin-open"), ("complete", done, BLUE, "circle")):
        shown = thinned(some)
        figure.add_scatter(
            name=name,
            mode="markers",
            x=[trial.number for trial in shown],
            y=[short(trial.value) for trial in shown],
            text=[plotly_text(trial.label or brief(trial.all_params)) for trial in shown],
            hovertemplate="trial %{x}: %{y}<br>%{text}<extra></extra>",
            marker={"color": colour, "size": 5, "symbol": symbol, "opacity": 0.7},
        )
    improved = improvements([(trial.number, trial.value or 0.0) for trial in done], maximize=recipe.objective.maximize)
    figure.add_scatter(
        name="best so far",
        mode="lines",
        line={"shape": "hv", "color": ORANGE, "width": 2},
        x=[x for x, _ in improved] + [trials[-1].number],
        y=[short(value) for _, value in improved] + [short(improved[-1][1])],
        hovertemplate="best so far: %{y}<extra></extra>",
    )
    figure.update_xaxes(title_text="trial")
    _label_values(figure, recipe, done)
    return figure


def improvements(points: Sequence[Point], *, maximize: bool) -> list[Point]:
    """Return the points whose value is better than all before."""
    better: list[Point] = []
    for x, value in points:
        if not better or (value > better[-1][1] if maximize else value < better[-1][1]):
            better.append((x, value))
    return better


def _label_values(figure: go.Figure, recipe: Recipe, done: Sequence[TrialResult]) -> None:
    values = [trial.value for trial in done if trial.value is not None]
    figure.update_yaxes(
        title_text=recipe.objective.metric, range=useful_range(values, maximize=recipe.objective.maximize)
    )


def front(recipe: Recipe, trials: Sequence[TrialResult], best: Sequence[TrialResult]) -> go.Figure | None:
    """Return the first two objectives of each complete trial, with those on the Pareto front; ``None`` without any."""
    done = [trial for trial in trials if trial.values]
    if not best or not done:
        return None
    first, second = recipe.objective.names[:2]
    figure = new_figure()
    for name, some, colour, size in (("complete", thinned(done), GREY, 5), ("on the Pareto front", best, GREEN, 9)):
        figure.add_scatter(
            name=name,
            mode="markers",
            x=[short(trial.values[second]) for trial in some],
            y=[short(trial.values[first]) for trial in some],
            text=[plotly_text(f"trial {trial.number}: {trial.label or brief(trial.all_params)}") for trial in some],
            hovertemplate="%{text}<br>%{y}, %{x}<extra></extra>",
            marker={"color": colour, "size": size},
        )
    log = all(trial.values[second] > 0 for trial in done) and second in {"parameters", "latency_ms", "seconds"}
    figure.update_xaxes(title_text=second, type="log" if log else "linear")
    figure.update_yaxes(
        title_text=first,
        range=useful_range([trial.values[first] for trial in done], maximize=recipe.objective.maximize),
    )
    return figure
