"""What a run repairs before it begins: states in which a killed run can leave a study."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from tuner_storage import locate

from tests.recipes import small_recipe
from tests.runs import Recorder, rows, run_scripted, trials_of
from tuner import studies
from tuner.config.recipe import Recipe
from tuner.run.incumbents import Incumbents
from tuner.run.precision import StudyPrecision
from tuner.run.recovery import recover
from tuner.run.sharing import Alone
from tuner.run.trial_writer import TrialWriter
from tuner.search.ask_tell import AskTell


def recipe_with_rungs() -> Recipe:
    """Return a search of 12 trials with rungs after 1 and 3 of 9 epochs."""
    return small_recipe(budget={"trials": 12, "epochs": 9}, search={"sampler": "random", "pruner": "asha", "seed": 3})


def test_checkpoints_of_a_finished_trial_are_removed(home: Path) -> None:
    """The run was killed after it wrote the result and before it removed them. The next run removes row and file."""
    recipe = small_recipe()
    run_scripted(home, recipe)
    file = home / "artifacts" / "study-00001" / "trial-00002.after-00003.npz"
    file.write_text("a checkpoint")
    with sqlite3.connect(home / "studies.db") as connection:
        connection.execute(
            "INSERT INTO tuner_checkpoint (study_id, trial_number, epochs, path, sha256, size)"
            " SELECT id, 2, 3, 'study-00001/trial-00002.after-00003.npz', '', 12 FROM tuner_study"
        )
    run_scripted(home, recipe)

    assert rows(home, "SELECT COUNT(*) FROM tuner_checkpoint") == [(0,)]
    assert not file.exists()
    assert [trial.state for trial in trials_of(home, recipe)] == ["complete"] * 6


def test_a_trial_whose_pause_was_written_is_paused_in_the_next_run(tmp_path: Path) -> None:
    """The run was killed after it wrote the pause and before Optuna got it. The study ends as one without the kill."""
    recipe = recipe_with_rungs()
    recorder = Recorder()
    run_scripted(
        tmp_path / "killed", recipe, recorder=recorder, stop=lambda: "interrupt" if len(recorder.ends) >= 2 else None
    )
    assert [trial.state for trial in trials_of(tmp_path / "killed", recipe)[:2]] == ["paused"] * 2
    with sqlite3.connect(tmp_path / "killed" / "studies.db") as connection:  # as SIGKILL would have left it
        connection.execute("UPDATE trials SET state = 'RUNNING' WHERE number = 1")
    run_scripted(tmp_path / "killed", recipe)
    run_scripted(tmp_path / "whole", recipe)
    killed, whole = (
        [(trial.state, trial.epochs, trial.value) for trial in trials_of(tmp_path / part, recipe)]
        for part in ("killed", "whole")
    )

    assert killed == whole


def test_a_new_run_ranks_earlier_trials_and_knows_how_long_they_took(home: Path) -> None:
    """The time that is kept for confirmations and the refit follows from these durations."""
    recipe = small_recipe()
    run_scripted(home, recipe)
    best = max(trials_of(home, recipe), key=lambda trial: trial.value or 0.0)
    with (
        studies.existing(locate(home=home), "small") as stored,
        stored.store.lease(stored.record.id, "small") as lease,
    ):
        ask_tell = AskTell(stored.study, recipe)
        incumbents = Incumbents(recipe, ask_tell.state)
        writer = TrialWriter(stored.store, stored.record, lease, recipe, StudyPrecision("float32"))
        recover(ask_tell, writer, incumbents, Alone(stored.store, ask_tell, incumbents))

    assert incumbents.best() == (best.number, best.value)
    assert incumbents.seconds_of_best() == [best.seconds]
    assert best.seconds > 0
