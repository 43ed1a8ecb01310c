"""Draws the history of a study and the importance of its parameters as one picture, with matplotlib."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tuner.errors import UsageError
from tuner.evaluation.plots import SUFFIXES, styled_figure
from tuner.printable import escaped
from tuner.report.figures.history import improvements
from tuner.report.figures.style import BLUE, GREY, MAX_POINTS, ORANGE, thinned, useful_range
from tuner.results.importance import Importances
from tuner.results.trials import TrialResult, ranked

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from tuner.config.recipe import Recipe


def check_suffix(file: Path) -> str:
    """Return the format of a picture, ``png`` or ``svg``.

    Raises:
        UsageError: If its name ends otherwise.
    """
    if file.suffix.lower() not in SUFFIXES:
        raise UsageError(f"a picture is a .png or a .svg file, got '{file}'", hint="name it history.png or history.svg")
    return file.suffix.lower().removeprefix(".")


def draw_study(
    file: Path, kind: str, *, name: str, recipe: Recipe, trials: list[TrialResult], importances: Importances
) -> None:
    """Draw a study.

    Args:
        file: The file to write.
        kind: ``png`` or ``svg``.
        name: Name of the study.
        recipe: Its recipe.
        trials: All its trials.
        importances: The importance of each parameter. Without any, only the history is drawn.

    Raises:
        UsageError: If matplotlib is not installed.
    """
    with styled_figure() as figure:
        if importances.ped_anova:
            figure.set_size_inches(11, 5)
            left, right = figure.subplots(1, 2, width_ratios=(3, 2))
            _importance(right, importances)
        else:
            left = figure.subplots()
        _history(left, recipe, trials)
        figure.suptitle(escaped(name))
        figure.savefig(file, format=kind, dpi=150, metadata={"Date": None} if kind == "svg" else None)


def _history(axes: Axes, recipe: Recipe, trials: list[TrialResult]) -> None:
    maximize = recipe.objective.maximize
    done = sorted(ranked(trials, recipe), key=lambda trial: trial.number)
    pruned = [trial for trial in trials if trial.state == "pruned" and trial.value is not None]
    for label, some, colour, marker in (("pruned", pruned, GREY, "x"), ("complete", done, BLUE, "o")):
        shown = thinned(some, MAX_POINTS)
        if shown:
            values = [trial.value or 0.0 for trial in shown]
            axes.scatter([t.number for t in shown], values, s=12, color=colour, marker=marker, alpha=0.7, label=label)
    points = improvements([(trial.number, trial.value or 0.0) for trial in done], maximize=maximize)
    points.append((trials[-1].number, points[-1][1]))
    axes.step([x for x, _ in points], [y for _, y in points], where="post", color=ORANGE, label="best so far")
    low_high = useful_range([trial.value or 0.0 for trial in done], maximize=maximize)
    axes.set(xlabel="trial", ylabel=recipe.objective.metric, title="History")
    if low_high is not None:
        axes.set_ylim(*low_high)
    axes.legend(frameon=False)


def _importance(axes: Axes, importances: Importances) -> None:
    names = list(importances.ped_anova)
    places = range(len(names))
    axes.barh(places, [100 * importances.ped_anova[name] for name in names], 0.4, color=BLUE, label="PED-ANOVA")
    if importances.fanova:
        beside = [place + 0.4 for place in places]
        shares = [100 * importances.fanova.get(name, 0.0) for name in names]
        axes.barh(beside, shares, 0.4, color=GREY, label="fANOVA")
    axes.set_yticks([place + 0.2 for place in places], [escaped(name) for name in names])
    axes.invert_yaxis()
    axes.set(xlabel="share in %", title="Importance")
    axes.legend(frameon=False)
