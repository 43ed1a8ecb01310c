"""Studies with several objectives, with real storage and ask_tell and a trainer that follows a script."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import TrialState

from storage import locate
from tests.recipes import small_recipe
from tests.runs import Recorder, rows, run_scripted, trials_of
from tuner import studies
from tuner.config.recipe import Recipe
from tuner.results.importance import importances
from tuner.results.overview import list_studies
from tuner.results.trials import TrialResult, front_of
from tuner.search.ask_tell import AskTell

SPACE = {
    "learning_rate": {"type": "float", "low": 0.001, "high": 0.5},
    "layers": {"type": "int", "low": 1, "high": 2},
    "units": {"type": "int", "low": 4, "high": 64, "log": True},
}


def several(*names: str, trials: int = 15, sampler: str = "random", pruner: str = "none", **changes: Any) -> Recipe:
    """Return a recipe whose models differ in accuracy and size."""
    search = {"sampler": sampler, "pruner": pruner, "threshold": 0.6}
    budget = {"trials": trials, "epochs": 9, "keep": 1}
    objectives = ["val_accuracy", *(names or ("parameters",))]
    return small_recipe(**{"objectives": objectives, "space": SPACE, "search": search, "budget": budget} | changes)


def complete(trials: list[TrialResult]) -> list[TrialResult]:
    return [trial for trial in trials if trial.state == "complete"]


def test_a_trial_is_told_with_all_its_objectives(home: Path) -> None:
    """Optuna knows what the facts say, in the order of the recipe."""
    recipe = several("parameters", "latency_ms", trials=3)
    run_scripted(home, recipe)
    with studies.existing(locate(home=home), "small") as (_, study, _record):
        found = study.get_trials()

    assert [each.name for each in study.directions] == ["MAXIMIZE", "MINIMIZE", "MINIMIZE"]
    for trial in found:
        assert trial.values == [trial.user_attrs[name] for name in recipe.objective.names]
        assert trial.values[2] == trial.values[1] / 1e6


def test_seconds_are_those_of_all_attempts(home: Path) -> None:
    """What an interrupted attempt trained counts, and the trial's facts say the same."""
    recipe = several("seconds", trials=1, space={**SPACE, "batch_size": 3, "units": 8, "layers": 1})
    recorder = Recorder()
    run_scripted(
        home, recipe, recorder=recorder,
        stop=lambda: "interrupt" if recorder.views and len(recorder.views[-1].running[:1]) else None,
    )  # fmt: skip
    run_scripted(home, recipe)
    (trial,) = trials_of(home, recipe)

    assert trial.values == {"val_accuracy": trial.value, "seconds": trial.seconds}
    assert trial.seconds > 0.2 * 9  # that of the last attempt alone, as the script says


@pytest.mark.parametrize(
    ("sampler", "pruner"),
    [
        *(("tpe", name) for name in ("none", "asha", "hyperband", "median", "percentile", "sha")),
        *(("tpe", name) for name in ("patient", "threshold")),
        ("nsga2", "asha"),
        ("random", "median"),
    ],
)
def test_every_sampler_and_pruner_works(home: Path, sampler: str, pruner: str) -> None:
    """Pruned, paused and promoted trials among them; the first objective decides about them."""
    recipe = several(sampler=sampler, pruner=pruner, trials=24)
    run_scripted(home, recipe)
    trials = trials_of(home, recipe)

    assert len(trials) == 24
    assert {trial.state for trial in trials} <= {"complete", "pruned"}
    assert all(set(trial.values) == {"val_accuracy", "parameters"} for trial in complete(trials))
    if pruner in {"asha", "hyperband", "median", "threshold"}:
        assert "pruned" in {trial.state for trial in trials}


def test_qmc_and_grid_work(home: Path) -> None:
    """They do not look at results at all."""
    run_scripted(home, several(sampler="qmc", trials=4))
    grid = several(sampler="grid", space={"layers": {"type": "int", "low": 0, "high": 2}, "learning_rate": 0.1})
    run_scripted(home, grid, name="grid")

    assert len(complete(trials_of(home, grid, "grid"))) == 3


def test_tpe_ranks_paused_trials_by_the_first_objective(home: Path) -> None:
    """What a sampler is shown of them has an end and a report, as with one objective."""
    recipe = several(sampler="tpe", pruner="asha", trials=30)
    recorder = Recorder()
    run_scripted(home, recipe, recorder=recorder, stop=lambda: "stop" if len(recorder.ends) > 14 else None)
    with studies.existing(locate(home=home), "small") as (_, study, _record):
        ask_tell = AskTell(study, recipe)
        assert ask_tell.queue.counts().paused
        shown = ask_tell._study.get_trials(deepcopy=False, states=(TrialState.PRUNED,))

        assert ask_tell._study.direction == study.directions[0]
        assert all(trial.values is None or len(trial.values) == 1 for trial in shown)
        assert all(trial.intermediate_values for trial in shown)


def test_a_study_with_one_trainer_repeats(tmp_path: Path) -> None:
    """Nothing about several objectives depends on chance."""
    recipe = several(sampler="tpe", pruner="asha", trials=20)
    studies = []
    for home in (tmp_path / "a", tmp_path / "b"):
        run_scripted(home, recipe)
        studies.append([(t.state, dict(t.values), dict(t.params)) for t in trials_of(home, recipe)])

    assert studies[0] == studies[1]


def test_the_front_is_what_optuna_says(home: Path) -> None:
    """Our report and the dashboard never disagree."""
    recipe = several(pruner="median", trials=20)
    run_scripted(home, recipe)
    with studies.existing(locate(home=home), "small") as (_, study, _record):
        theirs = {trial.number for trial in study.best_trials}
    front = front_of(trials_of(home, recipe), recipe)

    assert {trial.number for trial in front} == theirs
    assert front[0].value == max(trial.value or 0 for trial in complete(trials_of(home, recipe)))
    assert [trial.parameters for trial in front] == sorted((t.parameters or 0 for t in front), reverse=True)


def test_every_model_on_the_front_is_kept_and_no_other(home: Path) -> None:
    """Whoever leaves it goes, unless it is among the best; so any of the front can be exported."""
    recipe = several(trials=20)
    run_scripted(home, recipe)
    trials = trials_of(home, recipe)
    front = {trial.number for trial in front_of(trials, recipe)}

    assert len(front) > 1
    assert {trial.number for trial in trials if trial.kept} == front
    assert {int(path.stem.removeprefix("trial-")) for path in home.rglob("*.keras")} == front


def test_a_run_that_goes_on_knows_the_front(home: Path) -> None:
    """Models of an earlier run stay as long as nothing better came, and go then."""
    for trials in (4, 9, 20):
        recipe = several(trials=trials)
        run_scripted(home, recipe)
        found = trials_of(home, recipe)
        assert {t.number for t in found if t.kept} == {t.number for t in front_of(found, recipe)}


def test_a_result_that_optuna_was_not_told_is_settled(home: Path) -> None:
    """A run that died between the two writes loses neither value."""
    recipe = several(trials=6)
    run_scripted(home, recipe)
    before = trials_of(home, recipe)
    with sqlite3.connect(home / "studies.db") as connection:  # as SIGKILL would have left it
        connection.execute("UPDATE trials SET state = 'RUNNING', datetime_complete = NULL WHERE number = 2")
        connection.execute("DELETE FROM trial_values WHERE trial_id = 3")
    run_scripted(home, recipe)
    after = trials_of(home, recipe)

    assert [(t.state, t.values) for t in after] == [(t.state, t.values) for t in before]
    assert rows(home, "SELECT COUNT(*) FROM trial_values WHERE trial_id = 3") == [(2,)]
    assert [t.number for t in front_of(after, recipe)] == [t.number for t in front_of(before, recipe)]


def test_a_result_without_one_of_its_objectives_is_tried_again(home: Path) -> None:
    """Half a result is none."""
    recipe = several(trials=4)
    run_scripted(home, recipe)
    with sqlite3.connect(home / "studies.db") as connection:
        connection.execute("UPDATE trials SET state = 'RUNNING', datetime_complete = NULL WHERE number = 2")
        connection.execute("DELETE FROM trial_values WHERE trial_id = 3")
        connection.execute("DELETE FROM trial_user_attributes WHERE trial_id = 3 AND key = 'parameters'")
    run_scripted(home, recipe)

    assert len(complete(trials_of(home, recipe))) == 4
    assert rows(home, "SELECT COUNT(*) FROM tuner_attempt WHERE trial_number = 2") == [(2,)]


def test_the_first_objective_names_the_best_trial(home: Path) -> None:
    """The list of studies, confirming and the target go by it."""
    recipe = several(trials=12, winner={"confirm": 2, "seeds": 2})
    run_scripted(home, recipe)
    trials = trials_of(home, recipe)
    (line,) = list_studies(locate(home=home))

    assert line.best is not None
    assert line.best[1] == max(trial.value or 0 for trial in trials)
    assert line.objectives == ("val_accuracy", "parameters")
    assert line.as_json()["objectives"] == ["val_accuracy", "parameters"]
    assert len([trial for trial in trials if trial.confirms is not None]) == 4


def test_importances_are_those_of_the_first_objective(home: Path) -> None:
    """The accuracy follows from the learning rate alone, the size from the units."""
    recipe = several(trials=30)
    run_scripted(home, recipe)
    with studies.existing(locate(home=home), "small") as (_, study, _record):
        worth = importances(study)

    assert next(iter(worth.ped_anova)) == next(iter(worth.fanova)) == "learning_rate"
    assert worth.fanova["learning_rate"] > 0.8
