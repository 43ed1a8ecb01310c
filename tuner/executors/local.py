"""Runs trainers in worker processes on this machine."""

from __future__ import annotations

import contextlib
import logging
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any, cast

from tuner.environment import available_cores
from tuner.errors import UsageError
from tuner.events import (
    OUT_OF_MEMORY,
    EpochEnd,
    Event,
    RefitEnd,
    TrainerReady,
    TrainerUnavailable,
    TrialEnd,
    WorkerLost,
)
from tuner.executors.base import MakeTrainer, keras_trainer
from tuner.executors.choice import idle, training
from tuner.executors.devices import Gpu, find_gpus, shared_out
from tuner.executors.fork_server import TRAINERS, ForkServer, shared_server
from tuner.executors.inbox import Message
from tuner.executors.memory import out_of_memory_kills
from tuner.executors.messages import LARGEST, MessageError, read_event
from tuner.executors.process import Process, how_it_ended
from tuner.executors.worker import Start
from tuner.jobs import Instruction, Job, TrainerSetup

_log = logging.getLogger(__name__)

MAX_WORKERS = 64
TRIALS_PER_PROCESS = 50  # TensorFlow never frees some memory for each new shape: see benchmarks/memory.py


@dataclass(eq=False)
class _Worker:
    process: Process
    server: ForkServer
    gpu: Gpu | None
    device: str | None = None  # once it is ready
    job: Job | None = None
    trials: int = 0  # finished trials and refits


class LocalExecutor:
    """Trains in separate processes, so that a crash, a leak or a hang costs only one attempt at one trial.

    The processes are forked from a server that has imported TensorFlow. Only the first process waits for this import.
    See :mod:`tuner.executors.fork_server`.

    Args:
        setup: Settings that all trials share.
        workers: Number of processes that train at the same time.
        make_trainer: Creates the trainer in the process; must be picklable.
        trials_per_process: Number of trials after which a process is replaced.
        threads: Number of threads of each process; ``None`` divides the cores among the processes.
        gpus: The ids of the GPUs for the processes; ``None`` looks for them when the processes start.

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
        gpus: tuple[str, ...] | None = None,
    ) -> None:
        default_threads = threads_each(workers)
        self.slots = workers
        self._setup = setup
        self._make_trainer = make_trainer
        self._threads = threads or default_threads
        self._gpus = () if setup.device == "cpu" else gpus
        self._preload = TRAINERS if make_trainer is keras_trainer else None
        self._trials_per_process = trials_per_process
        self._workers: list[_Worker] = []
        self._retired: list[Process] = []
        self._kills = out_of_memory_kills()

    @property
    def free(self) -> int:
        """See :class:`Executor`."""
        return len(idle(self._workers))

    @property
    def processes(self) -> list[int]:
        """The process ids of the workers."""
        return [worker.process.pid for worker in self._workers if worker.process.pid is not None]

    def warm_up(self) -> None:
        """See :class:`Executor`."""
        shared_server(self._preload)  # it imports in the background

    def start(self) -> None:
        """See :class:`Executor`."""
        gpus = find_gpus() if self._gpus is None else self._gpus
        self._workers = [self._spawn(gpu) for gpu in shared_out(gpus, self.slots)]

    @property
    def next_device(self) -> str | None:
        """See :class:`Executor`."""
        return next((worker.device for worker in idle(self._workers)), None)

    def submit(self, jobs: Sequence[Job]) -> None:
        """See :class:`Executor`."""
        for job in jobs:
            worker = idle(self._workers)[0]
            worker.job = job
            self._send(worker, job)

    def poll(self, timeout: float) -> list[Event]:
        """See :class:`Executor`. What the processes print is read too, because a full pipe would block them."""
        by_connection = {worker.process.connection: worker for worker in self._workers}
        outputs = [*{worker.server.output for worker in self._workers}, *(w.process.output for w in self._workers)]
        sources: list[Any] = [*by_connection, *(output for output in outputs if output.is_open)]
        if not sources:
            time.sleep(timeout)
        events: list[Event] = []
        lost: list[tuple[_Worker, str]] = []
        for source in cast("list[Any]", wait(sources, timeout)):
            worker = by_connection.get(source)
            if worker is None:
                source.read()
                continue
            try:
                event = read_event(worker.process.connection.recv_bytes(LARGEST), worker.job)
            except (EOFError, OSError):
                lost.append((worker, ""))
            except MessageError as error:
                lost.append((worker, f"sent {error}"))
            else:
                events.append(event)
                self._received(worker, event)
        # All reasons first: to replace a worker can mean to replace its server, which knows the reason.
        reported = [self._lost(worker, fault) for worker, fault in lost]
        if not any(isinstance(event, TrainerUnavailable) for event in reported):
            for worker, _ in lost:
                self._replace(worker)
        return [*events, *reported]

    def _received(self, worker: _Worker, event: Event) -> None:
        """Record what an event says about its worker."""
        if isinstance(event, TrainerUnavailable):
            self._workers.remove(worker)
            self._retired.append(worker.process)
        elif isinstance(event, TrainerReady):
            worker.device = event.device
        elif not isinstance(event, EpochEnd):
            worker.job = None
            worker.trials += isinstance(event, (TrialEnd, RefitEnd))
            if worker.trials >= self._trials_per_process or getattr(event, "reason", None) == OUT_OF_MEMORY:
                self._replace(worker)  # the old process ends when its connection is closed

    def instruct(self, number: int, instruction: Instruction) -> None:
        """See :class:`Executor`."""
        for worker in training(self._workers, number):
            self._send(worker, (number, instruction))

    def kill(self, number: int) -> None:
        """See :class:`Executor`. A process that hangs does not react to anything else."""
        for worker in training(self._workers, number):
            worker.process.kill()

    def close(self) -> None:
        """See :class:`Executor`."""
        for worker in self._workers:
            worker.process.connection.close()  # then a worker ends by itself, even during a job
            if not worker.server.is_ready:
                worker.server.kill()  # it still imports, and has no workers yet
        for process in [*(worker.process for worker in self._workers), *self._retired]:
            process.end()
        self._workers, self._retired = [], []

    def _spawn(self, gpu: Gpu | None) -> _Worker:
        server = shared_server(self._preload)
        worker = _Worker(server.fork("worker"), server, gpu)
        try:
            folder = Path.cwd()
        except FileNotFoundError:  # it was deleted
            folder = None
        debug = logging.getLogger("tuner").isEnabledFor(logging.DEBUG)
        self._send(worker, Start(self._setup, self._make_trainer, self._threads, folder, debug, gpu))
        return worker

    def _send(self, worker: _Worker, message: Message | Start) -> None:
        with contextlib.suppress(OSError):  # if the process has just ended, the next poll reports it
            worker.process.connection.send(message)

    def _replace(self, worker: _Worker) -> None:
        """Put a new process in the place of a worker."""
        worker.process.connection.close()
        ended = [process for process in self._retired if process.join(0)]
        for process in ended:
            process.close()
        self._retired = [process for process in [*self._retired, worker.process] if process not in ended]
        self._workers[self._workers.index(worker)] = self._spawn(worker.gpu)

    def _lost(self, worker: _Worker, fault: str) -> WorkerLost | TrainerUnavailable:
        """End a worker that is of no use any more, and return why.

        Args:
            worker: The worker.
            fault: What is wrong with its message; empty if its connection is broken.
        """
        process, server = worker.process, worker.server
        if fault:
            process.kill()
        process.end()
        number = None if worker.job is None else worker.job.number
        if process.pid is None and (failure := server.failure) is not None:
            return TrainerUnavailable(f"the trainer cannot start: {failure}", "see why with tuner --debug")
        kills, self._kills = self._kills, out_of_memory_kills()
        code = process.exitcode if process.pid is not None else server.exitcode
        if code == -signal.SIGKILL and self._kills > kills:
            return WorkerLost(number, OUT_OF_MEMORY)
        return WorkerLost(number, fault or how_it_ended(code, process.output.last_line))


def threads_each(workers: int, cores: int | None = None) -> int:
    """Return the number of threads of each worker. By default, ``cores`` is the number of usable cores.

    Raises:
        UsageError: If ``workers`` is not between 1 and 64.
    """
    if not 1 <= workers <= MAX_WORKERS:
        raise UsageError(f"workers must lie in [1, {MAX_WORKERS}], got {workers}")
    return max(1, (cores or available_cores()) // workers)
