"""The event loop, with real storage and ask_tell and a trainer that follows a script."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from storage import locate
from storage.lease import Lease
from tests.recipes import always, small_recipe
from tests.runs import SETUP, Recorder, rows, run_scripted, trials_of
from tests.scripted import ScriptedTrainer
from tuner import studies
from tuner.errors import RunError, StorageError
from tuner.executors import InlineExecutor
from tuner.jobs import TrainerSetup
from tuner.records import Outcome
from tuner.run.progress import RunView


def test_a_run_ends_with_the_asked_total_of_trials(home: Path) -> None:
    """Every trial is complete, numbered without gaps, and has its epochs written down."""
    recipe = small_recipe()
    run_scripted(home, recipe)

    assert [(t.number, t.state, t.epochs) for t in trials_of(home, recipe)] == [(n, "complete", 4) for n in range(6)]
    assert rows(home, "SELECT COUNT(*), MIN(epoch), MAX(epoch) FROM tuner_epoch") == [(24, 0, 3)]
    assert rows(home, "SELECT DISTINCT outcome FROM tuner_attempt") == [("complete",)]


def test_starting_again_tops_up_to_the_new_total(home: Path) -> None:
    """`--trials` is the study's total, not more trials."""
    run_scripted(home, small_recipe(budget={"trials": 4, "epochs": 2}))
    first = trials_of(home, small_recipe())
    larger = small_recipe(budget={"trials": 7, "epochs": 2})
    run_scripted(home, larger)

    assert len(trials_of(home, larger)) == 7
    assert [(t.params, t.value) for t in trials_of(home, larger)][:4] == [(t.params, t.value) for t in first]


def test_a_finished_study_starts_no_trainer(home: Path) -> None:
    """Starting it again is instant: TensorFlow is not imported for nothing."""
    run_scripted(home, small_recipe())
    recorder = Recorder()
    run_scripted(home, small_recipe(), recorder=recorder)

    assert recorder.views == []


def test_one_trainer_and_one_seed_give_the_same_study(tmp_path: Path) -> None:
    """Parameters and values repeat, pruned trials included."""
    recipe = small_recipe(budget={"trials": 15, "epochs": 6}, search={"sampler": "tpe", "pruner": "median", "seed": 3})
    studies = []
    for home in (tmp_path / "a", tmp_path / "b"):
        run_scripted(home, recipe)
        studies.append([(t.state, t.value, t.epochs, dict(t.params)) for t in trials_of(home, recipe)])

    assert studies[0] == studies[1]
    assert "pruned" in {state for state, *_ in studies[0]}


def test_an_interrupted_study_proposes_what_it_would_have_proposed(tmp_path: Path) -> None:
    """The seed of a trial depends on its number, not on how many runs there were."""
    search = {"sampler": "random", "pruner": "none", "seed": 5}
    whole = small_recipe(search=search)
    run_scripted(tmp_path / "a", whole)
    for trials in (2, 3, 6):
        run_scripted(tmp_path / "b", small_recipe(search=search, budget={"trials": trials, "epochs": 4}))

    assert [t.params for t in trials_of(tmp_path / "a", whole)] == [t.params for t in trials_of(tmp_path / "b", whole)]


def test_facts_are_kept_with_the_trial(home: Path) -> None:
    """Optuna reads back what was written to its table in one transaction."""
    recipe = small_recipe(budget={"trials": 1, "epochs": 2})
    run_scripted(home, recipe)
    with studies.existing(locate(home=home), "small") as (_, study, _record):
        facts = study.trials[0].user_attrs

    assert facts["epochs"] == 2
    assert facts["best_epoch"] == 1
    assert facts["parameters"] == 1000
    assert facts["val_accuracy"] == study.trials[0].value
    assert "reason" not in facts


def test_a_pruned_trial_ends_at_the_epoch_that_condemned_it(home: Path) -> None:
    """Its epochs, its value and its attempt agree, and its model is not kept."""
    recipe = small_recipe(budget={"trials": 15, "epochs": 6}, search={"sampler": "random", "pruner": "median"})
    run_scripted(home, recipe)
    pruned = [t for t in trials_of(home, recipe) if t.state == "pruned"]

    assert pruned
    for trial in pruned:
        assert trial.epochs < 6
        assert rows(home, f"SELECT COUNT(*) FROM tuner_epoch WHERE trial_number = {trial.number}") == [(trial.epochs,)]
        assert not trial.kept


def test_only_the_best_models_stay_on_disk(home: Path) -> None:
    """Rows and files agree, and the best trial's model is among them."""
    recipe = small_recipe(budget={"trials": 8, "epochs": 2, "keep": 3})
    run_scripted(home, recipe)
    kept = {t.number for t in trials_of(home, recipe) if t.kept}
    best = sorted(trials_of(home, recipe), key=lambda t: -(t.value or 0))[:3]

    assert kept == {t.number for t in best}
    assert {int(path.stem.removeprefix("trial-")) for path in home.rglob("*.keras")} == kept


def test_the_best_model_is_evaluated_once(home: Path) -> None:
    """The test split is read by the final evaluation alone."""
    recipe = small_recipe()
    run_scripted(home, recipe)
    tested = [t for t in trials_of(home, recipe) if t.test]

    assert [(t.value, t.test) for t in tested] == [
        (max(t.value or 0 for t in trials_of(home, recipe)), {"loss": 0.1, "accuracy": 0.9})
    ]


def test_failing_trials_end_the_study_with_the_most_common_reason(home: Path) -> None:
    """Five in a row are enough (fault 24); they stay in the table."""
    recipe = small_recipe(space=always(1), budget={"trials": 20, "epochs": 2})
    with pytest.raises(RunError, match=r"5 trials failed in a row, most often with: loss was nan in epoch 1"):
        run_scripted(home, recipe)

    assert [(t.state, t.reason) for t in trials_of(home, recipe)] == [("failed", "loss was nan in epoch 1")] * 5


def test_a_failed_trial_is_never_the_best(home: Path) -> None:
    """A study with failures goes on, and its best is a complete trial."""
    space = always(1) | {"batch_size": {"type": "choice", "choices": [1, 64]}}
    recipe = small_recipe(space=space, search={"sampler": "random", "pruner": "none", "seed": 1})
    recorder = Recorder()
    run_scripted(home, recipe, recorder=recorder)

    assert {t.state for t in trials_of(home, recipe)} == {"complete", "failed"}
    best = recorder.views[-1].best
    assert best is not None
    assert trials_of(home, recipe)[best[0]].state == "complete"


def test_a_wish_to_stop_puts_running_trials_back_into_the_queue(home: Path) -> None:
    """Their numbers are kept, and the next run finishes them."""
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
    """It bounds one run; the study can go on later."""
    recipe = small_recipe(space=always(3), budget={"trials": 50, "epochs": 3, "timeout": 1.5})
    coordinator = run_scripted(home, recipe)

    assert coordinator.stopped_by == "timeout"
    assert 1 <= len(trials_of(home, recipe)) < 50


def test_trials_that_a_dead_run_left_running_are_run_again(home: Path) -> None:
    """A run that was killed leaves no zombie: its trial keeps number and parameters (fault 15)."""
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
    # What the dead attempt reported is gone, else pruners would see epochs that never were.
    assert rows(home, "SELECT COUNT(*) FROM trial_intermediate_values WHERE step = 77") == [(0,)]


@pytest.mark.slow
def test_a_killed_trainer_costs_one_attempt_of_one_trial(home: Path) -> None:
    """The trial runs again in a new process; nothing else is lost (fault 15)."""
    recipe = small_recipe(space=always(2), budget={"trials": 3, "epochs": 2})
    run_scripted(home, recipe, workers=2)

    assert [t.state for t in trials_of(home, recipe)] == ["complete"] * 3
    assert rows(home, "SELECT outcome, reason, COUNT(*) FROM tuner_attempt GROUP BY 1, 2 ORDER BY 1") == [
        ("complete", None, 3),
        ("interrupted", "killed by SIGKILL", 3),
    ]


def test_a_run_that_lost_its_lease_ends(home: Path) -> None:
    """There are never two writers: who was asleep for too long writes nothing more (fault 19)."""
    queries = ["SELECT * FROM tuner_epoch", "SELECT * FROM tuner_attempt", "SELECT * FROM tuner_run"]
    queries += ["SELECT * FROM trials", "SELECT * FROM trial_intermediate_values", "SELECT * FROM tuner_lease"]
    left: list[object] = []

    def steal(view: RunView) -> None:
        if view.counts.complete == 2 and not left:
            with sqlite3.connect(home / "studies.db", timeout=10) as connection:
                connection.execute("UPDATE tuner_lease SET owner = 'elsewhere:1:1'")
            left.extend(rows(home, query) for query in queries)

    with pytest.raises(RunError, match="was taken over by another run"):
        run_scripted(home, small_recipe(), recorder=Recorder(on_update=steal))
    assert [rows(home, query) for query in queries] == left


def test_a_second_run_is_told_who_holds_the_study(home: Path) -> None:
    """Exactly one of two goes on (fault 21)."""
    run_scripted(home, small_recipe())
    with studies.existing(locate(home=home), "small") as (store, _, record):
        other = Lease(store.database, record.id, "small")
        other.owner = "elsewhere:1:1"
        other.acquire()
        with pytest.raises(RunError, match="is being run by process 1 on elsewhere"):
            store.lease(record.id, "small").acquire()


def test_start_configurations_run_first_with_their_own_epochs(home: Path) -> None:
    """The recipe's known good points come before the sampler's."""
    start = [{"label": "known", "epochs": 2, "params": {"learning_rate": 0.25}}]
    recipe = small_recipe(start=start, budget={"trials": 2, "epochs": 4})
    run_scripted(home, recipe)
    first, second = trials_of(home, recipe)

    assert (first.label, first.epochs, first.params) == ("known", 2, {"learning_rate": 0.25})
    assert (second.label, second.epochs) == (None, 4)


def test_all_kept_models_are_evaluated_on_request(home: Path) -> None:
    """A comparison of fixed networks needs the test accuracy of each."""
    recipe = small_recipe(budget={"trials": 3, "epochs": 2})
    run_scripted(home, recipe, test_all=True)

    assert [t.test is not None for t in trials_of(home, recipe)] == [True] * 3


def test_a_trainer_that_cannot_be_had_ends_the_run_with_its_reason(home: Path) -> None:
    """No GPU where one was asked for is exit code 1 (fault 26)."""

    def refuse(setup: TrainerSetup, threads: int | None) -> ScriptedTrainer:
        raise RunError("no GPU was found", hint="use --device auto")

    with pytest.raises(RunError, match="no GPU was found") as error:
        run_scripted(home, small_recipe(), executor=InlineExecutor(SETUP, refuse))
    assert error.value.exit_code == 1
    assert error.value.hint == "use --device auto"
    assert trials_of(home, small_recipe()) == []


def test_a_database_that_breaks_during_a_run_is_a_storage_error(home: Path) -> None:
    """Optuna's own exceptions never reach the user as a traceback."""

    def break_it(_view: RunView) -> None:
        with sqlite3.connect(home / "studies.db") as connection:
            connection.execute("DROP TABLE IF EXISTS trial_values")

    with pytest.raises(StorageError, match=r"studies\.db cannot be used: .*no such table") as error:
        run_scripted(home, small_recipe(), recorder=Recorder(on_update=break_it))
    assert error.value.exit_code == 3
    assert "\n" not in str(error.value)


def test_the_end_of_each_trial_is_announced(home: Path) -> None:
    """A line per trial can be printed from what is told."""
    recorder = Recorder()
    run_scripted(home, small_recipe(budget={"trials": 2, "epochs": 2}), recorder=recorder)

    assert [(end.number, end.outcome, end.epochs) for end in recorder.ends] == [
        (0, Outcome.COMPLETE, 2),
        (1, Outcome.COMPLETE, 2),
    ]
