"""Attempts at a trial: an interrupted trial continues from its checkpoint, and a failed one keeps its reason."""

from __future__ import annotations

import itertools
import json
import os
import signal
import sqlite3
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.recipes import always, small_recipe
from tests.runs import SETUP, Recorder, epochs_of, rows, run_in_vain, run_scripted, trials_of
from tests.scripted import ScriptedTrainer
from tuner.cli.main import main
from tuner.executors.local import LocalExecutor
from tuner.run.progress import RunView


@pytest.mark.slow
def test_a_trial_whose_process_dies_goes_on_from_its_checkpoint(home: Path) -> None:
    """No epoch is missing or trained twice, and its checkpoints are removed when the trial ends (fault 15)."""
    recipe = small_recipe(space=always(6), budget={"trials": 2, "epochs": 6})
    run_scripted(home, recipe, workers=2)

    assert [t.state for t in trials_of(home, recipe)] == ["complete"] * 2
    assert rows(home, "SELECT trial_number, epoch FROM tuner_epoch ORDER BY 1, 2") == [
        (trial, epoch) for trial in range(2) for epoch in range(6)
    ]
    attempts = rows(
        home, "SELECT first_epoch, outcome, device FROM tuner_attempt WHERE trial_number = 0 ORDER BY attempt"
    )
    assert attempts == [(0, "interrupted", "script"), (2, "interrupted", "script"), (4, "complete", "script")]
    assert rows(home, "SELECT COUNT(*) FROM trial_intermediate_values") == [(12,)]
    assert rows(home, "SELECT COUNT(*) FROM tuner_checkpoint") == [(0,)]
    assert {path.suffix for path in (home / "artifacts").rglob("*") if path.is_file()} == {".keras"}


@pytest.mark.slow
def test_a_trial_fails_after_as_many_retries_as_the_recipe_allows(home: Path) -> None:
    """Its reason says what its process died of, and how often."""
    recipe = small_recipe(space=always(6), budget={"trials": 1, "epochs": 6, "retries": 1})
    run_in_vain(home, recipe, "1 failed", workers=1)
    (trial,) = trials_of(home, recipe)
    assert (trial.state, trial.reason) == ("failed", "trainer killed by SIGKILL, 2 times")


@pytest.mark.parametrize("outcome", ["complete", "pruned", "failed"])
def test_a_result_that_was_written_is_not_trained_again(home: Path, outcome: str) -> None:
    """The run was killed after it wrote a result and before Optuna got it. The next run passes it on."""
    recipe = small_recipe(budget={"trials": 3, "epochs": 3})
    run_scripted(home, recipe)
    before = trials_of(home, recipe)
    with sqlite3.connect(home / "studies.db") as connection:
        connection.execute("UPDATE trials SET state = 'RUNNING', datetime_complete = NULL WHERE number = 1")
        connection.execute("DELETE FROM trial_values WHERE trial_id = 2")
        connection.execute("UPDATE tuner_attempt SET outcome = ? WHERE trial_number = 1", (outcome,))
    run_scripted(home, recipe)

    after = trials_of(home, recipe)
    assert [t.state for t in after] == ["complete", outcome, "complete"]
    if outcome == "complete":
        assert [t.value for t in after] == [t.value for t in before]
    assert rows(home, "SELECT COUNT(*) FROM tuner_attempt") == [(3,)]


@pytest.mark.parametrize("damage", ["cut off", "gone"])
def test_a_damaged_checkpoint_falls_back_to_the_one_before(home: Path, damage: str) -> None:
    """The newest two are kept for that. The epochs after the older one are trained again (fault 38)."""
    recipe = small_recipe(space=always(3), budget={"trials": 1, "epochs": 6})
    stops = iter([None, None, None, None, None, None])
    run_scripted(home, recipe, stop=lambda: "interrupt" if len(epochs_of(home)) >= 4 else next(stops, None))
    kept = rows(home, "SELECT epochs, path FROM tuner_checkpoint ORDER BY epochs")
    assert len(kept) == 2
    (older, _), (newest, path) = kept
    file = home / "artifacts" / str(path)
    file.write_text("") if damage == "cut off" else file.unlink()
    run_scripted(home, recipe)

    assert epochs_of(home) == list(range(6))
    assert rows(home, "SELECT first_epoch FROM tuner_attempt ORDER BY attempt") == [(0,), (older,)]
    assert newest == older + 1
    assert [t.state for t in trials_of(home, recipe)] == ["complete"]


def test_an_interrupted_trial_continues_after_its_last_epoch(home: Path) -> None:
    """Its epochs, its reports to Optuna and what is shown while it runs have no gap."""
    recipe = small_recipe(space=always(3), budget={"trials": 1, "epochs": 6})
    run_scripted(home, recipe, stop=lambda: "interrupt" if len(epochs_of(home)) >= 3 else None)
    done = len(epochs_of(home))
    recorder = Recorder()
    run_scripted(home, recipe, recorder=recorder)

    values = [view.running[0].values for view in recorder.views if view.running]
    assert len(values[0]) >= done
    assert epochs_of(home) == list(range(6))
    assert [step for (step,) in rows(home, "SELECT step FROM trial_intermediate_values ORDER BY 1")] == list(range(6))
    (trial,) = trials_of(home, recipe)
    assert (trial.state, trial.epochs) == ("complete", 6)


@pytest.mark.slow
def test_a_trial_that_takes_too_long_fails_and_the_study_goes_on(home: Path) -> None:
    """Its process is terminated, then killed, and another one takes its place (fault 22)."""
    recipe = small_recipe(space=always(4), budget={"trials": 2, "epochs": 2, "trial_timeout": 1.0})
    run_in_vain(home, recipe, "2 failed", workers=2)
    assert [(t.state, t.reason) for t in trials_of(home, recipe)] == [("failed", "timed out after 1 s")] * 2


@pytest.mark.slow
def test_a_stopped_process_is_killed_when_its_time_is_over(home: Path) -> None:
    """It cannot handle the signal that asks it to end."""
    recipe = small_recipe(space=always(4), budget={"trials": 1, "epochs": 2, "trial_timeout": 2.0})
    executor = LocalExecutor(SETUP, 1, ScriptedTrainer)
    stopped: list[int] = []

    def stop(view: RunView) -> None:
        if view.running and not stopped:
            stopped.extend(executor.processes)
            os.kill(stopped[0], signal.SIGSTOP)

    run_in_vain(home, recipe, "1 failed", executor=executor, recorder=Recorder(on_update=stop))
    assert [t.reason for t in trials_of(home, recipe)] == ["timed out after 2 s"]


def test_a_trial_that_runs_out_of_memory_fails_and_is_not_repeated(home: Path) -> None:
    """It would run out of memory again. Python's traceback is kept (fault 25)."""
    recipe = small_recipe(space=always(5), budget={"trials": 2, "epochs": 2})
    run_in_vain(home, recipe, "2 failed")
    assert [(t.state, t.reason) for t in trials_of(home, recipe)] == [("failed", "out of memory")] * 2
    assert (
        rows(home, "SELECT outcome, reason, traceback FROM tuner_attempt")
        == [("failed", "out of memory", "MemoryError")] * 2
    )


@pytest.mark.slow
def test_a_trial_whose_process_the_kernel_killed_for_memory_is_not_repeated(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel counts such kills, so they differ from other kills. The trial fails at once."""
    kills = itertools.count()
    monkeypatch.setattr("tuner.executors.local.out_of_memory_kills", lambda: next(kills))
    recipe = small_recipe(space=always(2), budget={"trials": 1, "epochs": 2})
    run_in_vain(home, recipe, "1 failed", workers=1)
    assert [(t.state, t.reason) for t in trials_of(home, recipe)] == [("failed", "out of memory")]


def test_a_display_that_breaks_does_not_end_the_run(home: Path) -> None:
    """If the terminal or the pipe of the progress display is closed, the run continues without it."""

    def break_it(_view: RunView) -> None:
        raise BrokenPipeError

    run_scripted(home, small_recipe(), recorder=Recorder(on_update=break_it))
    assert [t.state for t in trials_of(home, small_recipe())] == ["complete"] * 6


def test_attempts_are_listed_with_device_times_and_reason(home: Path) -> None:
    """`study trials --attempts` prints them as a table or as JSON."""
    recipe = small_recipe(space=always(3), budget={"trials": 1, "epochs": 6})
    run_scripted(home, recipe, stop=lambda: "interrupt" if len(epochs_of(home)) >= 3 else None)
    run_scripted(home, recipe)
    table = CliRunner().invoke(main, ["study", "trials", "small", "--attempts", "--home", str(home)])
    attempts = json.loads(
        CliRunner().invoke(main, ["study", "trials", "small", "--attempts", "--json", "--home", str(home)]).stdout
    )

    assert table.exit_code == 0, table.stderr
    assert "interrupted" in table.stdout
    assert "script" in table.stdout
    assert [(attempt["number"], attempt["attempt"], attempt["outcome"]) for attempt in attempts] == [
        (0, 0, "interrupted"),
        (0, 1, "complete"),
    ]
    assert attempts[0]["reason"] == "interrupt"
    assert attempts[1]["first_epoch"] >= 3
    assert attempts[1]["started"].endswith("Z")


def test_show_names_the_process_that_runs_a_study(home: Path) -> None:
    """With the time when its lease expires. After the run, nobody runs it."""
    outputs: list[str] = []

    def show(view: RunView) -> None:
        if view.running and not outputs:
            outputs.append(CliRunner().invoke(main, ["study", "show", "small", "--home", str(home)]).stdout)
            outputs.append(CliRunner().invoke(main, ["study", "show", "small", "--json", "--home", str(home)]).stdout)

    run_scripted(home, small_recipe(), recorder=Recorder(on_update=show))
    text, as_json = outputs
    assert f"process {os.getpid()} on" in text
    assert "lease until" in text
    assert f":{os.getpid()}:" in json.loads(as_json)["lease"]["owner"]
    after = CliRunner().invoke(main, ["study", "show", "small", "--home", str(home)]).stdout
    assert "nobody" in after
