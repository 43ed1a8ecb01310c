"""A trial that is trained again: scripted, where the stored numbers are changed; and real, where they come again."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from storage import locate
from tests.recipes import always, small_recipe
from tests.runs import SETUP, run_scripted
from tests.scripted import ScriptedTrainer
from tuner import open_study, studies
from tuner.environment import available_cores
from tuner.errors import DataError, RunError, UsageError
from tuner.executors import InlineExecutor, LocalExecutor
from tuner.jobs import EpochEnd, Job, TrialEnd, TrialJob
from tuner.records import Outcome
from tuner.results.reproduce import Finished, Reproduction, compare, recall, train_again
from tuner.results.trials import read_trial
from tuner.study import Study, load_study

Change = Callable[[dict[str, float]], dict[str, float]]


def finished(home: Path, number: int = 0) -> Finished:
    """Read a trial of the study ``small``."""
    with studies.existing(locate(home=home), "small") as found:
        return recall(found, read_trial(found.study.get_trials()[number], found.recipe, {}))


def again(home: Path, number: int = 0) -> Reproduction:
    """Train a scripted trial again."""
    then = finished(home, number)
    return compare(then, train_again(then, InlineExecutor(SETUP, ScriptedTrainer)))


def change_epoch(home: Path, epoch: int, change: Change) -> None:
    """Change what is stored of an epoch of trial 0."""
    with sqlite3.connect(home / "studies.db") as connection:
        where = "WHERE trial_number = 0 AND epoch = ?"
        [(text,)] = connection.execute(f"SELECT metrics FROM tuner_epoch {where}", (epoch,)).fetchall()
        connection.execute(f"UPDATE tuner_epoch SET metrics = ? {where}", (json.dumps(change(json.loads(text))), epoch))


@pytest.fixture
def home(home: Path) -> Path:
    """A home with a scripted study of two trials."""
    run_scripted(home, small_recipe(budget={"trials": 2, "epochs": 4}))
    return home


def test_the_same_numbers_are_reproduced_and_nothing_is_written(home: Path) -> None:
    """Every epoch is compared; database and models stay as they are."""

    def files() -> dict[str, bytes]:
        return {str(path): path.read_bytes() for path in home.rglob("*") if path.is_file()}

    before, found = files(), again(home, 1)

    assert (found.verdict, found.reproduced, found.first_difference, found.epochs) == ("equal", True, None, 4)
    assert found.value.then == found.value.now
    assert {each.difference for each in found.metrics.values()} == {0}
    assert found.changes == []
    assert files() == before


@pytest.mark.parametrize(
    ("by", "verdict", "first"), [(1e-7, "close", None), (9e-5, "close", None), (0.01, "different", 2)]
)
def test_a_stored_epoch_that_differs_is_named(home: Path, by: float, verdict: str, first: int | None) -> None:
    """What is nearer than 0.0001 counts as the same."""
    change_epoch(home, 2, lambda metrics: metrics | {"val_loss": metrics["val_loss"] + by})
    found = again(home)

    assert (found.verdict, found.first_difference, found.best_epoch) == (verdict, first, 3)
    assert found.metrics["val_loss"].difference == pytest.approx(by)
    assert found.metrics["loss"].difference == 0


def test_a_value_that_no_epoch_has_is_not_reproduced(home: Path) -> None:
    """The objective is compared, too, not the curves alone."""
    with sqlite3.connect(home / "studies.db") as connection:
        connection.execute("UPDATE trial_values SET value = 0.999")
    found = again(home)

    assert (found.verdict, found.first_difference, found.value.then) == ("different", None, 0.999)


def test_versions_and_devices_that_differ_are_told(home: Path) -> None:
    """And nothing of what is as it was, or of what an older study did not note."""
    with sqlite3.connect(home / "studies.db") as connection:
        [(text,)] = connection.execute("SELECT environment FROM tuner_study").fetchall()
        noted = json.loads(text) | {"keras": "3.0.0\x1b[31m"}
        del noted["cpu"], noted["backend"]
        connection.execute("UPDATE tuner_study SET environment = ?", (json.dumps(noted),))
        connection.execute("UPDATE tuner_attempt SET device = 'abacus'")
    found = again(home)

    assert found.verdict == "equal"
    assert [(each.name, each.then) for each in found.changes] == [("keras", "3.0.0[31m"), ("device", "abacus")]
    assert list(load_study("small", home=home).changes()) == list(found.changes[:1])


def test_a_trainer_that_ends_too_early_is_not_reproduced(home: Path) -> None:
    """The first missing epoch is the first difference, and the reason is told."""

    class Ends(ScriptedTrainer):
        def execute(self, job: Job, on_epoch: Callable[[EpochEnd], None], verdict: Any) -> TrialEnd:
            metrics = {name: finished(home).curve[0][name] for name in ("loss", "accuracy", "val_loss", "val_accuracy")}
            on_epoch(EpochEnd(job.number, 0, metrics, 0.01))
            return TrialEnd(job.number, Outcome.FAILED, "loss was nan in epoch 2", epochs=1)

    then = finished(home)
    found = compare(then, train_again(then, InlineExecutor(SETUP, Ends)))

    assert (found.verdict, found.trained, found.first_difference) == ("different", 1, 1)
    assert found.reason == "loss was nan in epoch 2"


def test_the_job_is_that_of_the_trial_whatever_the_study_was_given_since(home: Path) -> None:
    """Seed and epochs, over which a schedule falls, are noted with the trial: a study may go on with others."""
    recipe = small_recipe(budget={"trials": 3, "epochs": 9}, search={"sampler": "random", "pruner": "none", "seed": 5})
    before = finished(home)
    run_scripted(home, recipe)

    assert (finished(home).seed, finished(home).epochs) == (before.seed, 4)
    assert finished(home, 2).epochs == 9
    assert finished(home, 2).seed != before.seed


def test_an_older_trial_without_notes_goes_by_the_recipe(home: Path) -> None:
    """Its seed follows from the study's, its epochs from the budget."""
    before = finished(home)
    with sqlite3.connect(home / "studies.db") as connection:
        connection.execute("DELETE FROM trial_user_attributes WHERE key IN ('seed', 'asked_epochs')")

    assert (finished(home).seed, finished(home).epochs) == (before.seed, before.epochs)


def test_what_has_no_epochs_cannot_be_reproduced(tmp_path: Path) -> None:
    """A trial that failed before its first epoch, or that did not end."""
    failed, stopped = tmp_path / "failed", tmp_path / "stopped"
    run_scripted(failed, small_recipe(space=always(1), budget={"trials": 1, "epochs": 4}))
    with pytest.raises(UsageError, match="trial 0 of 'small' failed before its first epoch"):
        finished(failed)

    asked = iter([None, None, None])
    run_scripted(stopped, small_recipe(space=always(3)), stop=lambda: next(asked, "interrupt"))
    with pytest.raises(UsageError, match="trial 0 of 'small' is waiting: only one that has ended"):
        finished(stopped)


def test_a_trainer_that_dies_is_told(tmp_path: Path) -> None:
    """Not waited for, and not tried again."""
    home = tmp_path / "dies"
    run_scripted(home, small_recipe(budget={"trials": 1, "epochs": 4}))
    then = finished(home)
    job = {**then.trial.all_params, "batch_size": 2}
    dying = Finished(**{**_fields(then), "trial": _with_params(then, job)})
    with pytest.raises(RunError, match="the trainer killed by SIGKILL"):
        train_again(dying, LocalExecutor(SETUP, 1, ScriptedTrainer))


def _fields(then: Finished) -> dict[str, Any]:
    return {name: getattr(then, name) for name in Finished.__dataclass_fields__}


def _with_params(then: Finished, params: dict[str, Any]) -> Any:
    import dataclasses

    return dataclasses.replace(then.trial, all_params=params)


def test_threads_are_those_of_each_worker_of_its_run(home: Path) -> None:
    """Sums are added in the same order only then; how many cores there were is noted with the study."""
    then = finished(home)
    assert then.workers == 1
    assert then.threads() == available_cores()
    noted = Finished(**{**_fields(then), "environment": {"cores": "8"}, "workers": 4})
    assert (noted.threads(), noted.threads(workers=2), noted.threads(workers=64)) == (2, 4, 1)
    older = Finished(**{**_fields(then), "environment": {}})
    assert older.threads() == available_cores()


# From here on, trials are real.

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
label = "hopeless"
params = { learning_rate = 1e-6 }
[[start]]
label = "fine"
params = { learning_rate = 0.01, units = 48 }
"""


@pytest.fixture(scope="module")
def twins(tmp_path_factory: pytest.TempPathFactory) -> list[Study]:
    """The same study twice, by one worker."""
    folder = tmp_path_factory.mktemp("twins")
    (folder / "twin.toml").write_text(TOML, encoding="utf-8")
    studies = [open_study(str(folder / "twin.toml"), home=folder / name) for name in ("one", "two")]
    for study in studies:
        study.run(executor="inline", device="cpu")
    return studies


def test_a_study_with_one_worker_repeats_exactly(twins: list[Study]) -> None:
    """States, parameters, values and every epoch, also where the sampler has learned from the values."""
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
    """A pruned one for the epochs that it had, on the schedule of those that it was asked for."""
    heard: list[tuple[float, float]] = []
    found = twins[0].reproduce(
        number,
        executor="inline",
        on_epoch=lambda epoch, then, now: heard.append((then["val_loss"], now["val_loss"])),
    )

    assert (found.state, found.epochs, found.trained) == (state, epochs, epochs)
    assert found.verdict == "equal"
    assert all(then == now for then, now in heard)
    assert len(heard) == epochs


def test_without_a_number_it_is_the_best_trial(twins: list[Study]) -> None:
    """A study that goes on can be asked at any time: no lease is taken."""
    assert twins[0].reproduce(executor="inline").trial == twins[0].best().number


def test_other_rows_are_refused(twins: list[Study], monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is trained."""
    study = load_study("twin", home=twins[0].location.artifacts.parent)
    data = study.load_data()
    monkeypatch.setattr(type(data), "fingerprint", "f" * 64)
    with pytest.raises(DataError, match="the rows of 'digits' changed since study 'twin' began"):
        study.reproduce(0, executor="inline")


def test_no_checkpoint_is_written_for_it(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the model goes where the temporary folder is, which is gone in the end."""
    jobs: list[TrialJob] = []

    class Remembers(ScriptedTrainer):
        def execute(self, job: Job, on_epoch: Any, verdict: Any) -> Any:
            assert isinstance(job, TrialJob)
            jobs.append(job)
            return super().execute(job, on_epoch, verdict)

    train_again(finished(home), InlineExecutor(SETUP, Remembers))
    assert jobs[0].checkpoint_seconds == float("inf")
    assert not jobs[0].model_path.parent.exists()
