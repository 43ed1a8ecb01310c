"""The figures that the dashboard shows with a study: learning curves, the best value, predictions of the test rows."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from tuner.config.recipe import Recipe
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


def study_figures(stored: StoredStudy, trials: Sequence[TrialResult]) -> dict[str, go.Figure | None]:
    """Return the figures of a study by their ids; ``None`` if there is nothing to show yet.

    Of 10,000 trials, the epochs of the 200 that the figure shows are read.

    Args:
        stored: The study.
        trials: All trials.
    """
    recipe = stored.recipe
    return {
        CURVES_ID: _curves(stored, recipe, trials),
        BEST_ID: _best_so_far(stored, recipe, trials),
        EVALUATION_ID: _evaluation(stored, recipe, trials),
    }


def unknown_figure() -> go.Figure:
    """Return the figure in place of one of an earlier winner."""
    return go.Figure(layout={"title": {"text": _UNKNOWN, "x": 0.02}})


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
