"""Show how many trainers one coordinator, or several, keep busy: trainers that only wait, a real database.

python benchmarks/saturation.py [--trainers 64,256] [--coordinators 1,4] [--epoch-seconds 2] [--trials 200]
    [--storage URL]

Each trial has 20 epochs, whose accuracies follow a curve that depends on the learning rate. Its epochs take between
half and three halves of the given seconds, as the sizes of networks differ. Nothing is trained, so the trainers need no
cores: a row shows what share of their time they spend in epochs, until no new trial follows. The trainers are divided
among the coordinators, each a process of its own. A PostgreSQL database is given with --storage; by default it is
SQLite in a new folder, which has one coordinator.
"""

from __future__ import annotations

import argparse
import heapq
import itertools
import multiprocessing
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from threading import Barrier

from rich.console import Console
from tuner_storage import Location, locate

from tuner import studies
from tuner.config.recipe import Recipe, parse_recipe
from tuner.events import EpochEnd, Event, ModelFile, TrainerReady, TrialEnd
from tuner.jobs import CheckpointFile, Instruction, Job, TrialJob
from tuner.records import Outcome
from tuner.report.tables import new_table
from tuner.run.build import build_coordinator
from tuner.run.progress import Silent

EPOCHS = 20
ENDINGS = {
    Instruction.PAUSE: Outcome.PAUSED,
    Instruction.PRUNE: Outcome.PRUNED,
    Instruction.INTERRUPT: Outcome.INTERRUPTED,
    Instruction.COMPLETE: Outcome.COMPLETE,
}


@dataclass
class _Trial:
    job: TrialJob
    epochs: int
    waits: bool = False  # at a rung, for an instruction
    told: Instruction | None = None
    metrics: dict[str, float] = field(default_factory=dict)


class WaitingExecutor:
    """Has trainers that wait for the length of an epoch, and then report it. At a rung they wait for an instruction.

    Args:
        slots: Number of trainers.
        seconds: Mean length of an epoch.

    Attributes:
        trained: Seconds that all trainers spent in epochs.
        events: Number of events.
    """

    next_device = "none"

    def __init__(self, slots: int, seconds: float) -> None:
        self.slots = slots
        self._seconds = seconds
        self._due: list[tuple[float, int, int]] = []  # when the epoch of which trial ends
        self._order = itertools.count()
        self._trials: dict[int, _Trial] = {}
        self._ready: list[Event] = [TrainerReady("none")]
        self._started = False
        self.trained = 0.0
        self.events = 0

    @property
    def free(self) -> int:
        """See :class:`tuner.executors.base.Executor`."""
        return self.slots - len(self._trials) if self._started else 0

    def warm_up(self) -> None:
        """Do nothing."""

    def start(self) -> None:
        """Start at once."""
        self._started = True

    def submit(self, jobs: Sequence[Job]) -> None:
        """Begin the first epoch of each trial."""
        for job in jobs:
            assert isinstance(job, TrialJob)  # noqa: S101 - nothing is refitted or tested
            self._trials[job.number] = _Trial(job, job.checkpoint.epochs if job.checkpoint else 0)
            self._begin(job.number)

    def _begin(self, number: int) -> None:
        heapq.heappush(self._due, (time.monotonic() + self._length(number), next(self._order), number))

    def _length(self, number: int) -> float:
        """Return the seconds of each epoch of a trial."""
        return self._seconds * (0.5 + (number * 7919 % 1000) / 1000)

    def poll(self, timeout: float) -> list[Event]:
        """Return the epochs that have ended."""
        if not self._ready:
            until = self._due[0][0] - time.monotonic() if self._due else timeout
            time.sleep(max(0.0, min(timeout, until)))
        now = time.monotonic()
        while self._due and self._due[0][0] <= now:
            _, _, number = heapq.heappop(self._due)
            self._ended(self._trials[number])
        events, self._ready = self._ready, []
        self.events += len(events)
        return events

    def _ended(self, trial: _Trial) -> None:
        job = trial.job
        rate = job.hyperparameters.learning_rate
        accuracy = (1 - rate) * (1 - 0.8 ** (trial.epochs + 1))
        trial.metrics = {"loss": 1 - accuracy, "accuracy": accuracy, "val_loss": 1 - accuracy, "val_accuracy": accuracy}
        length = self._length(job.number)
        self._ready.append(EpochEnd(job.number, trial.epochs, trial.metrics, length))
        trial.epochs += 1
        self.trained += length
        told, trial.told = trial.told, None
        if trial.epochs == job.epochs:
            self._finish(trial, Outcome.COMPLETE)
        elif told in ENDINGS:
            self._finish(trial, ENDINGS[told])
        elif trial.epochs in job.rungs:
            trial.waits = True
        else:
            self._begin(job.number)

    def _finish(self, trial: _Trial, outcome: Outcome) -> None:
        job = trial.job
        del self._trials[job.number]
        model = checkpoint = None
        if outcome is Outcome.COMPLETE:
            job.model_path.parent.mkdir(parents=True, exist_ok=True)
            job.model_path.write_bytes(b"model")
            model = ModelFile(job.model_path, "0" * 64, 5)
        elif outcome in {Outcome.PAUSED, Outcome.INTERRUPTED}:
            path = job.checkpoint_path(trial.epochs)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"state")
            checkpoint = CheckpointFile(trial.epochs, path, "0" * 64, 5)
        self._ready.append(
            TrialEnd(job.number, outcome, None, trial.metrics, trial.epochs - 1, trial.epochs, 1000, 0.0, model,
                     checkpoint=checkpoint)
        )  # fmt: skip

    def instruct(self, number: int, instruction: Instruction) -> None:
        """Let a trial that waits go on or end; others are told after their epoch."""
        trial = self._trials.get(number)
        if trial is None:
            return
        if not trial.waits:
            trial.told = instruction.or_stronger(trial.told)
            return
        trial.waits = False
        if instruction in ENDINGS:
            self._finish(trial, ENDINGS[instruction])
        else:
            self._begin(number)

    def kill(self, number: int) -> None:
        """No trial hangs."""

    def close(self) -> None:
        """Nothing is left."""


def recipe(trials: int) -> Recipe:
    """Return a search whose sampler costs little, as that of a cluster should."""
    return parse_recipe(
        {
            "name": "saturation",
            "data": "digits",
            "budget": {"trials": trials, "epochs": EPOCHS, "keep": 1},
            "search": {"sampler": "random", "pruner": "asha"},
            "space": {
                "learning_rate": {"type": "float", "low": 0.001, "high": 0.5},
                "dropout": {"type": "float", "low": 0.0, "high": 0.5},
                "units": {"type": "int", "low": 16, "high": 256},
            },
        },
        "benchmark",
    )


@dataclass(frozen=True)
class Load:
    """What a coordinator did until the first of its trainers had nothing more to do. Times in seconds."""

    trained: float  # by all its trainers
    wall: float
    trainers: int
    events: int
    processor: float


@dataclass(frozen=True)
class Study:
    """What all coordinators have in common. ``seconds`` is the mean length of an epoch."""

    url: str
    home: Path
    name: str
    trials: int
    seconds: float


def coordinate(study: Study, trainers: int, begin: Barrier) -> Load:
    """Run one coordinator, together with the others."""
    name, search, location = study.name, recipe(study.trials), locate(study.url, study.home)
    with studies.opened(location, create=True) as store:
        stored = studies.create_or_resume(store, name, search, "0" * 64)
        with store.lease(stored.record.id, name, shared=location.is_server) as lease:
            executor = WaitingExecutor(trainers, study.seconds)
            coordinator = build_coordinator(stored, search, lease, executor, Silent())
            begin.wait()
            executor.start()
            began, processor = time.monotonic(), time.process_time()
            at_end: list[Load] = []

            def load() -> Load:
                return Load(
                    executor.trained,
                    time.monotonic() - began,
                    trainers,
                    executor.events,
                    time.process_time() - processor,
                )

            def note() -> str | None:
                if not at_end and coordinator.queue.full:
                    at_end.append(load())
                return None

            coordinator._stop_requested = note  # noqa: SLF001 - called in every turn of the loop
            coordinator._search()  # noqa: SLF001 - without the test of the winner, which would need a model
            return at_end[0] if at_end else load()


def measure(location: Location, trainers: int, coordinators: int, seconds: float, trials: int) -> list[Load]:
    """Return the load of each coordinator."""
    name = f"saturation-{trainers}-{time.time_ns()}"
    url = location.url.render_as_string(hide_password=False)
    study = Study(url, location.artifacts.parent, name, trials, seconds)
    spawn = multiprocessing.get_context("spawn")
    with spawn.Manager() as manager, ProcessPoolExecutor(coordinators, mp_context=spawn) as pool:
        begin = manager.Barrier(coordinators)
        shares = [trainers // coordinators + (index < trainers % coordinators) for index in range(coordinators)]
        runs = [pool.submit(coordinate, study, share, begin) for share in shares]
        return [run.result() for run in runs]


def main() -> None:
    """Print a row for each number of trainers and coordinators."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trainers", default="64", help="numbers, separated by commas [64]")
    parser.add_argument("--coordinators", default="1", help="numbers, separated by commas [1]")
    parser.add_argument("--epoch-seconds", type=float, default=2.0, help="[2]")
    parser.add_argument("--trials", type=int, default=0, help="of each study [10 per trainer]")
    parser.add_argument("--storage", help="URL of the database [SQLite in a new folder]")
    options = parser.parse_args()
    table = new_table()
    for column in ("trainers", "coordinators", "trials", "in epochs", "events per second", "core of each coordinator"):
        table.add_column(column, justify="right")
    for trainers, coordinators in itertools.product(*map(_numbers, (options.trainers, options.coordinators))):
        with tempfile.TemporaryDirectory() as home:
            trials = options.trials or 10 * trainers
            location = locate(options.storage, Path(home))
            loads = measure(location, trainers, coordinators, options.epoch_seconds, trials)
        available = sum(load.wall * load.trainers for load in loads)
        table.add_row(
            str(trainers),
            str(coordinators),
            str(trials),
            f"{sum(load.trained for load in loads) / available:.1%}",
            f"{sum(load.events / load.wall for load in loads):.0f}",
            f"{sum(load.processor / load.wall for load in loads) / coordinators:.0%}",
        )
    Console().print(table)


def _numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",")]


if __name__ == "__main__":
    main()
