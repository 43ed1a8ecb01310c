"""The best trials of a study are found without reading all of them, and all are read in pages."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from tuner_storage import locate

from tests.recipes import small_recipe
from tests.runs import run_scripted, trials_of
from tuner import studies
from tuner.results import study_trials
from tuner.results.study_trials import StudyTrials
from tuner.results.trials import front_of, ranked, ranking_of, standings_of, winner
from tuner.study import load_study

SEVERAL = {"objective": {"metric": "val_accuracy", "also": ["parameters"]}}


@pytest.mark.parametrize("settings", [{}, {"winner": {"confirm": 2, "seeds": 2}}, SEVERAL])
def test_the_best_are_those_of_all_trials(settings: dict[str, object], home: Path) -> None:
    """With one objective, with confirmations, and with several objectives."""
    recipe = small_recipe(budget={"trials": 12, "epochs": 3}, **settings)
    run_scripted(home, recipe)
    trials = trials_of(home, recipe)
    with studies.existing(locate(home=home), "small") as stored:
        few = StudyTrials(stored)

        assert few.ranking == ranking_of(trials, recipe)
        assert few.winner() == winner(trials, recipe)
        assert few.some(few.ranking.numbers()) == ranked(trials, recipe)
    study = load_study("small", home=home)
    assert study.top(3) == ranked(trials, recipe)[:3]
    assert study.standings() == standings_of(trials, recipe)
    assert study.front() == front_of(trials, recipe)


def test_a_trial_that_another_program_damaged_does_not_win(home: Path) -> None:
    """Its value is still there, but nothing else of it can be read."""
    run_scripted(home, small_recipe(budget={"trials": 6, "epochs": 3}))
    study = load_study("small", home=home)
    before, second = study.top(2)
    with sqlite3.connect(home / "studies.db") as database:
        change = (
            "UPDATE trial_user_attributes SET value_json = '[1]' WHERE key = 'epochs' AND trial_id IN "
            f"(SELECT trial_id FROM trials WHERE number = {before.number})"
        )
        database.execute(change)
    database.close()

    assert study.best() == second
    assert study.trial(before.number).state == "failed"


def test_pages_hold_all_trials_in_order(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many there are, also if the last page is full."""
    monkeypatch.setattr(study_trials, "PAGE", 3)
    recipe = small_recipe(budget={"trials": 6, "epochs": 2})
    run_scripted(home, recipe)

    pages = list(load_study("small", home=home).pages())

    assert [len(page) for page in pages] == [3, 3]
    assert [trial for page in pages for trial in page] == trials_of(home, recipe)
