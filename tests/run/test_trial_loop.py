"""The path of a trial if its events come in an unusual order, which a real trainer produces only by chance."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import pytest

from tests.recipes import always, small_recipe
from tests.runs import epochs_of, rows, run_in_vain, run_scripted, trials_of
from tests.scripted import write_checkpoint, write_model
from tuner.config.recipe import Recipe
from tuner.errors import StorageError
from tuner.events import DISK_FULL, EpochEnd, Event, TestEnd, TrainerReady, TrialEnd, WorkerLost
from tuner.jobs import CheckpointFile, Instruction, Job, TrialJob
from tuner.records import Outcome

Script = Callable[[TrialJob], Iterator[Event]]


class EventExecutor:
    """Has one trainer, whose events come from a script. It records jobs and instructions."""

    slots = 1
    next_device = "script"

    def __init__(self, script: Script) -> None:
        self._script = script
        self._events: Iterator[Event] = iter(())
        self.free = 0
        self.jobs: list[Job] = []
        self.instructions: list[Instruction] = []

    def warm_up(self) -> None:
        """Do nothing."""

    def start(self) -> None:
        self._events = iter([TrainerReady("script")])

    def submit(self, jobs: Sequence[Job]) -> None:
        (job,) = jobs
        self.jobs.append(job)
        self.free = 0
        self._events = self._script(job) if isinstance(job, TrialJob) else iter([TestEnd(job.number)])

    def poll(self, timeout: float) -> list[Event]:
        event = next(self._events, None)
        if isinstance(event, TrainerReady | TrialEnd | WorkerLost):
            self.free = 1
        return [] if event is None else [event]

    def instruct(self, number: int, instruction: Instruction) -> None:
        self.instructions.append(instruction)

    def kill(self, number: int) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


def pruning_recipe() -> Recipe:
    """Return a search of one trial, which is pruned after its second epoch if its accuracy stays below 0.5."""
    search = {"sampler": "random", "pruner": "threshold", "threshold": 0.5}
    return small_recipe(budget={"trials": 1, "epochs": 4}, search=search)


def metrics(accuracy: float) -> dict[str, float]:
    """Return the metrics of an epoch."""
    return {"loss": 0.1, "accuracy": accuracy, "val_loss": 0.1, "val_accuracy": accuracy}


def epoch(job: TrialJob, number: int, accuracy: float, checkpoint: CheckpointFile | None = None) -> EpochEnd:
    """Return the end of an epoch."""
    return EpochEnd(job.number, number, metrics(accuracy), 0.01, checkpoint)


def complete(job: TrialJob) -> TrialEnd:
    """Return the end of a trial that trained all its epochs, with a model."""
    model = write_model(job.model_path, "model")
    return TrialEnd(job.number, Outcome.COMPLETE, None, metrics(0.9), 0, job.epochs, 1000, 0.01, model)


def train(job: TrialJob) -> Iterator[Event]:
    """Train a trial to its end."""
    for number in range(job.epochs):
        yield epoch(job, number, 0.9)
    yield complete(job)


def files_of(home: Path) -> list[str]:
    """Return the names of all models and checkpoints."""
    return [path.name for path in (home / "artifacts").rglob("*") if path.is_file()]


def test_what_a_trainer_reports_after_its_trial_was_pruned_is_dropped(home: Path) -> None:
    """It trains on until it reads the instruction. The late epoch is not stored, and its files are removed."""

    def script(job: TrialJob) -> Iterator[Event]:
        yield epoch(job, 0, 0.1)
        yield epoch(job, 1, 0.1)
        yield epoch(job, 2, 0.9, write_checkpoint(job, 3))
        yield complete(job)

    executor = EventExecutor(script)
    run_in_vain(home, pruning_recipe(), "1 pruned", executor=executor)
    (trial,) = trials_of(home, pruning_recipe())

    assert executor.instructions == [Instruction.PRUNE]
    assert (trial.state, trial.value, trial.epochs, trial.kept) == ("pruned", 0.1, 2, False)
    assert epochs_of(home) == [0, 1]
    assert files_of(home) == []


def test_the_checkpoint_of_an_interrupted_trial_that_was_pruned_is_removed(home: Path) -> None:
    def script(job: TrialJob) -> Iterator[Event]:
        yield epoch(job, 0, 0.1)
        yield epoch(job, 1, 0.1)
        yield TrialEnd(job.number, Outcome.INTERRUPTED, epochs=3, checkpoint=write_checkpoint(job, 3))

    run_in_vain(home, pruning_recipe(), "1 pruned", executor=EventExecutor(script))

    assert [trial.state for trial in trials_of(home, pruning_recipe())] == ["pruned"]
    assert files_of(home) == []


def test_a_trial_that_was_pruned_is_not_tried_again_if_its_worker_dies(home: Path) -> None:
    def script(job: TrialJob) -> Iterator[Event]:
        yield epoch(job, 0, 0.1)
        yield epoch(job, 1, 0.1)
        yield WorkerLost(job.number, "killed by SIGKILL")

    executor = EventExecutor(script)
    run_in_vain(home, pruning_recipe(), "1 pruned", executor=executor)

    assert len(executor.jobs) == 1
    assert rows(home, "SELECT outcome FROM tuner_attempt") == [("pruned",)]


def test_a_trial_is_not_pruned_after_its_last_epoch(home: Path) -> None:
    """It is complete and has a model, although the pruner would end it."""
    recipe = pruning_recipe().changed(budget={"epochs": 2})

    def script(job: TrialJob) -> Iterator[Event]:
        yield epoch(job, 0, 0.1)
        yield epoch(job, 1, 0.1)
        yield complete(job)

    executor = EventExecutor(script)
    run_scripted(home, recipe, executor=executor)

    assert executor.instructions == []
    assert [trial.state for trial in trials_of(home, recipe)] == ["complete"]


@pytest.mark.parametrize(("has_checkpoint", "state"), [(True, "paused"), (False, "waiting")])
def test_a_trial_that_is_interrupted_while_it_pauses_is_paused_if_it_left_a_checkpoint(
    home: Path, has_checkpoint: bool, state: str
) -> None:
    """The trainer obeys the last instruction only. Without a checkpoint the trial waits and starts again."""
    recipe = small_recipe(budget={"trials": 3, "epochs": 9}, search={"sampler": "random", "pruner": "asha"})

    def script(job: TrialJob) -> Iterator[Event]:
        yield epoch(job, 0, 0.9)
        checkpoint = write_checkpoint(job, 1) if has_checkpoint else None
        yield TrialEnd(job.number, Outcome.INTERRUPTED, None, metrics(0.9), 0, 1, checkpoint=checkpoint)

    executor = EventExecutor(script)
    run_scripted(home, recipe, executor=executor, stop=lambda: "interrupt" if executor.instructions else None)

    assert executor.instructions == [Instruction.PAUSE, Instruction.INTERRUPT]
    assert [trial.state for trial in trials_of(home, recipe)] == [state]
    assert len(rows(home, "SELECT * FROM tuner_checkpoint")) == has_checkpoint


def test_a_trial_whose_worker_died_runs_again_before_any_new_trial(home: Path) -> None:
    """Without a checkpoint it starts again, and its reports to Optuna are replaced."""
    recipe = small_recipe(budget={"trials": 2, "epochs": 3})

    def script(job: TrialJob) -> Iterator[Event]:
        if (job.number, job.attempt) == (0, 0):
            yield epoch(job, 0, 0.2)
            yield WorkerLost(job.number, "killed by SIGKILL")
        else:
            yield from train(job)

    executor = EventExecutor(script)
    run_scripted(home, recipe, executor=executor)

    assert [job.number for job in executor.jobs if isinstance(job, TrialJob)] == [0, 0, 1]
    assert epochs_of(home) == [0, 1, 2]
    reports = "SELECT intermediate_value FROM trial_intermediate_values JOIN trials USING (trial_id) WHERE number = 0"
    assert rows(home, reports) == [(0.9,)] * 3


@pytest.mark.parametrize(
    ("first", "second", "state"), [([0.1], [0.1, 0.9, 0.9, 0.9], "complete"), ([0.9, 0.9, 0.9], [0.1, 0.1], "pruned")]
)
def test_a_pruner_judges_a_new_attempt_by_its_own_epochs(
    home: Path, first: list[float], second: list[float], state: str
) -> None:
    """A bad first epoch does not count, but a second one does. Epochs of the lost attempt are forgotten."""

    def script(job: TrialJob) -> Iterator[Event]:
        for number, accuracy in enumerate(second if job.attempt else first):
            yield epoch(job, number, accuracy)
        yield complete(job) if job.attempt else WorkerLost(job.number, "killed by SIGKILL")

    run = run_scripted if state == "complete" else partial(run_in_vain, ends="1 pruned")
    run(home, pruning_recipe(), executor=EventExecutor(script))

    assert [trial.state for trial in trials_of(home, pruning_recipe())] == [state]
    assert epochs_of(home) == list(range(len(second)))


def test_a_full_disk_ends_the_run_and_the_trial_waits(home: Path) -> None:
    """The next run trains it under its number."""
    recipe = small_recipe(budget={"trials": 1, "epochs": 2})

    def script(job: TrialJob) -> Iterator[Event]:
        yield epoch(job, 0, 0.9)
        yield TrialEnd(job.number, Outcome.FAILED, DISK_FULL)

    with pytest.raises(StorageError, match=r"there is no space left on the disk of .*artifacts"):
        run_scripted(home, recipe, executor=EventExecutor(script))
    assert [trial.state for trial in trials_of(home, recipe)] == ["waiting"]
    assert rows(home, "SELECT outcome, reason FROM tuner_attempt") == [("interrupted", DISK_FULL)]

    run_scripted(home, recipe, executor=EventExecutor(train))
    assert [(trial.number, trial.state) for trial in trials_of(home, recipe)] == [(0, "complete")]


def test_a_trial_that_takes_too_long_in_this_process_fails_after_its_epoch(home: Path) -> None:
    """A thread cannot be killed, so the trial is interrupted."""
    recipe = small_recipe(space=always(3), budget={"trials": 1, "epochs": 6, "trial_timeout": 0.3})
    run_in_vain(home, recipe, "1 failed")
    (trial,) = trials_of(home, recipe)

    assert (trial.state, trial.reason) == ("failed", "timed out after 0.3 s")
    assert trial.epochs < 6
