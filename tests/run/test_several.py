"""Studies with several objectives: whole runs with real storage, real samplers and the scripted trainer."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import TrialState
from tuner_storage import locate

from tests.recipes import small_recipe
from tests.runs import Recorder, rows, run_scripted, trials_of
from tuner import studies
from tuner.config.recipe import Recipe
from tuner.results.importance import importances
from tuner.results.overview import list_studies
from tuner.results.trials import TrialResult, front_of
from tuner.search.ask_tell import AskTell

pytestmark = pytest.mark.slow

SPACE = {
    "learning_rate": {"type": "float", "low": 0.001, "high": 0.5},
    "layers": {"type": "int", "low": 1, "high": 2},
    "units": {"type": "int", "low": 4, "high": 64, "log": True},
}


def several(*names: str, trials: int = 15, sampler: str = "random", pruner: str = "none", **changes: Any) -> Recipe:
    """Return a search over models that differ in accuracy and size. ``names`` follow the accuracy as objectives."""
    search = {"sampler": sampler, "pruner": pruner, "threshold": 0.6}
    budget = {"trials": trials, "epochs": 9, "keep": 1}
    objectives = ["val_accuracy", *(names or ("parameters",))]
    return small_recipe(**{"objectives": objectives, "space": SPACE, "search": search, "budget": budget} | changes)


def complete(trials: list[TrialResult]) -> list[TrialResult]:
    """Return those of the trials that are complete."""
    return [trial for trial in trials if trial.state == "complete"]


def test_optuna_gets_all_objectives_of_a_trial(home: Path) -> None:
    """Its values equal the attributes of the trial, in the order of the recipe."""
    recipe = several("parameters", "latency_ms", trials=3)
    run_scripted(home, recipe)
    with studies.existing(locate(home=home), "small") as (_, study, _record):
        stored = study.get_trials()

    assert [direction.name for direction in study.directions] == ["MAXIMIZE", "MINIMIZE", "MINIMIZE"]
    for trial in stored:
        assert trial.values == [trial.user_attrs[name] for name in recipe.objective.names]
        assert trial.values[2] == trial.values[1] / 1e6


def test_seconds_are_those_of_all_attempts(home: Path) -> None:
    """The time of an interrupted attempt counts, for the objective and for the trial."""
    recipe = several("seconds", trials=1, space={**SPACE, "batch_size": 3, "units": 8, "layers": 1})
    recorder = Recorder()
    run_scripted(
        home, recipe, recorder=recorder,
        stop=lambda: "interrupt" if recorder.views and len(recorder.views[-1].running[:1]) else None,
    )  # fmt: skip
    run_scripted(home, recipe)
    (trial,) = trials_of(home, recipe)

    assert trial.values == {"val_accuracy": trial.value, "seconds": trial.seconds}
    assert trial.seconds > 0.2 * 9  # what the scripted trainer reports for the last attempt alone


@pytest.mark.parametrize(
    ("sampler", "pruner"),
    [
        *(("tpe", name) for name in ("none", "asha", "hyperband", "median", "percentile", "sha")),
        *(("tpe", name) for name in ("patient", "threshold")),
        ("nsga2", "asha"),
        ("random", "median"),
    ],
)
def test_samplers_and_pruners_work_with_several_objectives(home: Path, sampler: str, pruner: str) -> None:
    """Trials may be paused, promoted and pruned. The first objective decides."""
    recipe = several(sampler=sampler, pruner=pruner, trials=24)
    run_scripted(home, recipe)
    trials = trials_of(home, recipe)

    assert len(trials) == 24
    assert {trial.state for trial in trials} <= {"complete", "pruned"}
    assert all(set(trial.values) == {"val_accuracy", "parameters"} for trial in complete(trials))
    if pruner in {"asha", "hyperband", "median", "threshold"}:
        assert "pruned" in {trial.state for trial in trials}


def test_qmc_and_grid_work_with_several_objectives(home: Path) -> None:
    """They do not depend on results."""
    run_scripted(home, several(sampler="qmc", trials=4))
    grid = several(sampler="grid", space={"layers": {"type": "int", "low": 0, "high": 2}, "learning_rate": 0.1})
    run_scripted(home, grid, name="grid")

    assert len(complete(trials_of(home, grid, "grid"))) == 3


def test_tpe_ranks_paused_trials_by_the_first_objective(home: Path) -> None:
    """The sampler sees them as finished, with one value and one report, as with one objective."""
    recipe = several(sampler="tpe", pruner="asha", trials=30)
    recorder = Recorder()
    run_scripted(home, recipe, recorder=recorder, stop=lambda: "stop" if len(recorder.ends) > 14 else None)
    with studies.existing(locate(home=home), "small") as (_, study, _record):
        ask_tell = AskTell(study, recipe)
        assert ask_tell.queue.counts().paused
        visible = ask_tell._study.get_trials(deepcopy=False, states=(TrialState.PRUNED,))

        assert ask_tell._study.direction == study.directions[0]
        assert all(trial.values is None or len(trial.values) == 1 for trial in visible)
        assert all(trial.intermediate_values for trial in visible)


def test_a_study_with_several_objectives_repeats_with_its_seed(tmp_path: Path) -> None:
    """With one trainer, states, values and parameters are the same."""
    recipe = several(sampler="tpe", pruner="asha", trials=20)
    results = []
    for home in (tmp_path / "a", tmp_path / "b"):
        run_scripted(home, recipe)
        results.append([(t.state, dict(t.values), dict(t.params)) for t in trials_of(home, recipe)])

    assert results[0] == results[1]


def test_the_pareto_front_equals_that_of_optuna(home: Path) -> None:
    """So our report and the dashboard agree."""
    recipe = several(pruner="median", trials=20)
    run_scripted(home, recipe)
    with studies.existing(locate(home=home), "small") as (_, study, _record):
        front_of_optuna = {trial.number for trial in study.best_trials}
    front = front_of(trials_of(home, recipe), recipe)

    assert {trial.number for trial in front} == front_of_optuna
    assert front[0].value == max(trial.value or 0 for trial in complete(trials_of(home, recipe)))
    assert [trial.parameters for trial in front] == sorted((t.parameters or 0 for t in front), reverse=True)


def test_every_model_on_the_front_is_kept_and_no_other(home: Path) -> None:
    """So every trial on the front can be exported. The recipe keeps one model, which is on the front."""
    recipe = several(trials=20)
    run_scripted(home, recipe)
    trials = trials_of(home, recipe)
    front = {trial.number for trial in front_of(trials, recipe)}

    assert len(front) > 1
    assert {trial.number for trial in trials if trial.kept} == front
    assert {int(path.stem.removeprefix("trial-")) for path in home.rglob("*.keras")} == front


def test_a_run_that_continues_a_study_knows_its_front(home: Path) -> None:
    """The model of an earlier run is kept until a trial dominates its trial."""
    for trials in (4, 9, 20):
        recipe = several(trials=trials)
        run_scripted(home, recipe)
        results = trials_of(home, recipe)
        assert {t.number for t in results if t.kept} == {t.number for t in front_of(results, recipe)}


def test_a_result_that_optuna_did_not_get_is_passed_on_by_the_next_run(home: Path) -> None:
    """A run that dies between the two writes loses no value."""
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


def test_a_trial_whose_result_lacks_an_objective_is_trained_again(home: Path) -> None:
    """A part of the values is no result."""
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
    """It decides in the list of studies, and which trials are confirmed."""
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
    """The accuracy depends on the learning rate alone, the size on the units."""
    recipe = several(trials=30)
    run_scripted(home, recipe)
    with studies.existing(locate(home=home), "small") as stored:
        importance = importances(stored.trials(), maximize=True)

    assert next(iter(importance.ped_anova)) == next(iter(importance.fanova)) == "learning_rate"
    assert importance.fanova["learning_rate"] > 0.8
