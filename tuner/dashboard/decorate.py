"""Writes what the dashboard shows beside Optuna's data: the note, the names of the objectives, learning curves."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import optuna

from tuner.config.recipe import Recipe
from tuner.dashboard.note import note
from tuner.report.figures.learning_curves import Curves, learning_curves
from tuner.results.trials import TrialResult

CURVES_ID = "learning-curves"


def decorate(study: optuna.Study, recipe: Recipe, trials: Sequence[TrialResult], curves: Curves) -> None:
    """Write the note, the names of the objectives and the learning curves of a study.

    Args:
        study: Optuna's study. It is changed, so only its coordinator may call this.
        recipe: The study's recipe.
        trials: All trials.
        curves: The metrics of every epoch by trial number.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # these functions of Optuna and its dashboard are experimental
        from optuna_dashboard import get_note, save_note, save_plotly_graph_object

        study.set_metric_names(list(recipe.objective.names))
        save_note(study, note(study.study_name, recipe, trials, previous=get_note(study)))
        figure = learning_curves(recipe, trials, curves)
        if figure is not None:
            save_plotly_graph_object(study, figure, graph_object_id=CURVES_ID)
