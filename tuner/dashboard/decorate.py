"""Writes what the dashboard shows beside Optuna's data: the note, the names of the objectives, and figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tuner_storage.study_attributes import read_attributes, write_attributes

from tuner.config.recipe import Recipe
from tuner.dashboard.note import note
from tuner.dashboard.pieces import FIGURE, NOTE, NOTE_VERSION, joined, pieces
from tuner.results.trials import TrialResult
from tuner.studies import StoredStudy

if TYPE_CHECKING:
    import plotly.graph_objects as go

TRIES = 3  # if a user saves the note at the same moment
_METRIC_NAMES = "study:metric_names"  # of Optuna


def decorate(stored: StoredStudy, trials: Sequence[TrialResult]) -> None:
    """Write the note, the names of the objectives and the figures of a study.

    All of it is one transaction, and only what has changed is written.

    Args:
        stored: The study. It is changed, so only its coordinator may call this.
        trials: All trials.
    """
    # Without trials too: a run calls this first while its trainers import TensorFlow, so plotly costs no time then.
    from tuner.dashboard.study_figures import study_figures

    figures = study_figures(stored, trials) if trials else {}
    for _ in range(TRIES):
        before = read_attributes(stored.store.database, stored.record.optuna_id)
        after = _attributes(stored.study.study_name, stored.recipe, trials, figures, before)
        changed = {key: value for key, value in after.items() if before.get(key) != value}
        seen = {NOTE_VERSION: before.get(NOTE_VERSION)}
        if write_attributes(stored.store.database, stored.record.optuna_id, changed, unless=seen):
            return


def _attributes(
    name: str,
    recipe: Recipe,
    trials: Sequence[TrialResult],
    figures: Mapping[str, go.Figure | None],
    before: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the attributes of the study that the dashboard shows."""
    attributes: dict[str, Any] = {_METRIC_NAMES: list(recipe.objective.names)}
    previous = joined(before, NOTE)
    text = note(name, recipe, trials, previous=previous)
    if text != previous:
        attributes |= {NOTE_VERSION: before.get(NOTE_VERSION, 0) + 1, **pieces(text, NOTE, before)}
    for figure_id, figure in figures.items():
        prefix = FIGURE.format(figure_id)
        if figure is None and f"{prefix}0" in before:  # of an earlier winner, for example
            from tuner.dashboard.study_figures import unknown_figure

            figure = unknown_figure()  # noqa: PLW2901
        if figure is not None:
            attributes |= pieces(figure.to_json(), prefix, before)
    return attributes
