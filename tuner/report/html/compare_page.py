"""Puts the page of a comparison together."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import plotly.graph_objects as go

from tuner import __version__
from tuner.printable import escaped
from tuner.report.figures.history import Point, improvements
from tuner.report.figures.run_time import improvements_in_time
from tuner.report.figures.style import BLUE, GREEN, ORANGE, PURPLE, RED, new_figure, plotly_text, short
from tuner.report.html.embed import render
from tuner.report.html.facts import StudyFacts
from tuner.report.html.tables import PageTable
from tuner.report.side_by_side import describe_comparison, sides_cells
from tuner.results.side_by_side import Comparison, Side, compare_sides
from tuner.times import for_people

COLOURS = (BLUE, ORANGE, GREEN, PURPLE, RED)


def comparison_of(studies: Sequence[StudyFacts]) -> Comparison:
    """Compare studies that were read."""
    return compare_sides([side_of(facts) for facts in studies])


def side_of(facts: StudyFacts) -> Side:
    """Return what a comparison needs of a study."""
    return Side(
        name=facts.name,
        recipe=facts.recipe,
        fingerprint=facts.record.data_fingerprint,
        environment=facts.record.environment,
        best=facts.best,
        standing=facts.standings[0] if facts.standings else None,
        test=facts.test,
        complete=len(facts.done),
        seconds=float(facts.timing["wall"]),
    )


def compare_page(studies: Sequence[StudyFacts]) -> str:
    """Return a comparison as one HTML page: the verdict, the studies, what differed, and the best value over time."""
    comparison = comparison_of(studies)
    head, rows = sides_cells(comparison)
    names = [side.name for side in comparison.sides]
    verdict = comparison.verdict
    best = None if verdict is None else names.index(verdict.winner)
    differences = [(each.name, *each.values) for each in comparison.differences]
    return render(
        "compare.html.jinja",
        _figures(studies),
        names=[escaped(name) for name in names],
        version=__version__,
        written=for_people(datetime.now(UTC)),
        sentence=escaped(describe_comparison(comparison)),
        sure=bool(verdict and verdict.real),
        studies=PageTable.of("The winner of each study", head, rows, best=best),
        differences=PageTable.of("What differed", ("", *names), differences) if differences else None,
        objective=studies[0].recipe.objective.metric,
    )


def _figures(studies: Sequence[StudyFacts]) -> dict[str, go.Figure]:
    by_trial = [
        improvements(
            sorted((trial.number + 1, trial.value or 0.0) for trial in facts.done),
            maximize=facts.recipe.objective.maximize,
        )
        for facts in studies
    ]
    by_time = [
        [
            (minutes, trial.value or 0.0)
            for minutes, trial in improvements_in_time(facts.recipe, facts.trials, facts.ended, facts.spans)
        ]
        for facts in studies
    ]
    ends = [float(len(facts.trials)) for facts in studies], [facts.timing["wall"] / 60 for facts in studies]
    drawn = {
        "by-trial": _lines(studies, by_trial, ends[0], "trials"),
        "by-time": _lines(studies, by_time, ends[1], "minutes of running"),
    }
    return {name: figure for name, figure in drawn.items() if figure is not None}


def _lines(
    studies: Sequence[StudyFacts], lines: Sequence[Sequence[Point]], ends: Sequence[float], title: str
) -> go.Figure | None:
    """Return the best value so far of each study; ``None`` if none has one."""
    if not any(lines):
        return None
    figure = new_figure()
    for i, (facts, points, end) in enumerate(zip(studies, lines, ends, strict=True)):
        if points:
            figure.add_scatter(
                name=plotly_text(facts.name),
                mode="lines",
                line={"shape": "hv", "color": COLOURS[i % len(COLOURS)], "width": 2},
                x=[short(x) for x, _ in points] + [short(max(end, points[-1][0]))],
                y=[short(value) for _, value in points] + [short(points[-1][1])],
            )
    figure.update_xaxes(title_text=title, rangemode="tozero")
    figure.update_yaxes(title_text=studies[0].recipe.objective.metric)
    return figure
