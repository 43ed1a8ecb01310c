"""Tests that every executor must pass."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.executors.jobs import DEADLINE, job, refit_job, refuse, until
from tests.runs import SETUP
from tests.scripted import ScriptedTrainer
from tuner.events import (
    ASKED_TO_STOP,
    EpochEnd,
    RefitEnd,
    TestEnd,
    TrainerReady,
    TrainerUnavailable,
    TrialEnd,
    WorkerLost,
)
from tuner.executors.base import Executor
from tuner.executors.inline import InlineExecutor
from tuner.executors.local import LocalExecutor
from tuner.executors.resources import Resources
from tuner.jobs import Instruction, TestJob, TrainerSetup
from tuner.records import Outcome


class ExecutorContract:
    """The tests for all executors. Each executor has a subclass."""

    def make(self, setup: TrainerSetup = SETUP, make_trainer: object = ScriptedTrainer) -> Executor:
        raise NotImplementedError

    @pytest.fixture
    def executor(self) -> Iterator[Executor]:
        executor = self.make()
        executor.start()
        while executor.free < executor.slots:
            until(executor, lambda event: isinstance(event, TrainerReady))
        yield executor
        executor.close()

    def test_no_job_can_start_before_a_trainer_is_ready(self) -> None:
        """A job that is submitted too early would be lost."""
        executor = self.make()
        assert executor.free == 0
        executor.start()
        until(executor, lambda event: isinstance(event, TrainerReady))
        assert executor.free >= 1
        executor.close()

    def test_it_closes_without_a_start_and_twice(self) -> None:
        """A run that is refused closes an executor that never started."""
        executor = self.make()
        executor.close()
        executor.close()

    def test_a_trial_reports_each_epoch_and_then_its_end(self, executor: Executor, tmp_path: Path) -> None:
        """The epochs come in order and without gaps."""
        executor.submit([job(tmp_path)])
        *epochs, end = until(executor, lambda event: isinstance(event, TrialEnd))

        assert [event.epoch for event in epochs if isinstance(event, EpochEnd)] == [0, 1, 2]
        assert isinstance(end, TrialEnd)
        assert end.outcome is Outcome.COMPLETE
        assert end.model is not None
        assert end.model.path.exists()

    def test_a_slot_is_free_again_after_the_end_of_a_trial(self, executor: Executor, tmp_path: Path) -> None:
        """Trials follow one another on the same trainer."""
        free = executor.free
        for number in range(3):
            executor.submit([job(tmp_path, number)])
            assert executor.free == free - 1
            until(executor, lambda event: isinstance(event, TrialEnd))
        assert executor.free == free

    @pytest.mark.parametrize(
        ("instruction", "outcome"),
        [
            (Instruction.PRUNE, Outcome.PRUNED),
            (Instruction.INTERRUPT, Outcome.INTERRUPTED),
            (Instruction.PAUSE, Outcome.PAUSED),
        ],
    )
    def test_an_instruction_ends_the_trial_after_the_current_epoch(
        self, executor: Executor, tmp_path: Path, instruction: Instruction, outcome: Outcome
    ) -> None:
        """The trainer does not wait for an instruction, but follows one when it arrives."""
        executor.submit([job(tmp_path, kind=3, epochs=50)])
        until(executor, lambda event: isinstance(event, EpochEnd))
        executor.instruct(0, instruction)
        end = until(executor, lambda event: isinstance(event, TrialEnd))[-1]

        assert isinstance(end, TrialEnd)
        assert end.outcome is outcome
        assert end.epochs < 50

    def test_a_weaker_instruction_does_not_replace_a_stronger_one(self, executor: Executor, tmp_path: Path) -> None:
        """A trial that was told to stop does not continue because it is among the best at a rung."""
        executor.submit([job(tmp_path, kind=3, epochs=20)])
        until(executor, lambda event: isinstance(event, EpochEnd))
        executor.instruct(0, Instruction.INTERRUPT)
        executor.instruct(0, Instruction.CONTINUE)
        end = until(executor, lambda event: isinstance(event, TrialEnd))[-1]

        assert isinstance(end, TrialEnd)
        assert end.outcome is Outcome.INTERRUPTED

    @pytest.mark.parametrize(("instruction", "epochs"), [(Instruction.CONTINUE, 3), (Instruction.PAUSE, 2)])
    def test_a_trial_waits_at_a_rung_for_an_instruction(
        self, executor: Executor, tmp_path: Path, instruction: Instruction, epochs: int
    ) -> None:
        """A pause wastes no epoch, and a trial that continues does not wait again."""
        executor.submit([dataclasses.replace(job(tmp_path), rungs=(2,))])
        until(executor, lambda event: isinstance(event, EpochEnd) and event.epoch == 1)
        executor.instruct(0, instruction)
        end = until(executor, lambda event: isinstance(event, TrialEnd))[-1]

        assert isinstance(end, TrialEnd)
        assert end.epochs == epochs
        assert (end.checkpoint is not None) == (instruction is Instruction.PAUSE)

    def test_an_instruction_for_an_earlier_attempt_does_not_reach_the_next(
        self, executor: Executor, tmp_path: Path
    ) -> None:
        """The next attempt of the trial runs to its end."""
        executor.submit([job(tmp_path, kind=3, epochs=50)])
        until(executor, lambda event: isinstance(event, EpochEnd))
        executor.instruct(0, Instruction.INTERRUPT)
        until(executor, lambda event: isinstance(event, TrialEnd))
        executor.instruct(0, Instruction.INTERRUPT)  # came too late for the first attempt
        executor.submit([job(tmp_path, attempt=1)])
        end = until(executor, lambda event: isinstance(event, TrialEnd))[-1]

        assert isinstance(end, TrialEnd)
        assert end.outcome is Outcome.COMPLETE

    def test_a_model_is_evaluated_on_the_test_split(self, executor: Executor, tmp_path: Path) -> None:
        """A trainer evaluates the model, because the coordinator never imports TensorFlow."""
        executor.submit([job(tmp_path)])
        end = until(executor, lambda event: isinstance(event, TrialEnd))[-1]
        assert isinstance(end, TrialEnd)
        assert end.model is not None
        executor.submit([TestJob(0, end.model.path, end.model.sha256)])
        tested = until(executor, lambda event: isinstance(event, TestEnd))[-1]

        assert isinstance(tested, TestEnd)
        assert tested.metrics == {"loss": 0.1, "accuracy": 0.9}

    def test_a_refit_reports_each_epoch_and_then_its_model(self, executor: Executor, tmp_path: Path) -> None:
        """The events are like those of a trial, and the slot is free afterwards."""
        executor.submit([refit_job(tmp_path)])
        *epochs, end = until(executor, lambda event: isinstance(event, RefitEnd))

        assert [event.epoch for event in epochs if isinstance(event, EpochEnd)] == [0, 1, 2]
        assert {event.number for event in epochs if isinstance(event, EpochEnd)} == {4}
        assert isinstance(end, RefitEnd)
        assert (end.number, end.epochs, end.reason) == (4, 3, None)
        assert end.model is not None
        assert end.model.path == tmp_path / "refit-4.keras"
        assert end.model.path.exists()
        assert executor.free == executor.slots

    def test_an_instruction_ends_a_refit(self, executor: Executor, tmp_path: Path) -> None:
        """It ends after the current epoch, without a model."""
        executor.submit([refit_job(tmp_path, kind=3, epochs=50)])
        until(executor, lambda event: isinstance(event, EpochEnd))
        executor.instruct(4, Instruction.INTERRUPT)
        end = until(executor, lambda event: isinstance(event, RefitEnd))[-1]

        assert isinstance(end, RefitEnd)
        assert (end.reason, end.model) == (ASKED_TO_STOP, None)
        assert end.epochs < 50

    def test_a_trainer_that_cannot_start_reports_the_reason(self) -> None:
        """The event contains message and hint of the error."""
        executor = self.make(make_trainer=refuse)
        executor.start()
        event = until(executor, lambda event: isinstance(event, TrainerUnavailable))[-1]
        executor.close()

        assert event == TrainerUnavailable("no GPU was found", "use --device auto")

    def test_closing_ends_a_running_trial(self, tmp_path: Path) -> None:
        """No training continues in the background."""
        executor = self.make()
        executor.start()
        until(executor, lambda event: isinstance(event, TrainerReady))
        executor.submit([job(tmp_path, kind=3, epochs=1000)])
        until(executor, lambda event: isinstance(event, EpochEnd))
        began = time.monotonic()
        executor.close()

        assert time.monotonic() - began < DEADLINE
        assert not (tmp_path / "trial-0.keras").exists()


class TestInline(ExecutorContract):
    """Trainer and coordinator in one process."""

    def make(self, setup: TrainerSetup = SETUP, make_trainer: object = ScriptedTrainer) -> Executor:
        return InlineExecutor(setup, make_trainer)  # type: ignore[arg-type]

    def test_the_next_epoch_waits_for_the_coordinator(self, tmp_path: Path) -> None:
        """An instruction always arrives before the next epoch starts, so runs are repeatable."""
        executor = self.make()
        executor.start()
        until(executor, lambda event: isinstance(event, TrainerReady))
        executor.submit([job(tmp_path, epochs=50)])
        until(executor, lambda event: isinstance(event, EpochEnd))
        executor.instruct(0, Instruction.PRUNE)
        end = until(executor, lambda event: isinstance(event, TrialEnd))[-1]
        executor.close()

        assert isinstance(end, TrialEnd)
        assert end.epochs == 1


@pytest.mark.slow
class TestLocal(ExecutorContract):
    """Worker processes on this machine."""

    def make(self, setup: TrainerSetup = SETUP, make_trainer: object = ScriptedTrainer) -> Executor:
        return LocalExecutor(setup, 2, make_trainer)  # type: ignore[arg-type]

    def test_two_trials_run_at_the_same_time(self, executor: Executor, tmp_path: Path) -> None:
        """Each worker has its own process, so both trials finish an epoch before one of them starts the next."""
        executor.submit([job(tmp_path, 0, kind=3), job(tmp_path, 1, kind=3)])
        events = until(executor, lambda event: isinstance(event, TrialEnd))
        epochs = [event.number for event in events if isinstance(event, EpochEnd)]

        assert set(epochs[:2]) == {0, 1}

    def test_a_killed_trainer_is_noticed_and_replaced(self, executor: Executor, tmp_path: Path) -> None:
        """The event names the trial of the dead process, and a new process does the next job."""
        executor.submit([job(tmp_path, 5, kind=2)])
        lost = until(executor, lambda event: isinstance(event, WorkerLost))[-1]
        assert lost == WorkerLost(5, "killed by SIGKILL")

        until(executor, lambda event: isinstance(event, TrainerReady))
        executor.submit([job(tmp_path, 5, kind=2, attempt=1)])
        end = until(executor, lambda event: isinstance(event, TrialEnd))[-1]
        assert isinstance(end, TrialEnd)
        assert end.outcome is Outcome.COMPLETE

    def test_a_trainer_that_dies_in_a_refit_is_lost_with_its_number(self, executor: Executor, tmp_path: Path) -> None:
        """The event names the trial, and a new process does the next job."""
        executor.submit([refit_job(tmp_path, 4, kind=2)])
        lost = until(executor, lambda event: isinstance(event, WorkerLost))[-1]
        assert lost == WorkerLost(4, "killed by SIGKILL")

        until(executor, lambda event: isinstance(event, TrainerReady))
        executor.submit([refit_job(tmp_path)])
        assert isinstance(until(executor, lambda event: isinstance(event, RefitEnd))[-1], RefitEnd)

    def test_a_process_is_replaced_after_its_number_of_trials(self, tmp_path: Path) -> None:
        """This frees the memory that TensorFlow keeps. Every trial is trained, and no trainer is reported lost."""
        executor = LocalExecutor(SETUP, 1, ScriptedTrainer, trials_per_process=2)
        executor.start()
        processes = []
        for number in range(5):
            until(executor, lambda event: isinstance(event, TrainerReady)) if not executor.free else None
            executor.submit([job(tmp_path, number)])
            processes.append(executor.processes[0])
            events = until(executor, lambda event: isinstance(event, TrialEnd))
            assert not any(isinstance(event, WorkerLost) for event in events)
        executor.close()

        assert processes[0] == processes[1] != processes[2] == processes[3] != processes[4]

    def test_no_process_is_left_after_closing(self, tmp_path: Path) -> None:
        """Workers end with their executor, also during a trial."""
        executor = LocalExecutor(SETUP, 2, ScriptedTrainer)
        executor.start()
        until(executor, lambda event: isinstance(event, TrainerReady))
        executor.submit([job(tmp_path, kind=3, epochs=1000)])
        processes = [worker.process for worker in executor._workers]
        executor.close()
        assert all(process.pid is not None and process.exitcode is not None for process in processes)


@pytest.mark.slow
class TestRay(ExecutorContract):
    """Actors of a Ray cluster on this machine, which all tests share."""

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def cluster(cls) -> Iterator[None]:
        pytest.importorskip("ray", reason="Ray is not installed: pip install 'mlp-tuner[ray]'")
        from tuner.executors.ray_cluster import Cluster

        cluster = Cluster("local", cpus=1, gpus=0)
        yield
        cluster.close()

    def make(self, setup: TrainerSetup = SETUP, make_trainer: object = ScriptedTrainer) -> Executor:
        from tuner.executors.ray import RayExecutor

        return RayExecutor(setup, Resources(workers=2), make_trainer)  # type: ignore[arg-type]
