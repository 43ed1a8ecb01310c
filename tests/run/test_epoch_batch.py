"""Epochs of short trials are written several at a time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tuner_storage import Store, locate

from tests.recipes import small_recipe
from tests.runs import Recorder, rows, run_scripted
from tuner import studies
from tuner.errors import RunError
from tuner.events import EpochEnd
from tuner.jobs import CheckpointFile
from tuner.run import epoch_batch
from tuner.run.epoch_batch import EpochBatch
from tuner.run.incumbents import Incumbents
from tuner.run.sharing import Alone
from tuner.search.ask_tell import AskTell


@pytest.fixture(autouse=True)
def slow_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every pause between two writes last for the whole test."""
    monkeypatch.setattr(epoch_batch, "PAUSE", 3600.0)


@pytest.fixture
def opened(home: Path) -> Iterator[tuple[Store, int, int]]:
    """A store, our row of a study, and Optuna's row of its running trial."""
    with studies.opened(locate(home=home), create=True) as store:
        stored = studies.create_or_resume(store, "small", small_recipe(), "0" * 64)
        stored.study.ask()
        store.start_attempt(stored.record.id, 0, "me")
        yield store, stored.record.id, stored.study.trials[0]._trial_id


def test_the_first_epoch_is_written_at_once_and_the_next_ones_together(
    opened: tuple[Store, int, int], home: Path
) -> None:
    """Our row and Optuna's report of an epoch are written in one transaction."""
    store, study_id, trial_id = opened
    batch = EpochBatch(store, study_id)
    seen = []
    for epoch in range(4):
        batch.add(EpochEnd(0, epoch, {"loss": epoch / 10}, 0.01), (trial_id, epoch, epoch / 10))
        seen.append(len(store.epochs(study_id)[0]))
    batch.write_if_due()
    before = len(store.epochs(study_id)[0])
    batch.write()

    assert (seen, before) == ([1, 1, 1, 1], 1)
    assert [each["loss"] for each in store.epochs(study_id)[0]] == [0.0, 0.1, 0.2, 0.3]
    reports = rows(home, "SELECT step, intermediate_value FROM trial_intermediate_values ORDER BY step")
    assert reports == [(0, 0.0), (1, 0.1), (2, 0.2), (3, 0.3)]


def test_an_epoch_with_a_checkpoint_is_written_at_once(opened: tuple[Store, int, int]) -> None:
    """And so are those before it: a trial that goes on from a checkpoint has all epochs before it."""
    store, study_id, trial_id = opened
    batch = EpochBatch(store, study_id)
    file = store.artifacts.folder / "one.npz"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"state")
    checkpoint = CheckpointFile(3, file, "0" * 64, 5)
    for epoch in range(3):
        end = EpochEnd(0, epoch, {"loss": 0.5}, 0.01, checkpoint if epoch == 2 else None)
        batch.add(end, (trial_id, epoch, 0.5))

    assert len(store.epochs(study_id)[0]) == 3
    assert [kept.epochs for kept in store.checkpoints(study_id, 0)] == [3]


def test_epochs_are_written_with_the_next_turn_and_again_if_it_fails(
    opened: tuple[Store, int, int], home: Path
) -> None:
    """A turn whose transaction is rolled back has written none of them, and the next turn writes them all."""
    store, study_id, trial_id = opened
    stored = studies.create_or_resume(store, "small", small_recipe(), "0" * 64)
    ask_tell = AskTell(stored.study, small_recipe())
    sharing = Alone(store, ask_tell, Incumbents(small_recipe(), ask_tell.state))
    sharing.epochs = EpochBatch(store, study_id)
    for epoch in range(3):  # the first one is written at once
        sharing.epochs.add(EpochEnd(0, epoch, {"loss": 0.5}, 0.01), (trial_id, epoch, 0.5))
    seen: list[int] = []

    def fail() -> None:
        seen.append(len(store.epochs(study_id)[0]))
        raise RunError("the lease is lost")

    with pytest.raises(RunError, match="the lease is lost"):
        sharing.turn(fail)
    after = len(store.epochs(study_id)[0])
    sharing.turn(lambda: None)
    sharing.turn(lambda: None)

    assert (seen, after) == ([3], 1)
    assert len(store.epochs(study_id)[0]) == 3
    assert rows(home, "SELECT count(*) FROM trial_intermediate_values") == [(3,)]


@pytest.mark.parametrize("pruner", ["none", "median", "asha"])
def test_a_run_writes_every_epoch_of_its_trials(home: Path, pruner: str) -> None:
    """Whatever ends a trial: its last epoch, a pruner, a rung, or a request to stop."""
    recipe = small_recipe(budget={"trials": 12, "epochs": 9}, search={"sampler": "random", "pruner": pruner})
    recorder = Recorder()
    run_scripted(home, recipe, recorder=recorder, stop=lambda: "asked" if len(recorder.ends) == 9 else None)

    wrong = rows(
        home,
        "SELECT trial_number, count(*), last.value FROM tuner_epoch"
        " JOIN trials ON trials.number = trial_number"
        " JOIN (SELECT trial_id, CAST(value_json AS INTEGER) AS value FROM trial_user_attributes WHERE key = 'epochs')"
        " AS last ON last.trial_id = trials.trial_id"
        " GROUP BY trial_number HAVING count(*) != last.value",
    )
    assert wrong == []
    assert rows(home, "SELECT count(*) FROM trial_intermediate_values") == rows(
        home, "SELECT count(*) FROM tuner_epoch"
    )
