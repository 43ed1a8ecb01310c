"""Writes what the dashboard shows beside Optuna's data: the note, the names of the objectives, and figures."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import optuna
import plotly.graph_objects as go
from tuner_storage.study_attributes import read_attributes, write_attributes

from tuner.config.recipe import Recipe
from tuner.dashboard.note import note
from tuner.report.figures.best_so_far import best_so_far
from tuner.report.figures.evaluation import evaluation_figure
from tuner.report.figures.learning_curves import MAX_TRIALS, best_first, learning_curves
from tuner.report.figures.run_time import ended_at, spans_of
from tuner.results.exported import evaluation_of_export
from tuner.results.trials import TrialResult, winner
from tuner.studies import StoredStudy, data_of

CURVES_ID = "learning-curves"
BEST_ID = "best-so-far"
EVALUATION_ID = "evaluation"
_UNKNOWN = "The model that is exported is tested at the end of a run"
TRIES = 3  # if a user saves the note at the same moment
_FIGURE = "dashboard:plot_data:"  # of optuna-dashboard; a figure's id and the number of a piece follow
_NOTE_VERSION = "dashboard:note_ver"  # of optuna-dashboard; it grows with each change of the note


def decorate(stored: StoredStudy, trials: Sequence[TrialResult]) -> None:
    """Write the note, the names of the objectives and the figures of a study.

    The figures are the learning curves, the best value over time, and how the exported model predicts the test rows.

    All of it is one transaction, and only what has changed is written. Of 10,000 trials, the epochs of the 200 that the
    figure shows are read.

    Args:
        stored: The study. It is changed, so only its coordinator may call this.
        trials: All trials.
    """
    recipe = stored.recipe
    figures = {
        CURVES_ID: _curves(stored, recipe, trials),
        BEST_ID: _best_so_far(stored, recipe, trials),
        EVALUATION_ID: _evaluation(stored, recipe, trials),
    }
    for _ in range(TRIES):
        before = read_attributes(stored.store.database, stored.record.optuna_id)
        after = _attributes(stored.study.study_name, recipe, trials, figures, before)
        changed = {key: value for key, value in after.items() if before.get(key) != value}
        seen = {_NOTE_VERSION: before.get(_NOTE_VERSION)}
        if write_attributes(stored.store.database, stored.record.optuna_id, changed, unless=seen):
            return


def _curves(stored: StoredStudy, recipe: Recipe, trials: Sequence[TrialResult]) -> go.Figure | None:
    shown = best_first(trials, recipe)[:MAX_TRIALS]
    epochs = stored.store.epochs(stored.record.id, [trial.number for trial in shown])
    return learning_curves(recipe, shown, epochs)


def _best_so_far(stored: StoredStudy, recipe: Recipe, trials: Sequence[TrialResult]) -> go.Figure | None:
    ended = ended_at(stored.store.attempts(stored.record.id))
    return best_so_far(recipe, trials, ended, spans_of(stored.store.runs(stored.record.id), ended))


def _evaluation(stored: StoredStudy, recipe: Recipe, trials: Sequence[TrialResult]) -> go.Figure | None:
    evaluation = evaluation_of_export(stored, winner(list(trials), recipe))
    data = None if evaluation is None else data_of(stored)
    return evaluation_figure(evaluation, () if data is None else data.schema.classes)


def _attributes(
    name: str,
    recipe: Recipe,
    trials: Sequence[TrialResult],
    figures: Mapping[str, go.Figure | None],
    before: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the attributes of the study as the dashboard's functions write them, tried on a study in memory."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # these functions of Optuna and its dashboard are experimental
        from optuna_dashboard import get_note, save_note, save_plotly_graph_object

        storage = optuna.storages.InMemoryStorage()
        study = optuna.create_study(storage=storage, directions=list(recipe.objective.directions))
        study_id: int = study._study_id  # noqa: SLF001 - Optuna has no public name for it
        for key, value in before.items():
            storage.set_study_system_attr(study_id, key, value)
        study.set_metric_names(list(recipe.objective.names))
        previous = get_note(study)
        text = note(name, recipe, trials, previous=previous)
        if text != previous:
            save_note(study, text)
        for graph_object_id, figure in figures.items():
            if figure is None and f"{_FIGURE}{graph_object_id}:0" in before:  # of an earlier winner, for example
                figure = go.Figure(layout={"title": {"text": _UNKNOWN, "x": 0.02}})  # noqa: PLW2901
            if figure is not None:
                save_plotly_graph_object(study, figure, graph_object_id=graph_object_id)
        return dict(storage.get_study_system_attrs(study_id))
