"""Puts the report of a study together."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import plotly.graph_objects as go

from tuner import __version__
from tuner.command_line import command, suggesting
from tuner.printable import escaped
from tuner.report.figures import history
from tuner.report.figures import parameters as by_parameter
from tuner.report.figures.best_so_far import best_so_far
from tuner.report.figures.evaluation import panel_figure
from tuner.report.figures.learning_curves import learning_curves
from tuner.report.figures.style import MAX_POINTS, ORANGE, useful_range
from tuner.report.html import details, summary
from tuner.report.html.embed import render
from tuner.report.html.facts import MAX_CURVES, Findings, StudyFacts, find, gather
from tuner.report.html.images import augmented_images
from tuner.results.reader import StudyReader
from tuner.times import for_people

_SHOWN_CURVES = 5  # the others appear after a click


def study_page(study: StudyReader) -> str:
    """Return the report of a study as one HTML page.

    Commands in it are those for the place of the study: the page may be sent to people who have no access to it.
    """
    with suggesting(lambda _verb: ()), study.at_once():
        facts = gather(study)
        findings = find(study, facts)
        slices = by_parameter.slice_names(facts.recipe, facts.trials, findings.importances)
        regions, notes = details.parameters(findings)
        return render(
            "study.html.jinja",
            _figures(facts, findings, slices),
            name=escaped(facts.name),
            description=escaped(facts.recipe.description or ""),
            version=__version__,
            written=for_people(datetime.now(UTC)),
            paragraph=escaped(findings.paragraph).split("`"),  # every second part is a command
            searched=escaped(summary.searched(facts)),
            cards=summary.cards(facts),
            verdict=summary.verdict(facts),
            comparison=summary.comparison(facts),
            get_model=summary.get_model(facts) if facts.best is not None else [],
            reproduce=_reproduce(facts),
            evaluate=_evaluate(facts),
            panels=facts.panels,
            augmented=augmented_images(facts),
            objective=facts.recipe.objective.metric,
            sections=_sections(facts),
            regions=regions,
            importance_notes=notes,
            importance_missing=findings.importances.missing,
            slices=slices,
            thinned=_thinned(facts),
            recipe=json.dumps(facts.recipe.model_dump(mode="json", exclude_none=True), indent=2, ensure_ascii=False),
        )


def _sections(facts: StudyFacts) -> dict[str, object]:
    """Return the tables by name; ``None`` for those without a row."""
    return {
        "best": details.best_trials(facts),
        "standings": details.standings(facts),
        "front": details.front(facts),
        "winner": details.winner(facts, searched=True),
        "fixed": details.winner(facts, searched=False),
        "measured": details.measured(facts),
        "evaluated": details.evaluated(facts),
        "settings": details.settings(facts),
        "failures": details.failures(facts),
        "timing": details.timing(facts),
        "runs": details.runs(facts),
        "data": details.data(facts),
        "columns": details.columns(facts),
        "versions": details.versions(facts),
    }


def _figures(facts: StudyFacts, findings: Findings, slices: list[str]) -> dict[str, go.Figure]:
    recipe, trials = facts.recipe, facts.trials
    drawn: dict[str, go.Figure | None] = {
        "history": history.history(recipe, trials),
        "time": _over_time(facts),
        "front": history.front(recipe, trials, facts.front),
        "importance": by_parameter.importance_bars(findings.importances),
        "parallel": by_parameter.parallel_coordinates(recipe, trials, slices),
        "curves": _curves(facts),
    }
    drawn |= {panel.name: panel_figure(panel) for panel in facts.panels}
    for i, name in enumerate(slices):
        drawn[f"slice-{i}"] = by_parameter.slice_of(recipe, trials, name)
    return {name: figure for name, figure in drawn.items() if figure is not None}


def _over_time(facts: StudyFacts) -> go.Figure | None:
    """Return the figure of the dashboard, in the style of the page."""
    figure = best_so_far(facts.recipe, facts.trials, facts.ended, facts.spans)
    if figure is not None:
        margin = {"l": 10, "r": 10, "t": 10, "b": 10}
        figure.update_layout(title=None, height=300, margin=margin)
        figure.update_traces(line_color=ORANGE, marker_color=ORANGE)
        values = [trial.value for trial in facts.done if trial.value is not None]
        figure.update_yaxes(range=useful_range(values, maximize=facts.recipe.objective.maximize))
    return figure


def _curves(facts: StudyFacts) -> go.Figure | None:
    """Return the figure of the dashboard, in the style of the page: a few curves are visible at once."""
    figure = learning_curves(facts.recipe, facts.trials, facts.curves)
    if figure is None:
        return None
    shown = {str(trial.number) for trial in facts.done[:_SHOWN_CURVES]}
    figure.for_each_trace(lambda line: line.update(visible=True if line.legendgroup in shown else "legendonly"))
    figure.update_layout(title=None, height=620, margin={"l": 10, "r": 10, "t": 10, "b": 10})
    figure.update_layout(legend={"orientation": "h", "y": -0.1, "yanchor": "top", "x": 0})
    return figure


def _reproduce(facts: StudyFacts) -> list[tuple[str, str]]:
    lines = [(command("study start", facts.name), "continue the study, or begin it again elsewhere from its recipe")]
    if facts.best is not None:
        again = command("study reproduce", facts.name, trial=facts.best.number)
        lines.insert(0, (again, "train the winner again and compare every epoch"))
    return lines


def _evaluate(facts: StudyFacts) -> list[tuple[str, str]]:
    return [
        (command("export", facts.name, o="model/"), ""),
        (command("evaluate", "model/", facts.recipe.data, plots="plots/"), "on the test rows, with pictures"),
    ]


def _thinned(facts: StudyFacts) -> str:
    """Return what the figures leave out; empty if they show all."""
    done = len(facts.done)
    parts = []
    if done > MAX_POINTS:
        parts.append(f"scatter plots of the history show {MAX_POINTS:,} of {done:,} complete trials")
    if done > by_parameter.MAX_LINES:
        parts.append(f"parallel coordinates at most {by_parameter.MAX_LINES}, the best and some of the others")
    if done > by_parameter.MAX_SLICE_POINTS:
        parts.append(f"slices at most {by_parameter.MAX_SLICE_POINTS + 100}")
    if done > MAX_CURVES:
        parts.append(f"learning curves the best {MAX_CURVES}")
    return f"To stay readable, figures leave trials out: {'; '.join(parts)}." if parts else ""
