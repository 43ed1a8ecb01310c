"""Another program changes a study while it runs, as the Optuna dashboard or a script of Optuna can."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState
from tuner_storage import Location, locate

from tests.command import DEADLINE, Command
from tests.recipes import always, small_recipe
from tests.runs import Recorder, rows, run_scripted, trials_of
from tests.storage.test_identity import rename
from tuner import studies
from tuner.dashboard.decorate import decorate
from tuner.errors import RunError
from tuner.results.trials import TrialResult
from tuner.run.progress import RunView
from tuner.study import open_study

RECIPE = small_recipe(space=always(3), budget={"trials": 4, "epochs": 3})


def once_running(change: Callable[[RunView], None], complete: int = 1) -> Recorder:
    """Call ``change`` once, while a trial trains and so many are complete."""
    views: list[RunView] = []

    def update(view: RunView) -> None:
        if view.counts.complete >= complete and any(trial.values for trial in view.running) and not views:
            views.append(view)
            change(view)

    return Recorder(on_update=update)


def changed(location: Location, change: Callable[[optuna.Study], object], name: str = "small") -> Recorder:
    """Change a study once while it runs, through another connection."""

    def act(_: RunView) -> None:
        with studies.opened(location) as store:
            change(optuna.load_study(study_name=name, storage=store.optuna))

    return once_running(act)


def delete(study: optuna.Study) -> None:
    optuna.delete_study(study_name=study.study_name, storage=study._storage)


def delete_and_reuse(study: optuna.Study) -> None:
    """SQLite gives the ids of the deleted study and its trials to the new ones."""
    delete(study)
    other = optuna.create_study(study_name="theirs", storage=study._storage)
    for _ in range(4):
        other.ask()


@pytest.mark.parametrize("change", [delete, delete_and_reuse])
def test_a_study_that_is_deleted_while_it_runs_ends_its_run(
    any_location: Location, change: Callable[[optuna.Study], None], caplog: pytest.LogCaptureFixture
) -> None:
    """One line says so, and nothing is written to a study that got the same ids."""
    with caplog.at_level(logging.WARNING), pytest.raises(RunError, match=r"^study 'small' was deleted while it ran$"):
        run_scripted(
            any_location.artifacts.parent, RECIPE, location=any_location, recorder=changed(any_location, change)
        )

    assert caplog.messages == []
    with studies.opened(any_location) as store:
        for summary in optuna.get_all_study_summaries(store.optuna):
            study = optuna.load_study(study_name=summary.study_name, storage=store.optuna)
            assert study.user_attrs == {}
            assert [(t.state, t.user_attrs, t.intermediate_values) for t in study.trials] == [
                (TrialState.RUNNING, {}, {})
            ] * 4


def test_epochs_that_wait_to_be_written_when_their_study_is_deleted_are_no_news(
    home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """They cannot be written at the end of the run either, because the rows of their trials are missing."""
    monkeypatch.setattr("tuner.run.epoch_batch.PAUSE", 3600.0)  # only turns write epochs
    without_checkpoints = small_recipe(space=always(8), budget={"trials": 4, "epochs": 3})
    with caplog.at_level(logging.WARNING), pytest.raises(RunError, match="study 'small' was deleted while it ran"):
        run_scripted(home, without_checkpoints, recorder=changed(locate(home=home), delete))

    assert caplog.messages == []


def test_a_run_of_a_deleted_study_leaves_no_file_and_no_row(home: Path) -> None:
    """Its models and checkpoints are of no use to anybody."""
    recorder = changed(locate(home=home), delete, "digits")
    study = open_study("digits", home=home)
    with pytest.raises(RunError, match="study 'digits' was deleted while it ran") as caught:
        study.run(trials=30, epochs=3, executor="inline", device="cpu", progress=recorder)

    assert caught.value.exit_code == 1
    assert rows(home, "SELECT * FROM tuner_study") == rows(home, "SELECT * FROM tuner_epoch") == []
    assert [path for path in (home / "artifacts").rglob("*") if path.is_file()] == []


def test_a_study_that_is_renamed_while_it_runs_is_continued_under_its_new_name(home: Path) -> None:
    """The message names it. Every result is kept, and the trial that was running is trained again."""

    def act(_: RunView) -> None:
        with studies.opened(locate(home=home)) as store:
            rename(store, "small", "it's better")

    with pytest.raises(RunError, match=r"study 'small' was renamed to 'it's better' while it ran") as caught:
        run_scripted(home, RECIPE, recorder=once_running(act))
    assert str(caught.value.hint).endswith("""tuner study start 'it'"'"'s better'""")
    kept = [trial.value for trial in trials_of(home, RECIPE, "it's better") if trial.state == "complete"]
    run_scripted(home, RECIPE, name="it's better")
    trials = trials_of(home, RECIPE, "it's better")

    assert kept
    assert [trial.value for trial in trials][: len(kept)] == kept
    assert [(trial.number, trial.state) for trial in trials] == [(number, "complete") for number in range(4)]


def running(study: optuna.Study) -> int:
    """Return Optuna's id of the running trial."""
    return next(trial._trial_id for trial in study.trials if trial.state == TrialState.RUNNING)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda study: study._storage.set_trial_state_values(running(study), TrialState.FAIL), "it ended trial 1"),
        (
            lambda study: study._storage.set_trial_state_values(running(study), TrialState.COMPLETE, [0.5]),
            "it ended trial 1",
        ),
        (lambda study: study._storage.set_trial_state_values(running(study), TrialState.WAITING), "it ended trial 1"),
        (lambda study: study.enqueue_trial({"learning_rate": 0.01}), "it added trial 2"),
        (lambda study: study.ask(), "it added trial 2"),
        (lambda study: study.add_trial(optuna.create_trial(value=0.4)), "it added trial 2"),
    ],
    ids=["fail", "complete", "requeue", "enqueue", "ask", "add"],
)
def test_a_trial_that_another_program_changes_ends_the_run(
    home: Path, change: Callable[[optuna.Study], object], message: str
) -> None:
    """One line says what was changed. The next run continues with the study as it is then."""
    location = locate(home=home)
    with pytest.raises(RunError) as caught:
        run_scripted(home, RECIPE, recorder=changed(location, change))
    assert str(caught.value) == f"another program changed study 'small' while it ran: {message}"
    assert caught.value.hint == "every result is kept; continue the study: tuner study start small"

    before = {trial.number: trial.value for trial in trials_of(home, RECIPE) if trial.state == "complete"}
    run_scripted(home, RECIPE)
    trials = trials_of(home, RECIPE)
    assert before
    assert before.items() <= {trial.number: trial.value for trial in trials}.items()
    assert {trial.state for trial in trials} <= {"complete", "failed"}
    assert len(trials) == 4


@pytest.mark.slow
def test_a_study_that_is_deleted_while_its_notes_are_written_is_one_message(
    home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """That of the run. That the notes for the dashboard could not be written is no news then."""
    runs: list[studies.StoredStudy] = []

    def interrupted(stored: studies.StoredStudy, trials: Sequence[TrialResult]) -> None:
        if runs:
            with studies.opened(locate(home=home)) as store:
                delete(optuna.load_study(study_name="digits", storage=store.optuna))
        runs.append(stored)
        decorate(stored, trials)

    monkeypatch.setattr("tuner.dashboard.decorate.decorate", interrupted)
    monkeypatch.setattr("tuner.run.upkeep.EVERY", 0.0)
    with caplog.at_level(logging.WARNING), pytest.raises(RunError, match="study 'digits' was deleted while it ran"):
        open_study("digits", home=home).run(trials=30, epochs=1, executor="inline", device="cpu")

    assert len(runs) == 2
    assert caplog.messages == []


def test_the_command_says_in_one_line_that_its_study_was_deleted(tuner: Command) -> None:
    """Exit code 1 and no traceback. No process and no file of the study is left."""
    process = tuner.start("--trials", "500", "--workers", "2", "--quiet")
    tuner.until(lambda: len(tuner.rows("SELECT 1 FROM tuner_attempt WHERE outcome = 'complete'")) >= 2)
    with studies.opened(locate(home=tuner.folder / ".tuner")) as store:
        optuna.delete_study(study_name="digits", storage=store.optuna)
    out, err = process.communicate(timeout=DEADLINE)

    assert process.returncode == 1
    assert out == ""
    assert err.splitlines() == ["Error: study 'digits' was deleted while it ran"]
    assert not tuner.processes(process.pid)
    assert not [path for path in (tuner.folder / ".tuner" / "artifacts").rglob("*") if path.is_file()]
    assert tuner.rows("SELECT 1 FROM tuner_study") == []
