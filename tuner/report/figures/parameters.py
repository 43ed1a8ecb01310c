"""What the parameters of a study do: importances, slices, and parallel coordinates."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from tuner.config.dimensions import Choice
from tuner.config.recipe import Recipe
from tuner.records import ParamValue
from tuner.report.figures.style import BLUE, GREY, ORANGE, new_figure, plotly_text, short, thinned, useful_range
from tuner.report.text import metric, number
from tuner.results.importance import Importances
from tuner.results.trials import TrialResult, ranked

MAX_SLICES = 12  # parameters with a slice, and axes of the parallel coordinates
MAX_SLICE_POINTS = 500  # trials in a slice
MAX_LINES = 300  # trials in the parallel coordinates
_TOP, _UPPER = 0.1, 0.5  # shares of the trials that count as best, and as good
_JITTER = 0.25  # of the distance between two choices, so that points do not hide each other


def importance_bars(importances: Importances) -> go.Figure | None:
    """Return bars of both measures; ``None`` if neither could be computed."""
    names = list(importances.ped_anova)
    if not names:
        return None
    figure = new_figure(height=110 + 34 * len(names))
    measures = (("fANOVA", importances.fanova, GREY), ("PED-ANOVA", importances.ped_anova, BLUE))
    for title, shares, colour in measures:
        if shares:
            figure.add_bar(
                name=title,
                orientation="h",
                y=[plotly_text(name) for name in names],
                x=[short(100 * shares.get(name, 0.0), 3) for name in names],
                marker={"color": colour},
                hovertemplate=f"%{{y}}: %{{x}} % by {title}<extra></extra>",
            )
    figure.update_layout(barmode="group", legend_traceorder="reversed")
    figure.update_xaxes(title_text="share in %", rangemode="tozero")
    figure.update_yaxes(autorange="reversed")
    return figure


def slice_names(recipe: Recipe, trials: Sequence[TrialResult], importances: Importances) -> list[str]:
    """Return the searched parameters with more than one value, the most important first, at most ``MAX_SLICES``."""
    done = ranked(list(trials), recipe)
    values: dict[str, set[ParamValue]] = {}
    for trial in done:
        for name, value in trial.params.items():
            values.setdefault(name, set()).add(value)
    names = [name for name, several in values.items() if len(several) > 1]
    return sorted(names, key=lambda name: -importances.ped_anova.get(name, 0.0))[:MAX_SLICES]


def slice_of(recipe: Recipe, trials: Sequence[TrialResult], name: str) -> go.Figure:
    """Return the value of each complete trial over one of its parameters; the best trials are marked."""
    done = [trial for trial in ranked(list(trials), recipe) if name in trial.params]
    best = max(1, math.ceil(_TOP * len(done)))
    axis = _Axis(name, done, recipe)
    figure = new_figure(height=260)
    groups = (
        ("others", thinned(done[best:], MAX_SLICE_POINTS), GREY),
        ("best tenth", thinned(done[:best], 100), ORANGE),
    )
    for title, some, colour in groups:
        figure.add_scatter(
            name=title,
            mode="markers",
            x=[short(axis.place(trial)) for trial in some],
            y=[short(trial.value) for trial in some],
            text=[plotly_text(f"trial {trial.number}: {number(trial.params[name])}") for trial in some],
            hovertemplate="%{text}: %{y}<extra></extra>",
            marker={"color": colour, "size": 5, "opacity": 0.75},
        )
    figure.update_layout(showlegend=False)
    figure.update_xaxes(title_text=plotly_text(name), **axis.ticks())
    values = [trial.value for trial in done if trial.value is not None]
    figure.update_yaxes(range=useful_range(values, maximize=recipe.objective.maximize))
    return figure


def parallel_coordinates(recipe: Recipe, trials: Sequence[TrialResult], names: Sequence[str]) -> go.Figure | None:
    """Return one line per complete trial through its parameters, coloured by how good it is.

    Lines of a scatter plot, because Plotly draws its own parallel coordinates with WebGL: not every machine has it,
    and it cannot be printed.

    Args:
        recipe: The study's recipe.
        trials: All trials. Of more than ``MAX_LINES`` complete ones, the best and some of the others are drawn.
        names: The parameters, one axis each.

    Returns:
        The figure, or ``None`` if there is no line of two parameters.
    """
    done = ranked(list(trials), recipe)
    if len(done) < 2 or len(names) < 2:  # noqa: PLR2004 - nothing to compare
        return None
    axes = [_Axis(name, done, recipe) for name in names]
    top, upper = (max(1, math.ceil(share * len(done))) for share in (_TOP, _UPPER))
    groups: Sequence[tuple[str, Sequence[TrialResult], str, float]] = (
        ("the others", done[upper:], GREY, 0.25),
        ("better half", done[top:upper], BLUE, 0.35),
        ("best tenth", done[:top], ORANGE, 0.9),
    )
    figure = new_figure(height=420)
    for title, some, colour, opacity in groups:
        x: list[int | None] = []
        y: list[float | None] = []
        text: list[str | None] = []
        for trial in thinned(some, MAX_LINES // len(groups)):
            for i, axis in enumerate(axes):
                x.append(i)
                y.append(short(axis.share(trial), 4) if axis.has(trial) else None)
                value = number(trial.params[axis.name]) if axis.has(trial) else ""
                text.append(plotly_text(f"trial {trial.number}: {axis.name} {value}, {metric(trial.value)}"))
            x.append(None)
            y.append(None)
            text.append(None)
        figure.add_scatter(
            name=title, x=x, y=y, text=text, mode="lines", opacity=opacity, line={"color": colour, "width": 1},
            hovertemplate="%{text}<extra></extra>",
        )  # fmt: skip
    labels = [f"{plotly_text(axis.name)}<br>{plotly_text(f'{axis.low} to {axis.high}')}" for axis in axes]
    figure.update_xaxes(tickvals=list(range(len(axes))), ticktext=labels, showgrid=True, range=[-0.2, len(axes) - 0.8])
    figure.update_yaxes(visible=False, range=[-0.04, 1.04])
    return figure


class _Axis:
    """The axis of a parameter: the place of each value, and what is written at it.

    Args:
        name: The parameter.
        trials: The complete trials, some of which have it.
        recipe: The study's recipe.
    """

    def __init__(self, name: str, trials: Sequence[TrialResult], recipe: Recipe) -> None:
        self.name = name
        values = [trial.params[name] for trial in trials if name in trial.params]
        dimensions = recipe.search_space.dimensions
        dimension = dimensions.get(name) or dimensions.get(name.rpartition("_")[0])  # units_0 is one of units
        is_choice = isinstance(dimension, Choice) or not all(_is_number(value) for value in values)
        self._choices: list[ParamValue] | None = sorted(set(values), key=str) if is_choice else None
        if self._choices is not None and all(_is_number(value) for value in self._choices):
            self._choices = sorted(self._choices, key=float)
        self._log = not is_choice and bool(getattr(dimension, "log", False)) and all(float(v) > 0 for v in values)
        places = [self._value(value) for value in values]
        self._ends = (min(places, default=0.0), max(places, default=1.0))
        ordered = self._choices or sorted(values, key=float)
        self.low, self.high = number(ordered[0]), number(ordered[-1])

    def has(self, trial: TrialResult) -> bool:
        return self.name in trial.params

    def place(self, trial: TrialResult) -> float:
        """Return where a trial is on an axis of its own; those with the same choice stand beside each other."""
        place = self._value(trial.params[self.name])
        if self._choices is not None:
            return place + _JITTER * ((trial.number * 0.618034) % 1 - 0.5)
        return 10**place if self._log else place

    def share(self, trial: TrialResult) -> float:
        """Return the place as a share of the axis, from 0 to 1."""
        low, high = self._ends
        return (self._value(trial.params[self.name]) - low) / (high - low) if high > low else 0.5

    def ticks(self) -> Mapping[str, Any]:
        """Return the settings of Plotly's axis."""
        if self._choices is None:
            return {"type": "log" if self._log else "linear"}
        places = list(range(len(self._choices)))
        names = [plotly_text(number(value)) for value in self._choices]
        return {"tickvals": places, "ticktext": names, "range": [-0.5, len(places) - 0.5]}

    def _value(self, value: ParamValue) -> float:
        if self._choices is not None:
            return float(self._choices.index(value))
        return math.log10(float(value)) if self._log else float(value)


def _is_number(value: ParamValue) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
