"""Reproducing a trial: scripted trials with changed metrics in the database, and real trials."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tuner_storage import locate

from tests.recipes import always, small_recipe
from tests.runs import SETUP, run_in_vain, run_scripted
from tests.scripted import ScriptedTrainer
from tuner import open_study, studies
from tuner.environment import available_cores
from tuner.errors import DataError, RunError, UsageError
from tuner.events import EpochEnd, TrialEnd
from tuner.executors.inline import InlineExecutor
from tuner.executors.local import LocalExecutor
from tuner.jobs import Job, TrialJob
from tuner.records import Outcome
from tuner.results.reproduce import Reproduction, compare
from tuner.results.retrain import FinishedTrial, read_finished, train_again
from tuner.results.trials import read_trial
from tuner.study import Study, load_study

Change = Callable[[dict[str, float]], dict[str, float]]


def finished(home: Path, number: int = 0) -> FinishedTrial:
    """Read a trial of the study ``small``."""
    with studies.existing(locate(home=home), "small") as stored:
        return read_finished(stored, read_trial(stored.study.get_trials()[number], stored.recipe, {}))


def reproduce(home: Path, number: int = 0) -> Reproduction:
    """Train a scripted trial again and compare."""
    then = finished(home, number)
    return compare(then, train_again(then, InlineExecutor(SETUP, ScriptedTrainer), home.parent / "again"))


def change_epoch(home: Path, epoch: int, change: Change) -> None:
    """Change the stored metrics of an epoch of trial 0."""
    with sqlite3.connect(home / "studies.db") as connection:
        where = "WHERE trial_number = 0 AND epoch = ?"
        [(text,)] = connection.execute(f"SELECT metrics FROM tuner_epoch {where}", (epoch,)).fetchall()
        connection.execute(f"UPDATE tuner_epoch SET metrics = ? {where}", (json.dumps(change(json.loads(text))), epoch))


@pytest.fixture
def home(home: Path) -> Path:
    """A home folder with a scripted study of two trials."""
    run_scripted(home, small_recipe(budget={"trials": 2, "epochs": 4}))
    return home


def test_the_same_numbers_are_reproduced_and_nothing_is_written(home: Path) -> None:
    """Every epoch is compared. Database and models do not change."""

    def files() -> dict[str, bytes]:
        return {str(path): path.read_bytes() for path in home.rglob("*") if path.is_file()}

    before, result = files(), reproduce(home, 1)

    assert (result.verdict, result.reproduced, result.first_difference, result.epochs) == ("equal", True, None, 4)
    assert result.value.then == result.value.now
    assert {metric.difference for metric in result.metrics.values()} == {0}
    assert result.changes == []
    assert files() == before


@pytest.mark.parametrize(
    ("by", "verdict", "first"), [(1e-7, "close", None), (9e-5, "close", None), (0.01, "different", 2)]
)
def test_the_first_epoch_that_differs_is_reported(home: Path, by: float, verdict: str, first: int | None) -> None:
    """A difference below 0.0001 counts as reproduced."""
    change_epoch(home, 2, lambda metrics: metrics | {"val_loss": metrics["val_loss"] + by})
    result = reproduce(home)

    assert (result.verdict, result.first_difference, result.best_epoch) == (verdict, first, 3)
    assert result.metrics["val_loss"].difference == pytest.approx(by)
    assert result.metrics["loss"].difference == 0


def test_a_value_that_no_epoch_has_is_not_reproduced(home: Path) -> None:
    """The value of the trial is compared as well as its epochs."""
    with sqlite3.connect(home / "studies.db") as connection:
        connection.execute("UPDATE trial_values SET value = 0.999")
        connection.execute("UPDATE trial_user_attributes SET value_json = '0.999' WHERE key = 'val_accuracy'")
    result = reproduce(home)

    assert (result.verdict, result.first_difference, result.value.then) == ("different", None, 0.999)


def test_changes_of_versions_and_devices_are_listed(home: Path) -> None:
    """Nothing else is listed, even if an older version did not store it."""
    with sqlite3.connect(home / "studies.db") as connection:
        [(text,)] = connection.execute("SELECT environment FROM tuner_study").fetchall()
        environment = json.loads(text) | {"keras": "3.0.0\x1b[31m"}
        del environment["cpu"], environment["backend"]
        connection.execute("UPDATE tuner_study SET environment = ?", (json.dumps(environment),))
        connection.execute("UPDATE tuner_attempt SET device = 'abacus'")
    result = reproduce(home)

    assert result.verdict == "equal"
    assert [(change.name, change.then) for change in result.changes] == [("keras", "3.0.0[31m"), ("device", "abacus")]
    assert list(load_study("small", home=home).changes()) == list(result.changes[:1])


def test_a_training_that_ends_too_early_does_not_reproduce_the_trial(home: Path) -> None:
    """The first missing epoch is the first difference, and the result contains the reason."""

    class Ends(ScriptedTrainer):
        def execute(self, job: Job, on_epoch: Callable[[EpochEnd], None], verdict: Any) -> TrialEnd:
            metrics = {name: finished(home).curve[0][name] for name in ("loss", "accuracy", "val_loss", "val_accuracy")}
            on_epoch(EpochEnd(job.number, 0, metrics, 0.01))
            return TrialEnd(job.number, Outcome.FAILED, "loss was nan in epoch 2", epochs=1)

    then = finished(home)
    result = compare(then, train_again(then, InlineExecutor(SETUP, Ends), home.parent / "again"))

    assert (result.verdict, result.trained, result.first_difference) == ("different", 1, 1)
    assert result.reason == "loss was nan in epoch 2"


def test_a_trial_keeps_its_seed_and_epochs_if_the_recipe_changes(home: Path) -> None:
    """They are stored with the trial, because a study can continue with others."""
    recipe = small_recipe(budget={"trials": 3, "epochs": 9}, search={"sampler": "random", "pruner": "none", "seed": 5})
    before = finished(home)
    run_scripted(home, recipe)

    assert (finished(home).seed, finished(home).epochs) == (before.seed, 4)
    assert finished(home, 2).epochs == 9
    assert finished(home, 2).seed != before.seed


def test_a_trial_of_an_older_version_uses_the_recipe(home: Path) -> None:
    """Its seed and epochs are not stored: they follow from the study's seed and the budget."""
    before = finished(home)
    with sqlite3.connect(home / "studies.db") as connection:
        connection.execute("DELETE FROM trial_user_attributes WHERE key IN ('seed', 'asked_epochs')")

    assert (finished(home).seed, finished(home).epochs) == (before.seed, before.epochs)


def test_only_an_ended_trial_with_epochs_can_be_reproduced(tmp_path: Path) -> None:
    """A trial that failed before its first epoch, and one that has not ended, are refused."""
    failed, stopped = tmp_path / "failed", tmp_path / "stopped"
    run_in_vain(failed, small_recipe(space=always(1), budget={"trials": 1, "epochs": 4}), "1 failed")
    with pytest.raises(UsageError, match="trial 0 of 'small' failed before its first epoch"):
        finished(failed)

    reasons = iter([None, None, None])
    run_scripted(stopped, small_recipe(space=always(3)), stop=lambda: next(reasons, "interrupt"))
    with pytest.raises(UsageError, match="trial 0 of 'small' is waiting: only a trial that has ended"):
        finished(stopped)


def test_a_trainer_that_dies_is_an_error(tmp_path: Path) -> None:
    """The trial is not started again."""
    home = tmp_path / "dies"
    run_scripted(home, small_recipe(budget={"trials": 1, "epochs": 4}))
    then = finished(home)
    job = {**then.trial.all_params, "batch_size": 2}
    dying = FinishedTrial(**{**_fields(then), "trial": _with_params(then, job)})
    with pytest.raises(RunError, match="the trainer was lost: killed by SIGKILL"):
        train_again(dying, LocalExecutor(SETUP, 1, ScriptedTrainer), tmp_path)


def _fields(then: FinishedTrial) -> dict[str, Any]:
    return {name: getattr(then, name) for name in FinishedTrial.__dataclass_fields__}


def _with_params(then: FinishedTrial, params: dict[str, Any]) -> Any:
    import dataclasses

    return dataclasses.replace(then.trial, all_params=params)


def test_the_number_of_threads_is_that_of_a_worker_of_its_run(home: Path) -> None:
    """Only then are sums added in the same order. The number of cores is stored with the study."""
    then = finished(home)
    assert then.workers == 1
    assert then.threads() == available_cores()
    eight = FinishedTrial(**{**_fields(then), "environment": {"cores": "8"}, "workers": 4})
    assert (eight.threads(), eight.threads(workers=2), eight.threads(workers=64)) == (2, 4, 1)
    older = FinishedTrial(**{**_fields(then), "environment": {}})
    assert older.threads() == available_cores()


# The tests below train real trials.

TOML = """
data = "digits"
[budget]
trials = 12
epochs = 4
[search]
sampler = "tpe"
pruner = "threshold"
threshold = 0.5
[space]
layers = 1
units = { type = "int", low = 8, high = 64 }
dropout = { type = "float", low = 0.0, high = 0.5 }
learning_rate = { type = "float", low = 1e-6, high = 0.1, log = true }
schedule = "cosine"
batch_size = 64
[[start]]
label = "unpromotable"
params = { learning_rate = 1e-6 }
[[start]]
label = "fine"
params = { learning_rate = 0.01, units = 48 }
"""


@pytest.fixture(scope="module")
def twins(tmp_path_factory: pytest.TempPathFactory) -> list[Study]:
    """The same study twice, each trained by one worker."""
    folder = tmp_path_factory.mktemp("twins")
    (folder / "twin.toml").write_text(TOML, encoding="utf-8")
    studies = [open_study(str(folder / "twin.toml"), home=folder / name) for name in ("one", "two")]
    for study in studies:
        study.run(executor="inline", device="cpu")
    return studies


@pytest.mark.slow
def test_a_study_with_one_worker_repeats_exactly(twins: list[Study]) -> None:
    """States, parameters, values and all epochs are equal, also after the sampler has learned from values."""
    one, two = ([(t.state, t.params, t.value, t.metrics, t.best_epoch) for t in study.trials()] for study in twins)
    epochs = [
        {number: [{**epoch, "seconds": 0.0} for epoch in curve] for number, curve in study.curves().items()}
        for study in twins
    ]

    assert {state for state, *_ in one} == {"complete", "pruned"}
    assert one == two
    assert epochs[0] == epochs[1]


@pytest.mark.parametrize(("number", "state", "epochs"), [(0, "pruned", 2), (1, "complete", 4)])
def test_a_real_trial_is_reproduced(twins: list[Study], number: int, state: str, epochs: int) -> None:
    """A pruned one is trained for the epochs that it had, with the schedule of its maximum number of epochs."""
    losses: list[tuple[float, float]] = []
    result = twins[0].reproduce(
        number,
        executor="inline",
        on_epoch=lambda epoch, then, now: losses.append((then["val_loss"], now["val_loss"])),
    )

    assert (result.state, result.epochs, result.trained) == (state, epochs, epochs)
    assert result.verdict == "equal"
    assert all(then == now for then, now in losses)
    assert len(losses) == epochs


def test_the_default_trial_is_the_winner(twins: list[Study]) -> None:
    """``reproduce`` takes no lease, so the study may be running."""
    assert twins[0].reproduce(executor="inline").trial == twins[0].best().number


def test_other_rows_are_refused(twins: list[Study], monkeypatch: pytest.MonkeyPatch) -> None:
    """The error is raised before the training."""
    study = load_study("twin", home=twins[0].location.artifacts.parent)
    data = study.load_data()
    monkeypatch.setattr(type(data), "fingerprint", "f" * 64)
    with pytest.raises(DataError, match="the rows of 'digits' changed since study 'twin' began"):
        study.reproduce(0, executor="inline")


def test_training_again_writes_no_checkpoint(home: Path, tmp_path: Path) -> None:
    """Only the model is written, into the given folder."""
    jobs: list[TrialJob] = []

    class Remembers(ScriptedTrainer):
        def execute(self, job: Job, on_epoch: Any, verdict: Any) -> Any:
            assert isinstance(job, TrialJob)
            jobs.append(job)
            return super().execute(job, on_epoch, verdict)

    folder = tmp_path / "again"
    train_again(finished(home), InlineExecutor(SETUP, Remembers), folder)
    assert jobs[0].checkpoint_seconds == float("inf")
    assert [path.name for path in folder.iterdir()] == ["model.keras"]
