"""Draw the best accuracy and loss so far over time as an SVG with two panels.

Each contestant has a line, the mean over the seeds, and a band from the worst seed to the best. The axis of values
begins at the worst contestant's value after a fifth of the time; values outside the axis are cut off. The SVG is
written by hand, because plotly needs a browser to write a file.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from curves import METRICS, Steps, envelope, mean, reached, value_at

WIDTH, HEIGHT = 1000, 430
TOP, BOTTOM = 92, 384  # edges of both panels
LEFTS, PANEL = (62, 556), 292  # left edges of the panels, and their width
GAP = 15  # between the baselines of two labels
FONT = "system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif"
INK, FAINT, GRID = "#222", "#6b6b6b", "#e4e4e4"
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#8a5aa8")  # for all kinds of colour vision: Okabe & Ito 2008
HEADINGS = {"val_accuracy": "Best validation accuracy so far", "val_loss": "Best validation loss so far"}


@dataclass(frozen=True)
class Axes:
    """A panel's scales: seconds from 0 to ``budget``, values from ``low`` to ``high``."""

    left: float
    budget: float
    low: float
    high: float

    def x(self, seconds: float) -> float:
        """Return the horizontal position of a time."""
        return self.left + PANEL * min(seconds, self.budget) / self.budget

    def y(self, value: float) -> float:
        """Return the vertical position of a value."""
        return BOTTOM - (BOTTOM - TOP) * (value - self.low) / (self.high - self.low)


def draw(
    curves: Mapping[str, Mapping[str, Sequence[Steps]]], *, budget: float, ours: str, title: str, subtitle: str
) -> str:
    """Return the SVG.

    Args:
        curves: The best value so far of each seed, by metric and by the displayed name of the contestant.
        budget: Seconds after which the curves end.
        ours: The contestant that is compared with the better of the others.
        title: The headline.
        subtitle: A line in smaller print.
    """
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        _text(LEFTS[0], 28, title, size=16, weight=600),
        _text(LEFTS[0], 47, subtitle, colour=FAINT),
    ]
    for left, (metric, contestants) in zip(LEFTS, curves.items(), strict=True):
        measured = {name: runs for name, runs in contestants.items() if mean(runs)}
        if measured:
            parts += _panel(left, metric, measured, budget, ours)
    return "\n".join([*parts, "</svg>", ""])


def _panel(left: float, metric: str, curves: Mapping[str, Sequence[Steps]], budget: float, ours: str) -> list[str]:
    means = {name: mean(runs) for name, runs in curves.items()}
    ticks, digits = _ticks(metric, means, curves, budget)
    axes = Axes(left, budget, ticks[0], ticks[-1])
    clip = f"clip-{metric}"
    parts = [
        _text(left, TOP - 14, HEADINGS[metric], weight=600),
        f'<clipPath id="{clip}"><rect x="{left}" y="{TOP}" width="{PANEL}" height="{BOTTOM - TOP}"/></clipPath>',
    ]
    for tick in ticks:
        parts.append(_line(left, axes.y(tick), left + PANEL, axes.y(tick), GRID))
        parts.append(_text(left - 8, axes.y(tick) + 4, f"{tick:.{digits}f}", colour=FAINT, anchor="end"))
    for seconds, label in _times(budget):
        parts.append(_line(axes.x(seconds), BOTTOM, axes.x(seconds), BOTTOM + 4, FAINT))
        parts.append(_text(axes.x(seconds), BOTTOM + 18, label, colour=FAINT, anchor="middle"))
    parts.append(_text(left + PANEL / 2, BOTTOM + 36, "minutes since the start", colour=FAINT, anchor="middle"))
    parts.append(f'<g clip-path="url(#{clip})">')
    colours = dict(zip(means, COLOURS, strict=False))
    parts += [_band(axes, runs, colours[name]) for name, runs in curves.items() if len(runs) > 1]
    for name, steps in reversed(means.items()):  # ours is the first, so it is drawn last, on top of the others
        path = _path(axes, steps)
        parts.append(
            f'<path d="{path}" fill="none" stroke="{colours[name]}" stroke-width="2" stroke-linejoin="round"/>'
        )
    parts.append("</g>")
    parts += _crossing(axes, metric, means, ours, colours)
    return parts + _labels(axes, {name: steps[-1][1] for name, steps in means.items()}, colours)


def _ticks(
    metric: str, means: Mapping[str, Steps], curves: Mapping[str, Sequence[Steps]], budget: float
) -> tuple[list[float], int]:
    """Return round values that enclose all shown values, and the number of decimals that they need."""
    early = [value_at(steps, budget / 5) or steps[0][1] for steps in means.values()]
    finals = [steps[-1][1] for runs in curves.values() for steps in runs]
    low, high = min(early + finals), max(early + finals)
    step = _round_step(max(high - low, 1e-4) / 5)
    first = math.floor(low / step + 1e-9) if metric == "val_accuracy" else math.floor(min(finals) / step - 1e-9)
    last = math.ceil(high / step - 1e-9)
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    return [i * step for i in range(first, max(last, first + 1) + 1)], digits


def _round_step(rough: float) -> float:
    """Return the smallest number of the series …, 1, 2, 5, 10, 20, … that is not below ``rough``."""
    power: float = 10 ** math.floor(math.log10(rough))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))


def _times(budget: float) -> list[tuple[float, str]]:
    step = _round_step(budget / 60 / 5)
    return [(60 * i * step, f"{i * step:g}") for i in range(math.floor(budget / 60 / step + 1e-9) + 1)]


def _path(axes: Axes, steps: Steps) -> str:
    """Return the path of a step function until the end of the budget."""
    first, *rest = [(axes.x(seconds), axes.y(value)) for seconds, value in steps]
    return (
        f"M{first[0]:.1f} {first[1]:.1f}"
        + "".join(f"H{x:.1f}V{y:.1f}" for x, y in rest)
        + f"H{axes.x(axes.budget):.1f}"
    )


def _band(axes: Axes, runs: Sequence[Steps], colour: str) -> str:
    edges = envelope(runs)
    ends = [seconds for seconds, _, _ in edges[1:]] + [axes.budget]
    out = [f"{axes.x(t):.1f} {axes.y(edge):.1f}" for (s, edge, _), e in zip(edges, ends, strict=True) for t in (s, e)]
    back = [f"{axes.x(t):.1f} {axes.y(edge):.1f}" for (s, _, edge), e in zip(edges, ends, strict=True) for t in (s, e)]
    return f'<polygon points="{" ".join([*out, *reversed(back)])}" fill="{colour}" fill-opacity="0.14"/>'


def _crossing(axes: Axes, metric: str, means: Mapping[str, Steps], ours: str, colours: Mapping[str, str]) -> list[str]:
    """Mark the point at which our line reaches the final value of the better peer."""
    finals = [steps[-1][1] for name, steps in means.items() if name != ours]
    if ours not in means or not finals:
        return []
    target = METRICS[metric](finals)
    seconds = reached(means[ours], target, metric)
    if seconds is None:
        return []
    x, y = axes.x(seconds), axes.y(target)
    minutes = f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
    path = f"M{x:.1f} {y:.1f}H{axes.x(axes.budget):.1f}M{x:.1f} {y:.1f}V{BOTTOM}"
    return [
        f'<path d="{path}" stroke="{FAINT}" stroke-dasharray="3 3" fill="none"/>',
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="#fff" stroke="{colours[ours]}" stroke-width="2"/>',
        _text(x + 5, BOTTOM - 6, minutes, colour=INK),
    ]


def _labels(axes: Axes, finals: Mapping[str, float], colours: Mapping[str, str]) -> list[str]:
    """Write the name of each line at its end; move names apart if they would overlap."""
    x, parts, last = axes.left + PANEL + 8, [], -math.inf
    for name in sorted(finals, key=lambda name: axes.y(finals[name])):
        last = max(min(axes.y(finals[name]), BOTTOM) + 4, last + GAP)
        parts.append(_text(x, last, name, colour=colours[name], weight=600))
    return parts


def _line(x1: float, y1: float, x2: float, y2: float, colour: str) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"/>'


def _text(
    x: float, y: float, text: str, *, size: int = 12, colour: str = INK, weight: int = 400, anchor: str = "start"
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-family="{FONT}" font-size="{size}" font-weight="{weight}" '
        f'fill="{colour}" text-anchor="{anchor}">{escape(text)}</text>'
    )
