"""What all figures of a report share: colours for light and dark pages, text that is no markup, and few points.

A figure has no colours of a page: the script of the report gives it those of the reader's colour scheme.
"""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from typing import TypeVar

import plotly.graph_objects as go

from tuner.printable import escaped

Item = TypeVar("Item")

# Okabe and Ito's palette without black and yellow: readable on white and on black, and by people who see few colours.
BLUE, ORANGE, GREEN, GREY, RED, PURPLE = "#3b8fc4", "#d98200", "#159c76", "#8a929c", "#d55e00", "#b970a0"
MAX_POINTS = 2000  # of a scatter plot
_LONGEST = 40  # characters of a name in a figure


def plotly_text(text: object) -> str:
    """Return text that Plotly shows as it is. Plotly reads tags such as ``<b>`` and ``<a>``, and entities."""
    shown = escaped(str(text))
    shown = shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 1]}…"
    return html.escape(shown, quote=False)


def thinned(items: Sequence[Item], most: int = MAX_POINTS) -> Sequence[Item]:
    """Return at most ``most`` of the items, evenly spaced, the first and the last included."""
    if len(items) <= most:
        return items
    return [items[round(i * (len(items) - 1) / (most - 1))] for i in range(most)]


def short(value: float | None, digits: int = 5) -> float | None:
    """Return a value with so many significant digits, which are enough for a screen; ``None`` if it is not finite."""
    return float(f"{value:.{digits}g}") if value is not None and math.isfinite(value) else None


def new_figure(height: int = 360) -> go.Figure:
    """Return an empty figure without colours of a page."""
    axis = {"automargin": True, "zeroline": False, "exponentformat": "e"}
    return go.Figure(
        layout={
            "template": go.layout.Template(layout={"xaxis": axis, "yaxis": axis}),
            "height": height,
            "margin": {"l": 10, "r": 10, "t": 10, "b": 10},
            "legend": {"orientation": "h", "y": 1, "yanchor": "bottom", "x": 0},
            "hoverlabel": {"align": "left"},
        }
    )


def useful_range(values: Sequence[float], *, maximize: bool) -> list[float] | None:
    """Return a range of an axis with the better nine tenths of the values, so that a few bad ones hide no detail."""
    known = sorted(value for value in values if math.isfinite(value))
    if not known:
        return None
    cut = len(known) // 10
    low, high = (known[cut], known[-1]) if maximize else (known[0], known[-1 - cut])
    margin = (high - low) * 0.08 or abs(high) * 0.01 or 1.0
    return [low - margin, high + margin]
