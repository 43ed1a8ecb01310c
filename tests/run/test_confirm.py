"""What follows a search: confirmations of the best, the refit of the winner, and its evaluation on the test split."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.recipes import always, small_recipe
from tests.runs import SETUP, Recorder, run_scripted, trials_of
from tests.scripted import ScriptedTrainer
from tuner.config.recipe import Recipe
from tuner.errors import RunError
from tuner.executors.local import LocalExecutor
from tuner.files import is_whole
from tuner.jobs import Job, RefitJob, TestJob, TrialJob
from tuner.records import Outcome
from tuner.study import Study, load_study


def recipe_of(**winner: Any) -> Recipe:
    """Return a search of six trials with rungs, whose best two configurations are confirmed with two further seeds."""
    return small_recipe(
        budget={"trials": 6, "epochs": 4},
        search={"sampler": "random", "pruner": "asha"},
        winner={"confirm": 2, "seeds": 2} | winner,
    )


def study_of(home: Path) -> Study:
    """Return the study as a Python user gets it."""
    return load_study("small", home=home)


def test_the_best_configurations_are_trained_again_with_other_seeds(home: Path) -> None:
    """They train all epochs, do not count in the budget of trials, and have the same parameters."""
    recipe = recipe_of()
    run_scripted(home, recipe)
    trials = trials_of(home, recipe)
    confirmations = [trial for trial in trials if trial.confirms is not None]
    complete = sorted(
        (t for t in trials if t.state == "complete" and t.confirms is None), key=lambda t: -(t.value or 0)
    )

    assert len(trials) == 6 + len(confirmations)
    assert {trial.confirms for trial in confirmations} == {trial.number for trial in complete[:2]}
    assert all(trial.state == "complete" and trial.epochs == 4 for trial in confirmations)
    assert all(trial.params == trials[trial.confirms or 0].params for trial in confirmations)
    assert len(study_of(home).standings()) == len(complete[:2])


def test_starting_a_confirmed_study_again_adds_nothing(home: Path) -> None:
    """Nothing is left to do, so no trainer is started."""
    run_scripted(home, recipe_of(refit=True))
    recorder = Recorder()
    before = trials_of(home, recipe_of())
    run_scripted(home, recipe_of(refit=True), recorder=recorder)

    assert recorder.views == []
    assert trials_of(home, recipe_of()) == before


def test_the_next_run_trains_the_confirmations_that_are_missing(home: Path) -> None:
    """However often the run is interrupted, each configuration ends with exactly two."""
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


def test_a_confirmed_study_that_gets_more_trials_is_confirmed_again(home: Path) -> None:
    """The new trials are numbered after the confirmations, and no earlier trial changes."""
    run_scripted(home, recipe_of())
    first = trials_of(home, recipe_of())
    larger = recipe_of().changed(budget={"trials": 12})
    run_scripted(home, larger)
    trials = trials_of(home, larger)

    assert [(t.state, t.value, t.params) for t in trials[: len(first)]] == [(t.state, t.value, t.params) for t in first]
    assert sum(trial.confirms is None for trial in trials) == 12
    assert all(standing.seeds for standing in study_of(home).standings())


def test_the_winner_is_refitted_and_only_the_refit_is_evaluated(home: Path) -> None:
    """The test split is read once, to evaluate the refitted model, which is the one that is exported."""
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
    """The next run notices the damage and refits the winner once. The run after that has nothing to do."""
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
    assert [path.name for path in (home / "artifacts").rglob("refit-*")] == [Path(second.path).name]
    assert second.path != first.path
    assert study_of(home).refit() == second


def test_a_damaged_refit_is_trained_again_by_a_run_that_requests_none(home: Path) -> None:
    """The refit is the model that is exported, so `study start` restores it without `--refit`."""
    run_scripted(home, recipe_of(refit=True))
    (file,) = (home / "artifacts").rglob("refit-*")
    file.write_text("damaged")
    run_scripted(home, recipe_of(refit=False))
    refit = study_of(home).refit()

    assert refit is not None
    assert is_whole(home / "artifacts" / refit.path, size=refit.size, sha256=refit.sha256)
    assert refit.test == {"loss": 0.1, "accuracy": 0.9}


@pytest.mark.slow
def test_a_refit_that_loses_its_worker_twice_ends_the_run_with_an_error(home: Path) -> None:
    """It is repeated once. Then the message gives the reason and how to try again; no trial is lost."""
    recipe = small_recipe(space=always(2), budget={"trials": 1, "epochs": 2}, winner={"refit": True})
    with pytest.raises(RunError, match="could not be trained on all rows: the trainer was lost each time") as caught:
        run_scripted(home, recipe, workers=1)

    assert caught.value.hint == "no trial is lost; try it again: tuner study start small"
    assert [trial.state for trial in trials_of(home, recipe)] == ["complete"]


@pytest.mark.slow
def test_a_refit_that_loses_its_worker_once_is_repeated(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run then ends as if nothing had happened."""
    recipe = small_recipe(space=always(3), budget={"trials": 1, "epochs": 2}, winner={"refit": True})
    executor = LocalExecutor(SETUP, 1, ScriptedTrainer)
    submit = executor.submit
    jobs: list[Job] = []

    def lose_the_first_refit(batch: Sequence[Job]) -> None:
        jobs.extend(batch)
        submit(batch)
        if sum(isinstance(job, RefitJob) for job in jobs) == 1 and isinstance(batch[0], RefitJob):
            executor.kill(batch[0].number)

    monkeypatch.setattr(executor, "submit", lose_the_first_refit)
    run_scripted(home, recipe, executor=executor)
    refit = study_of(home).refit()

    assert [type(job) for job in jobs] == [TrialJob, RefitJob, RefitJob, TestJob]
    assert refit is not None


def test_the_models_that_may_become_the_winners_are_kept(home: Path) -> None:
    """Even if the recipe keeps fewer models than there are candidates."""
    recipe = recipe_of().changed(budget={"keep": 1})
    run_scripted(home, recipe)
    study = study_of(home)

    assert study.best().kept
    assert {standing.representative for standing in study.standings()} <= {t.number for t in study.trials() if t.kept}


def test_a_timeout_leaves_time_to_confirm(home: Path) -> None:
    """The search ends early enough for the confirmations to be complete within the timeout."""
    space = {"learning_rate": {"type": "float", "low": 0.001, "high": 0.5}, "batch_size": 3, "layers": 0}
    recipe = small_recipe(
        space=space,
        budget={"trials": 100, "epochs": 5, "timeout": 5.5},  # a trial takes 1 s, so 2.2 s are kept
        search={"sampler": "random", "pruner": "none"},
        winner={"confirm": 2, "seeds": 1},
    )
    recorder = Recorder()
    run = run_scripted(home, recipe, recorder=recorder)
    trials = trials_of(home, recipe)

    assert run.stopped_by == "timeout"
    assert sum(trial.confirms is not None and trial.state == "complete" for trial in trials) == 2
    assert recorder.views[-1].elapsed < 5.5 + 2
    assert any("confirming" in view.status for view in recorder.views)
    assert {end.outcome for end in recorder.ends} <= {Outcome.COMPLETE, Outcome.INTERRUPTED}


def test_the_smallest_search_has_a_winner(home: Path) -> None:
    """Neither of two trials is among the best third of its rung. The better one is promoted anyway."""
    recipe = recipe_of(confirm=0).changed(budget={"trials": 2})
    run_scripted(home, recipe)
    first, second = trials_of(home, recipe)

    assert {first.state, second.state} == {"complete", "pruned"}
    assert study_of(home).best().state == "complete"


def test_enough_trials_are_promoted_to_be_confirmed(home: Path) -> None:
    """A third of three trials is one. The second best is promoted at the end because two are to be confirmed."""
    recipe = recipe_of().changed(budget={"trials": 3})
    run_scripted(home, recipe)

    assert len(study_of(home).standings()) == 2


def test_the_best_model_is_evaluated_once(home: Path) -> None:
    """Only the incumbent is evaluated on the test split."""
    recipe = small_recipe()
    run_scripted(home, recipe)
    tested = [t for t in trials_of(home, recipe) if t.test]

    assert [(t.value, t.test) for t in tested] == [
        (max(t.value or 0 for t in trials_of(home, recipe)), {"loss": 0.1, "accuracy": 0.9})
    ]


def test_all_kept_models_are_evaluated_on_request(home: Path) -> None:
    """A comparison of fixed networks needs the test accuracy of all of them."""
    recipe = small_recipe(budget={"trials": 3, "epochs": 2})
    run_scripted(home, recipe, test_all=True)

    assert [t.test is not None for t in trials_of(home, recipe)] == [True] * 3
