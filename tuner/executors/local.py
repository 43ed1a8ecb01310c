"""Worker processes on this machine."""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing import forkserver
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerProcess

from tuner.environment import available_cores
from tuner.errors import UsageError
from tuner.executors.base import MakeTrainer, keras_trainer
from tuner.executors.memory import out_of_memory_kills
from tuner.executors.worker import Order, work
from tuner.jobs import (
    OUT_OF_MEMORY,
    EpochEnd,
    Event,
    Instruction,
    Job,
    RefitEnd,
    TrainerLost,
    TrainerReady,
    TrainerRefused,
    TrainerSetup,
    TrialEnd,
)

MAX_WORKERS = 64
TRIALS_PER_PROCESS = 50  # TensorFlow keeps some memory for each new shape for ever: see benchmarks/memory.py
GRACE = 5.0  # seconds between closing the connection of a process and killing it


@dataclass(eq=False)
class _Worker:
    process: ForkServerProcess
    connection: Connection
    ready: bool = False
    job: Job | None = None
    trials: int = 0  # that it has trained, refits among them


class LocalExecutor:
    """Trains in processes of its own, so that a crash, a leak or a hang costs one attempt of one trial.

    The processes are forked from a server that has imported TensorFlow once: the first waits for that import, the
    others and every replacement start at once.

    Args:
        setup: What all trials share.
        workers: How many processes train at the same time.
        make_trainer: Makes the trainer in the process; must be picklable.
        trials_per_process: After so many trials a process is replaced by a new one.
        threads: How many each process uses; ``None`` shares the cores out.

    Raises:
        UsageError: If ``workers`` is not between 1 and 64.
    """

    def __init__(
        self,
        setup: TrainerSetup,
        workers: int,
        make_trainer: MakeTrainer = keras_trainer,
        *,
        trials_per_process: int = TRIALS_PER_PROCESS,
        threads: int | None = None,
    ) -> None:
        shared = threads_each(workers)
        self.slots = workers
        self._setup = setup
        self._make_trainer = make_trainer
        self._threads = threads or shared
        self._context = multiprocessing.get_context("forkserver")
        self._trials_per_process = trials_per_process
        self._workers: list[_Worker] = []
        self._retired: list[ForkServerProcess] = []
        self._kills = out_of_memory_kills()
        self._starting: threading.Thread | None = None

    @property
    def free(self) -> int:
        """See :class:`Executor`."""
        return sum(worker.ready and worker.job is None for worker in self._workers)

    @property
    def processes(self) -> list[int]:
        """The process ids of the workers."""
        return [worker.process.pid for worker in self._workers if worker.process.pid is not None]

    def warm_up(self) -> None:
        """See :class:`Executor`."""
        if self._make_trainer is keras_trainer:
            self._context.set_forkserver_preload(["tuner.executors.preload"])
            forkserver.ensure_running()  # it imports while this process goes on

    def start(self) -> None:
        """See :class:`Executor`."""
        self.warm_up()
        # The first process waits for the server's imports; the run goes on showing itself meanwhile.
        self._starting = threading.Thread(target=self._spawn_all, name="tuner-start", daemon=True)
        self._starting.start()

    def submit(self, jobs: Sequence[Job]) -> None:
        """See :class:`Executor`."""
        for job in jobs:
            worker = next(w for w in self._workers if w.ready and w.job is None)
            worker.job = job
            self._send(worker, job)

    def poll(self, timeout: float) -> list[Event]:
        """See :class:`Executor`."""
        events: list[Event] = []
        by_connection = {worker.connection: worker for worker in self._workers}
        if not by_connection:
            time.sleep(timeout)
        for connection in wait(list(by_connection), timeout):
            worker = by_connection[connection]  # type: ignore[index]
            try:
                event: Event = worker.connection.recv()
            except (EOFError, OSError):
                events.append(self._replace(worker))
                continue
            if isinstance(event, TrainerRefused):
                self._workers.remove(worker)
            elif isinstance(event, TrainerReady):
                worker.ready = True
            elif not isinstance(event, EpochEnd):
                worker.job = None
                worker.trials += isinstance(event, (TrialEnd, RefitEnd))
                if worker.trials >= self._trials_per_process or getattr(event, "reason", None) == OUT_OF_MEMORY:
                    self._retire(worker)
            events.append(event)
        return events

    def instruct(self, number: int, instruction: Instruction) -> None:
        """See :class:`Executor`."""
        for worker in self._workers:
            if worker.job is not None and worker.job.number == number:
                self._send(worker, (number, instruction))

    def kill(self, number: int) -> None:
        """See :class:`Executor`; a process that hangs would not hear anything gentler."""
        for worker in self._workers:
            if worker.job is not None and worker.job.number == number:
                worker.process.kill()

    def close(self) -> None:
        """See :class:`Executor`."""
        if self._starting is not None:
            self._starting.join()
        for worker in self._workers:
            worker.connection.close()  # a worker ends by itself when it sees this, whatever it is doing
        for process in [*(worker.process for worker in self._workers), *self._retired]:
            _end(process)
        self._workers, self._retired = [], []

    def _spawn_all(self) -> None:
        for _ in range(self.slots):
            self._workers.append(self._spawn())

    def _spawn(self) -> _Worker:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(
            target=work,
            args=(theirs, self._setup, self._make_trainer, self._threads),
            name="tuner-trainer",
            daemon=True,
        )
        process.start()
        theirs.close()  # so that the end of the process is seen as the end of the pipe
        return _Worker(process, ours)

    def _send(self, worker: _Worker, order: Order) -> None:
        with contextlib.suppress(OSError):  # it has just died: the next poll says so
            worker.connection.send(order)

    def _retire(self, worker: _Worker) -> None:
        """Put a new process in the place of one that has done its share; the old one ends when it sees the closing."""
        worker.connection.close()
        self._retired.append(worker.process)
        self._retired = [process for process in self._retired if process.is_alive()]
        self._workers[self._workers.index(worker)] = self._spawn()

    def _replace(self, worker: _Worker) -> TrainerLost:
        worker.connection.close()
        _end(worker.process)
        job = worker.job
        self._workers[self._workers.index(worker)] = self._spawn()
        reason = _how_it_ended(worker.process.exitcode)
        kills, self._kills = self._kills, out_of_memory_kills()
        if worker.process.exitcode == -signal.SIGKILL and self._kills > kills:
            reason = OUT_OF_MEMORY
        return TrainerLost(None if job is None else job.number, reason)


def default_workers() -> int:
    """Return how many workers to use when nobody says: one per core, at most 8.

    A program for small batches gains little from a second thread, a second process almost doubles the throughput;
    many trials at the same time on the other hand leave the sampler with less to learn from.
    """
    return min(8, available_cores())


def threads_each(workers: int, cores: int | None = None) -> int:
    """Return how many threads each of so many workers uses; ``cores`` are those of this machine unless given.

    Raises:
        UsageError: If ``workers`` is not between 1 and 64.
    """
    if not 1 <= workers <= MAX_WORKERS:
        raise UsageError(f"workers must lie in [1, {MAX_WORKERS}], got {workers}")
    return max(1, (cores or available_cores()) // workers)


def _end(process: ForkServerProcess) -> None:
    """Wait for a process whose connection is closed; one that does not end by itself is killed."""
    process.join(GRACE)
    if process.is_alive():
        process.kill()
        process.join()


def _how_it_ended(exitcode: int | None) -> str:
    if exitcode is None:
        return "ended without telling how"
    if exitcode < 0:
        return f"killed by {signal.Signals(-exitcode).name}"
    return f"ended with exit code {exitcode}"
