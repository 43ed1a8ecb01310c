"""What a run writes for the dashboard, read by Optuna."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

import optuna
import pytest
from optuna_dashboard import get_note, save_note
from optuna_dashboard._custom_plot_data import get_plotly_graph_objects, save_graph_object_json
from tuner_storage import locate

from tests.dashboard.conftest import Finished
from tuner import studies
from tuner.dashboard.decorate import decorate
from tuner.dashboard.pieces import FIGURE, NOTE, NOTE_VERSION, joined, pieces


def test_the_objective_has_its_name(finished: Finished) -> None:
    """The dashboard shows the name instead of ``Objective 0``."""
    with studies.existing(locate(home=finished.home), "small") as (_, study, _record):
        assert study.metric_names == ["val_accuracy"]


def test_a_study_without_trials_can_be_decorated(finished: Finished) -> None:
    """A run may be interrupted before a trial has ended."""
    with studies.opened(locate(home=finished.home)) as store:
        stored = studies.create_or_resume(store, "empty", finished.recipe, "0" * 64)
        decorate(stored, [])

        assert stored.study.metric_names == ["val_accuracy"]


def test_a_run_that_was_killed_does_not_count_until_today(finished: Finished) -> None:
    """It ended with its last trial; else the figure of the best value would be months long."""
    with sqlite3.connect(finished.home / "studies.db") as connection:
        connection.execute("UPDATE tuner_run SET started = '2020-01-01 00:00:00', ended = NULL WHERE id = 1")
        connection.execute("UPDATE tuner_attempt SET ended = '2020-01-01 00:05:00'")
    finished.run(14)
    figure = json.loads(get_plotly_graph_objects(finished.system_attrs())["best-so-far"])

    assert 5 <= figure["data"][0]["x"][-1] < 10


@pytest.mark.parametrize("texts", [["ä" * 5000, "short"], ["short", "", "x" * 2045, "x" * 2046]])
def test_texts_are_stored_as_by_the_functions_of_the_dashboard(texts: list[str]) -> None:
    """It reads them, and a run reads what a user wrote in it."""
    study = optuna.create_study()
    prefix = FIGURE.format("curves")
    ours: dict[str, Any] = {}
    for text in texts:
        save_note(study, text)
        save_graph_object_json(study._storage, study._study_id, prefix, text)
        ours |= {NOTE_VERSION: ours.get(NOTE_VERSION, 0) + 1, **pieces(text, NOTE, ours), **pieces(text, prefix, ours)}

    assert ours == study._storage.get_study_system_attrs(study._study_id)
    assert joined(ours, NOTE) == get_note(study) == texts[-1]
