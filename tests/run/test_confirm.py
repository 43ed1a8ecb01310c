"""After the search: further seeds for the best, the winner on all rows, its one evaluation; with a scripted trainer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.recipes import small_recipe
from tests.runs import Recorder, run_scripted, trials_of
from tuner.config.recipe import Recipe
from tuner.records import Outcome
from tuner.study import Study, load_study


def recipe_of(**winner: Any) -> Recipe:
    """Return a search of six trials with rungs, whose best two are confirmed with two further seeds each."""
    return small_recipe(
        budget={"trials": 6, "epochs": 4},
        search={"sampler": "random", "pruner": "asha"},
        winner={"confirm": 2, "seeds": 2} | winner,
    )


def study_of(home: Path) -> Study:
    """Return the study as its user sees it."""
    return load_study("small", home=home)


def test_the_best_configurations_are_trained_again_with_other_seeds(home: Path) -> None:
    """To their full epochs, beyond the budget of trials, with the same parameters and seeds of their own."""
    recipe = recipe_of()
    run_scripted(home, recipe)
    trials = trials_of(home, recipe)
    again = [trial for trial in trials if trial.confirms is not None]
    complete = sorted(
        (t for t in trials if t.state == "complete" and t.confirms is None), key=lambda t: -(t.value or 0)
    )

    assert len(trials) == 6 + len(again)
    assert {trial.confirms for trial in again} == {trial.number for trial in complete[:2]}
    assert all(trial.state == "complete" and trial.epochs == 4 for trial in again)
    assert all(trial.params == trials[trial.confirms or 0].params for trial in again)
    assert len(study_of(home).standings()) == len(complete[:2])


def test_starting_a_confirmed_study_again_adds_nothing(home: Path) -> None:
    """Everything is done: no trainer is started."""
    run_scripted(home, recipe_of(refit=True))
    recorder = Recorder()
    before = trials_of(home, recipe_of())
    run_scripted(home, recipe_of(refit=True), recorder=recorder)

    assert recorder.views == []
    assert trials_of(home, recipe_of()) == before


def test_what_is_missing_of_the_further_seeds_is_trained_by_the_next_run(home: Path) -> None:
    """However often the run is interrupted while it confirms, there are two of each in the end."""
    recipe = recipe_of()
    stops = 0
    for after in range(1, 12):
        recorder = Recorder()
        run = run_scripted(
            home,
            recipe,
            recorder=recorder,
            stop=lambda: "interrupt" if len(recorder.ends) >= after else None,  # noqa: B023
        )
        stops += run.stopped_by is not None
    confirms = [trial.confirms for trial in trials_of(home, recipe) if trial.confirms is not None]

    assert sorted(confirms) == sorted(2 * sorted(set(confirms)))
    assert stops >= 3


def test_more_trials_are_searched_first_and_then_confirmed_if_they_are_better(home: Path) -> None:
    """The numbers of the new trials come after those of the further seeds, and nothing is mixed up."""
    run_scripted(home, recipe_of())
    first = trials_of(home, recipe_of())
    larger = recipe_of().changed(budget={"trials": 12})
    run_scripted(home, larger)
    trials = trials_of(home, larger)

    assert [(t.state, t.value, t.params) for t in trials[: len(first)]] == [(t.state, t.value, t.params) for t in first]
    assert sum(trial.confirms is None for trial in trials) == 12
    assert all(each.seeds for each in study_of(home).standings())


def test_the_winner_is_trained_on_all_rows_and_evaluated_alone(home: Path) -> None:
    """The one evaluation on the test split is that of the model which is handed over."""
    run_scripted(home, recipe_of(refit=True))
    study = study_of(home)
    refit = study.refit()

    assert refit is not None
    assert refit.number == study.best().number
    assert refit.epochs == 4
    assert refit.test == {"loss": 0.1, "accuracy": 0.9}
    assert all(trial.test is None for trial in study.trials())
    assert study.as_json()["test"] == refit.test
    assert study.as_json()["refit"]["epochs"] == 4


@pytest.mark.parametrize("damage", ["changed", "gone"])
def test_a_damaged_refit_is_trained_again(home: Path, damage: str) -> None:
    """The next run sees it and does it once more; a run after that has nothing to do."""
    run_scripted(home, recipe_of(refit=True))
    (file,) = (home / "artifacts").rglob("refit-*")
    if damage == "gone":
        file.unlink()
    else:
        file.write_text("something else")
    first = study_of(home).refit()
    run_scripted(home, recipe_of(refit=True))
    second = study_of(home).refit()
    run_scripted(home, recipe_of(refit=True))

    assert first is not None
    assert second is not None
    assert (second.number, second.sha256, second.test) == (first.number, first.sha256, first.test)
    assert [each.name for each in (home / "artifacts").rglob("refit-*")] == [Path(second.path).name]
    assert second.path != first.path
    assert study_of(home).refit() == second


def test_the_models_that_may_be_the_winners_are_kept(home: Path) -> None:
    """Also where fewer are to be kept than there are candidates."""
    recipe = recipe_of().changed(budget={"keep": 1})
    run_scripted(home, recipe)
    study = study_of(home)

    assert study.best().kept
    assert {each.representative for each in study.standings()} <= {t.number for t in study.trials() if t.kept}


def test_a_timeout_leaves_time_to_confirm(home: Path) -> None:
    """The search ends before its time is over, so that the winner can be made sure of within it."""
    space = {"learning_rate": {"type": "float", "low": 0.001, "high": 0.5}, "batch_size": 3, "layers": 0}
    recipe = small_recipe(
        space=space,
        budget={"trials": 100, "epochs": 2, "timeout": 5.0},
        search={"sampler": "random", "pruner": "none"},
        winner={"confirm": 2, "seeds": 1},
    )
    recorder = Recorder()
    run = run_scripted(home, recipe, recorder=recorder)
    trials = trials_of(home, recipe)

    assert run.stopped_by == "timeout"
    assert sum(trial.confirms is not None and trial.state == "complete" for trial in trials) == 2
    assert recorder.views[-1].elapsed < 7
    assert any("confirming" in view.note for view in recorder.views)
    assert {end.outcome for end in recorder.ends} <= {Outcome.COMPLETE, Outcome.INTERRUPTED}


def test_the_smallest_search_has_a_winner(home: Path) -> None:
    """Two trials have nobody to beat at a rung: the best one of them goes on to the end all the same."""
    recipe = recipe_of(confirm=0).changed(budget={"trials": 2})
    run_scripted(home, recipe)
    first, second = trials_of(home, recipe)

    assert {first.state, second.state} == {"complete", "pruned"}
    assert study_of(home).best().state == "complete"


def test_as_many_trials_are_complete_as_are_to_be_confirmed(home: Path) -> None:
    """Three trials promote one; the second best goes on at the end to be compared with it."""
    recipe = recipe_of().changed(budget={"trials": 3})
    run_scripted(home, recipe)

    assert len(study_of(home).standings()) == 2
