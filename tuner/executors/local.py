"""Runs trainers in worker processes on this machine."""

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
from tuner.executors.worker import Message, work
from tuner.jobs import (
    OUT_OF_MEMORY,
    EpochEnd,
    Event,
    Instruction,
    Job,
    RefitEnd,
    TrainerReady,
    TrainerSetup,
    TrainerUnavailable,
    TrialEnd,
    WorkerLost,
)

MAX_WORKERS = 64
TRIALS_PER_PROCESS = 50  # TensorFlow never frees some memory for each new shape: see benchmarks/memory.py
GRACE = 5.0  # seconds that a process has to end after its connection was closed


@dataclass(eq=False)
class _Worker:
    process: ForkServerProcess
    connection: Connection
    ready: bool = False
    job: Job | None = None
    trials: int = 0  # finished trials and refits


class LocalExecutor:
    """Trains in separate processes, so that a crash, a leak or a hang costs only one attempt at one trial.

    The processes are forked from a server that has imported TensorFlow. Only the first process waits for this import.

    Args:
        setup: Settings that all trials share.
        workers: Number of processes that train at the same time.
        make_trainer: Creates the trainer in the process; must be picklable.
        trials_per_process: Number of trials after which a process is replaced.
        threads: Number of threads of each process; ``None`` divides the cores among the processes.

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
        default_threads = threads_each(workers)
        self.slots = workers
        self._setup = setup
        self._make_trainer = make_trainer
        self._threads = threads or default_threads
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
            forkserver.ensure_running()  # it imports in the background

    def start(self) -> None:
        """See :class:`Executor`."""
        self.warm_up()
        # In a thread, because the first process waits for the server's imports. The display keeps running.
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
            if isinstance(event, TrainerUnavailable):
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
        """See :class:`Executor`. A process that hangs does not react to anything else."""
        for worker in self._workers:
            if worker.job is not None and worker.job.number == number:
                worker.process.kill()

    def close(self) -> None:
        """See :class:`Executor`."""
        if self._starting is not None:
            self._starting.join()
        for worker in self._workers:
            worker.connection.close()  # then a worker ends by itself, even during a job
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
        theirs.close()  # else the end of the process would not close the pipe
        return _Worker(process, ours)

    def _send(self, worker: _Worker, message: Message) -> None:
        with contextlib.suppress(OSError):  # if the process has just ended, the next poll reports it
            worker.connection.send(message)

    def _retire(self, worker: _Worker) -> None:
        """Replace the process of a worker. The old process ends when its connection is closed."""
        worker.connection.close()
        self._retired.append(worker.process)
        self._retired = [process for process in self._retired if process.is_alive()]
        self._workers[self._workers.index(worker)] = self._spawn()

    def _replace(self, worker: _Worker) -> WorkerLost:
        worker.connection.close()
        _end(worker.process)
        job = worker.job
        self._workers[self._workers.index(worker)] = self._spawn()
        reason = _how_it_ended(worker.process.exitcode)
        kills, self._kills = self._kills, out_of_memory_kills()
        if worker.process.exitcode == -signal.SIGKILL and self._kills > kills:
            reason = OUT_OF_MEMORY
        return WorkerLost(None if job is None else job.number, reason)


def default_workers() -> int:
    """Return the default number of workers: one per core, at most 8.

    For small batches, a second thread gains little, but a second process almost doubles the throughput. With too many
    trials at the same time, the sampler has fewer results to learn from.
    """
    return min(8, available_cores())


def threads_each(workers: int, cores: int | None = None) -> int:
    """Return the number of threads of each worker. By default, ``cores`` is the number of usable cores.

    Raises:
        UsageError: If ``workers`` is not between 1 and 64.
    """
    if not 1 <= workers <= MAX_WORKERS:
        raise UsageError(f"workers must lie in [1, {MAX_WORKERS}], got {workers}")
    return max(1, (cores or available_cores()) // workers)


def _end(process: ForkServerProcess) -> None:
    """Wait for a process whose connection is closed, and kill it if it does not end."""
    process.join(GRACE)
    if process.is_alive():
        process.kill()
        process.join()


def _how_it_ended(exitcode: int | None) -> str:
    if exitcode is None:
        return "ended without an exit code"
    if exitcode < 0:
        return f"killed by {signal.Signals(-exitcode).name}"
    return f"ended with exit code {exitcode}"
