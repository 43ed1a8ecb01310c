"""Whole runs with real storage, real samplers and the scripted trainer."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from tuner_storage import locate

from tests.recipes import always, small_recipe
from tests.runs import SETUP, Recorder, rows, run_scripted, trials_of
from tests.scripted import ScriptedTrainer
from tuner import studies
from tuner.errors import RunError, StorageError
from tuner.executors.inline import InlineExecutor
from tuner.jobs import TrainerSetup
from tuner.records import Outcome
from tuner.run.progress import RunView


def test_a_run_ends_after_the_requested_number_of_trials(home: Path) -> None:
    """Every trial is complete, the numbers have no gap, and every epoch is stored."""
    recipe = small_recipe()
    run_scripted(home, recipe)

    assert [(t.number, t.state, t.epochs) for t in trials_of(home, recipe)] == [(n, "complete", 4) for n in range(6)]
    assert rows(home, "SELECT COUNT(*), MIN(epoch), MAX(epoch) FROM tuner_epoch") == [(24, 0, 3)]
    assert rows(home, "SELECT DISTINCT outcome FROM tuner_attempt") == [("complete",)]


def test_starting_again_tops_up_to_the_new_total(home: Path) -> None:
    """`--trials` is the total of the study. It is not the number of further trials."""
    run_scripted(home, small_recipe(budget={"trials": 4, "epochs": 2}))
    first = trials_of(home, small_recipe())
    larger = small_recipe(budget={"trials": 7, "epochs": 2})
    run_scripted(home, larger)

    assert len(trials_of(home, larger)) == 7
    assert [(t.params, t.value) for t in trials_of(home, larger)][:4] == [(t.params, t.value) for t in first]


def test_a_finished_study_starts_no_trainer(home: Path) -> None:
    """Starting it again is instant, because TensorFlow is not imported."""
    run_scripted(home, small_recipe())
    recorder = Recorder()
    run_scripted(home, small_recipe(), recorder=recorder)

    assert recorder.views == []


def test_a_study_with_one_trainer_repeats_with_its_seed(tmp_path: Path) -> None:
    """Parameters and values are the same, those of pruned trials included."""
    recipe = small_recipe(budget={"trials": 15, "epochs": 6}, search={"sampler": "tpe", "pruner": "median", "seed": 3})
    results = []
    for home in (tmp_path / "a", tmp_path / "b"):
        run_scripted(home, recipe)
        results.append([(t.state, t.value, t.epochs, dict(t.params)) for t in trials_of(home, recipe)])

    assert results[0] == results[1]
    assert "pruned" in {state for state, *_ in results[0]}


def test_an_interrupted_study_proposes_what_it_would_have_proposed(tmp_path: Path) -> None:
    """The seed of a trial depends on its number and not on the number of runs."""
    search = {"sampler": "random", "pruner": "none", "seed": 5}
    whole = small_recipe(search=search)
    run_scripted(tmp_path / "a", whole)
    for trials in (2, 3, 6):
        run_scripted(tmp_path / "b", small_recipe(search=search, budget={"trials": trials, "epochs": 4}))

    assert [t.params for t in trials_of(tmp_path / "a", whole)] == [t.params for t in trials_of(tmp_path / "b", whole)]


def test_what_was_measured_is_kept_in_the_attributes_of_the_trial(home: Path) -> None:
    """Our transaction writes them to Optuna's table, and Optuna reads them."""
    recipe = small_recipe(budget={"trials": 1, "epochs": 2})
    run_scripted(home, recipe)
    with studies.existing(locate(home=home), "small") as (_, study, _record):
        attributes = study.trials[0].user_attrs

    assert attributes["epochs"] == 2
    assert attributes["best_epoch"] == 1
    assert attributes["parameters"] == 1000
    assert attributes["val_accuracy"] == study.trials[0].value
    assert "reason" not in attributes


def test_a_pruned_trial_ends_after_the_epoch_at_which_it_was_pruned(home: Path) -> None:
    """No later epoch is stored, and its model is not kept."""
    recipe = small_recipe(budget={"trials": 15, "epochs": 6}, search={"sampler": "random", "pruner": "median"})
    run_scripted(home, recipe)
    pruned = [t for t in trials_of(home, recipe) if t.state == "pruned"]

    assert pruned
    for trial in pruned:
        assert trial.epochs < 6
        assert rows(home, f"SELECT COUNT(*) FROM tuner_epoch WHERE trial_number = {trial.number}") == [(trial.epochs,)]
        assert not trial.kept


def test_only_the_best_models_are_kept(home: Path) -> None:
    """The rows name these models, and no other model file exists."""
    recipe = small_recipe(budget={"trials": 8, "epochs": 2, "keep": 3})
    run_scripted(home, recipe)
    kept = {t.number for t in trials_of(home, recipe) if t.kept}
    best = sorted(trials_of(home, recipe), key=lambda t: -(t.value or 0))[:3]

    assert kept == {t.number for t in best}
    assert {int(path.stem.removeprefix("trial-")) for path in home.rglob("*.keras")} == kept


def test_a_failed_trial_is_never_the_best(home: Path) -> None:
    """A study continues after a failure, and its incumbent is a complete trial."""
    space = always(1) | {"batch_size": {"type": "choice", "choices": [1, 64]}}
    recipe = small_recipe(space=space, search={"sampler": "random", "pruner": "none", "seed": 1})
    recorder = Recorder()
    run_scripted(home, recipe, recorder=recorder)

    assert {t.state for t in trials_of(home, recipe)} == {"complete", "failed"}
    best = recorder.views[-1].best
    assert best is not None
    assert trials_of(home, recipe)[best[0]].state == "complete"


def test_a_request_to_stop_queues_the_running_trials_again(home: Path) -> None:
    """They keep their numbers, and the next run finishes them."""
    recipe = small_recipe(space=always(3), budget={"trials": 3, "epochs": 3})
    recorder = Recorder()
    coordinator = run_scripted(
        home,
        recipe,
        recorder=recorder,
        stop=lambda: "interrupt" if recorder.views and recorder.views[-1].running else None,
    )
    assert coordinator.stopped_by == "interrupt"
    assert [t.state for t in trials_of(home, recipe)] == ["waiting"]
    assert rows(home, "SELECT outcome, reason FROM tuner_attempt") == [("interrupted", "interrupt")]

    run_scripted(home, recipe)
    assert [(t.number, t.state) for t in trials_of(home, recipe)] == [(n, "complete") for n in range(3)]
    assert rows(home, "SELECT attempt, outcome FROM tuner_attempt WHERE trial_number = 0") == [
        (0, "interrupted"),
        (1, "complete"),
    ]


def test_the_timeout_ends_a_run(home: Path) -> None:
    """It bounds one run. Another run can continue the study."""
    recipe = small_recipe(space=always(3), budget={"trials": 50, "epochs": 3, "timeout": 1.5})
    coordinator = run_scripted(home, recipe)

    assert coordinator.stopped_by == "timeout"
    assert 1 <= len(trials_of(home, recipe)) < 50


def test_a_timeout_before_any_trial_is_complete_completes_the_best_one_early(home: Path) -> None:
    """Otherwise there would be no model to export. The study goes on as always."""
    recipe = small_recipe(space=always(3), budget={"trials": 50, "epochs": 50, "timeout": 1.0})
    run_scripted(home, recipe)

    ended = [trial for trial in trials_of(home, recipe) if trial.state == "complete"]
    assert len(ended) == 1
    assert 1 <= ended[0].epochs < 50
    assert ended[0].kept
    assert ended[0].test is not None


def test_trials_that_a_dead_run_left_running_are_run_again(home: Path) -> None:
    """The next run trains the trial of a killed run with the same number and parameters (fault 15)."""
    recipe = small_recipe()

    class Crash(Exception):  # noqa: N818
        pass

    def crash(view: RunView) -> None:
        if view.running and view.running[0].number == 2:
            raise Crash

    with pytest.raises(Crash):
        run_scripted(home, recipe, recorder=Recorder(on_update=crash))
    with sqlite3.connect(home / "studies.db") as connection:  # as SIGKILL would have left it
        connection.execute("UPDATE trials SET state = 'RUNNING' WHERE number = 2")
        connection.execute("UPDATE tuner_attempt SET outcome = NULL, ended = NULL WHERE trial_number = 2")
        connection.execute("INSERT INTO trial_intermediate_values VALUES (999, 3, 77, 0.5, 'FINITE')")
    params = trials_of(home, recipe)[2].params
    run_scripted(home, recipe)

    trials = trials_of(home, recipe)
    assert [(t.number, t.state) for t in trials] == [(n, "complete") for n in range(6)]
    assert trials[2].params == params
    assert rows(home, "SELECT outcome, reason FROM tuner_attempt WHERE trial_number = 2")[0] == (
        "interrupted",
        "killed",
    )
    # The reports of the dead attempt are removed. Otherwise pruners would see epochs that do not count.
    assert rows(home, "SELECT COUNT(*) FROM trial_intermediate_values WHERE step = 77") == [(0,)]


@pytest.mark.slow
def test_a_killed_trainer_costs_one_attempt_of_one_trial(home: Path) -> None:
    """The trial is tried again in a new process, and nothing else is lost (fault 15)."""
    recipe = small_recipe(space=always(2), budget={"trials": 3, "epochs": 2})
    run_scripted(home, recipe, workers=2)

    assert [t.state for t in trials_of(home, recipe)] == ["complete"] * 3
    assert rows(home, "SELECT outcome, reason, COUNT(*) FROM tuner_attempt GROUP BY 1, 2 ORDER BY 1") == [
        ("complete", None, 3),
        ("interrupted", "killed by SIGKILL", 3),
    ]


def test_start_configurations_run_first_with_their_own_epochs(home: Path) -> None:
    """The configurations of the recipe come before those of the sampler."""
    start = [{"label": "mine", "epochs": 2, "params": {"learning_rate": 0.25}}]
    recipe = small_recipe(start=start, budget={"trials": 2, "epochs": 4})
    run_scripted(home, recipe)
    first, second = trials_of(home, recipe)

    assert (first.label, first.epochs, first.params) == ("mine", 2, {"learning_rate": 0.25})
    assert (second.label, second.epochs) == (None, 4)


def test_a_trainer_that_cannot_start_ends_the_run_with_its_reason(home: Path) -> None:
    """If a GPU is requested and there is none, the exit code is 1 (fault 26)."""

    def refuse(setup: TrainerSetup, threads: int | None) -> ScriptedTrainer:
        raise RunError("no GPU was found", hint="use --device auto")

    with pytest.raises(RunError, match="no GPU was found") as error:
        run_scripted(home, small_recipe(), executor=InlineExecutor(SETUP, refuse))
    assert error.value.exit_code == 1
    assert error.value.hint == "use --device auto"
    assert trials_of(home, small_recipe()) == []


def test_a_database_that_breaks_during_a_run_is_a_storage_error(home: Path) -> None:
    """An exception of SQLAlchemy or Optuna becomes one line for the user."""

    def break_it(_view: RunView) -> None:
        with sqlite3.connect(home / "studies.db") as connection:
            connection.execute("DROP TABLE IF EXISTS trial_values")

    with pytest.raises(StorageError, match=r"studies\.db cannot be used: .*no such table") as error:
        run_scripted(home, small_recipe(), recorder=Recorder(on_update=break_it))
    assert error.value.exit_code == 3
    assert "\n" not in str(error.value)


def test_the_end_of_every_trial_is_shown(home: Path) -> None:
    """The progress display receives the number, the outcome and the epochs of every trial that ends."""
    recorder = Recorder()
    run_scripted(home, small_recipe(budget={"trials": 2, "epochs": 2}), recorder=recorder)

    assert [(end.number, end.outcome, end.epochs) for end in recorder.ends] == [
        (0, Outcome.COMPLETE, 2),
        (1, Outcome.COMPLETE, 2),
    ]
