"""What workers send is data with a strict schema: the coordinator, which can write the database, runs nothing of it."""

from __future__ import annotations

import dataclasses
import json
import pickle
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.evaluations import evaluation_of_task
from tests.executors.jobs import job, refit_job, until
from tests.runs import SETUP
from tests.scripted import ScriptedTrainer
from tuner.events import (
    EpochEnd,
    Event,
    ModelFile,
    RefitEnd,
    TestEnd,
    TrainerReady,
    TrainerUnavailable,
    TrialEnd,
    WorkerLost,
)
from tuner.executors.local import LocalExecutor
from tuner.executors.messages import LARGEST, MessageError, read_event, write_event
from tuner.jobs import CheckpointFile, Job, TestJob
from tuner.records import Outcome

FOLDER = Path("/artifacts")
TRIAL, REFIT, TEST = job(FOLDER, 4), refit_job(FOLDER, 4), TestJob(4, FOLDER / "trial-4.keras", "0" * 64)
MODEL = ModelFile(TRIAL.model_path, "1" * 64, 1000)
CHECKPOINT = CheckpointFile(2, TRIAL.checkpoint_path(2), "2" * 64, 500)
EPOCH = EpochEnd(4, 1, {"loss": 0.1}, 0.5, CHECKPOINT)

EVENTS: list[tuple[Event, Job | None]] = [
    (TrainerReady("cpu"), None),
    (TrainerUnavailable("no GPU", "use the CPU"), None),
    (EPOCH, TRIAL),
    (TrialEnd(4, Outcome.COMPLETE, None, {"loss": 0.1}, 3, 4, 125, 1.5, MODEL, {"build": 0.1}, latency_ms=0.2), TRIAL),
    (TrialEnd(4, Outcome.PAUSED, checkpoint=CHECKPOINT, traced=True), TRIAL),
    (
        TrialEnd(4, Outcome.FAILED, "loss was nan in epoch 1", {"loss": float("inf")}, traceback="Trace\u2028é\ud7ff"),
        TRIAL,
    ),
    (EpochEnd(4, 0, {"loss": 0.1}, 0.5), REFIT),
    (RefitEnd(4, {"loss": 0.1}, 3, 1000, ModelFile(REFIT.model_path, "3" * 64, 1000)), REFIT),
    (TestEnd(4, {"loss": 0.1, "accuracy": 0.9}, seconds=0.1), TEST),
    (TestEnd(4, {"loss": 0.1}, evaluation_of_task("multiclass", 900, 40)), TEST),
    (TestEnd(4, {"loss": 0.1}, evaluation_of_task("regression", 900)), TEST),
]


@pytest.mark.parametrize(("event", "job"), EVENTS)
def test_every_event_arrives_as_it_was_sent(event: Event, job: Job | None) -> None:
    """Paths, outcomes and infinite values included."""
    assert read_event(write_event(event), job) == event


def test_a_text_that_is_no_unicode_arrives_readable() -> None:
    """The name of a file may have any bytes. An error that names it must not hide behind another error."""
    event = TrainerUnavailable("there is no file d\udce9.npz")
    assert read_event(write_event(event), None) == TrainerUnavailable("there is no file d?.npz")


@given(st.floats(allow_nan=False))
def test_metrics_arrive_to_the_last_bit(value: float) -> None:
    """A study that is repeated compares them exactly."""
    event = read_event(write_event(EpochEnd(4, 0, {"loss": value}, 0.5)), TRIAL)
    assert isinstance(event, EpochEnd)
    assert event.metrics["loss"].hex() == value.hex()


class Attack:
    """Runs code when it is unpickled."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return (pytest.fail, ("the message was executed",))


def changed(**changes: Any) -> bytes:
    """Return the message of an epoch with other fields."""
    name, _, fields = write_event(EPOCH).partition(b"\n")
    (raw,) = json.loads(fields)
    return name + b"\n" + json.dumps([{**raw, **changes}]).encode()


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\n",
        b"EpochEnd",
        b"EpochEnd\nnull",
        b"EpochEnd\n[null]",
        b"object\n[{}]",
        pickle.dumps(Attack()),
        pickle.dumps(EPOCH),
        changed(number="4"),
        changed(number=True),
        changed(metrics={"loss": "0.1"}),
        changed(metrics=None),
        changed(more=1),
        changed(checkpoint={"epochs": 2}),
        b"WorkerLost\n" + json.dumps([{"number": 4, "reason": "gone"}]).encode(),
        b"TrialEnd\n" + json.dumps([{"number": 4, "outcome": "promoted"}]).encode(),
    ],
)  # fmt: skip
def test_a_message_that_is_no_event_is_refused(message: bytes) -> None:
    """Nothing of it is executed, converted or guessed."""
    with pytest.raises(MessageError):
        read_event(message, TRIAL)


@pytest.mark.parametrize(
    ("event", "job"),
    [
        (EPOCH, None),
        (EPOCH, TEST),
        (EPOCH, job(FOLDER, 5)),
        (TrialEnd(4, Outcome.FAILED), REFIT),
        (TestEnd(4), TRIAL),
        (TrialEnd(4, Outcome.COMPLETE, model=dataclasses.replace(MODEL, path=Path("/etc/passwd"))), TRIAL),
        (TrialEnd(4, Outcome.COMPLETE, model=MODEL), dataclasses.replace(TRIAL, model_path=FOLDER / "other.keras")),
        (RefitEnd(4, model=MODEL), REFIT),
        (dataclasses.replace(EPOCH, checkpoint=dataclasses.replace(CHECKPOINT, epochs=3)), TRIAL),
        (dataclasses.replace(EPOCH, checkpoint=dataclasses.replace(CHECKPOINT, path=Path("../x"))), TRIAL),
    ],
)
def test_a_worker_speaks_only_of_its_own_job_and_files(event: Event, job: Job | None) -> None:
    """The coordinator stores the results, and it removes files that are no longer needed."""
    with pytest.raises(MessageError):
        read_event(write_event(event), job)


class Forger(ScriptedTrainer):
    """Sends a pickled object in the place of each event."""

    def execute(self, job: Job, on_epoch: Any, instruction: Any) -> Any:
        send = on_epoch.__closure__[0].cell_contents
        send.send(Attack())
        return super().execute(job, on_epoch, instruction)


class Flooder(ScriptedTrainer):
    """Sends a message that would fill the memory of the coordinator."""

    def execute(self, job: Job, on_epoch: Any, instruction: Any) -> Any:
        on_epoch.__closure__[0].cell_contents.send_bytes(bytes(LARGEST + 1))
        return super().execute(job, on_epoch, instruction)


@pytest.mark.slow
@pytest.mark.parametrize("trainer", [Forger, Flooder])
def test_a_worker_that_sends_something_else_is_replaced(tmp_path: Path, trainer: type[ScriptedTrainer]) -> None:
    """Its process is killed and its trial gets another attempt, as if it had died."""
    executor = LocalExecutor(SETUP, 1, trainer)
    executor.start()
    until(executor, lambda event: isinstance(event, TrainerReady))
    process = executor._workers[0].process
    executor.submit([job(tmp_path)])
    lost = until(executor, lambda event: isinstance(event, WorkerLost))[-1]
    until(executor, lambda event: isinstance(event, TrainerReady))
    executor.close()

    assert isinstance(lost, WorkerLost)
    assert (lost.number, process.exitcode) == (0, -9) if trainer is Forger else lost.number == 0
