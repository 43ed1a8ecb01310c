"""The start configuration of a trial is known by what the trial stores, in studies of older versions too."""

from __future__ import annotations

import optuna
from optuna.trial import TrialState

from tests.recipes import small_recipe
from tuner.config.tables import Start
from tuner.search.kept_starts import keep_starts, start_of

STARTS = [
    {"label": "first", "params": {"learning_rate": 0.1}, "epochs": 9},
    {"label": "second", "params": {"learning_rate": 0.2}, "origin": "old"},
]
BEFORE = small_recipe(start=STARTS)


def old_study() -> optuna.Study:
    """Return a study as older versions left it: one start configuration is complete, the other one waits."""
    study = optuna.create_study()
    label = {"label": "first", "asked_epochs": 9}
    study.add_trial(optuna.trial.create_trial(value=0.5, user_attrs=label))
    study.enqueue_trial({"learning_rate": 0.2})
    return study


def test_trials_of_older_versions_keep_their_start_configurations() -> None:
    """The list of the last run gives them to unfinished trials; finished ones have their label."""
    study, changed = old_study(), small_recipe(start=[{"label": "other", "params": {"learning_rate": 0.3}}])
    keep_starts(study, BEFORE)
    first, second = (start_of(trial, changed) for trial in study.get_trials())

    assert first == Start(label="first", params={}, epochs=9)
    assert second == BEFORE.start[1]
    assert start_of(study.get_trials()[0], BEFORE) == BEFORE.start[0]


def test_trials_of_this_version_are_left_as_they_are() -> None:
    """A trial without a start configuration does not get one later, however the list changes."""
    study = optuna.create_study()
    keep_starts(study, small_recipe())
    study.enqueue_trial({"learning_rate": 0.2})
    keep_starts(study, BEFORE)

    assert [start_of(trial, BEFORE) for trial in study.get_trials()] == [None]
    assert study.get_trials()[0].state == TrialState.WAITING
