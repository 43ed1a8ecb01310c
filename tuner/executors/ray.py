"""Runs trainers as actors of a Ray cluster.

Ray places the actors and moves the data. Attempts at trials are the coordinator's: Ray restarts and retries nothing.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from tuner.errors import StorageError
from tuner.events import (
    DISK_FULL,
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
from tuner.executors.local import TRIALS_PER_PROCESS
from tuner.executors.messages import MessageError, read_event
from tuner.executors.ray_cluster import LOCAL, Cluster, Node
from tuner.executors.ray_trainer import Message, RayStart, RayTrainer, digest_of, without_paths
from tuner.executors.resources import Resources
from tuner.executors.transfer import read_files, write_files
from tuner.files import DISK_FULL_ERRORS
from tuner.jobs import Instruction, Job, TrainerSetup
from tuner.training.study_rows import load_rows

_log = logging.getLogger(__name__)

THREADS = 1  # of a trainer: for small batches, a second trainer gains more than a second thread
_POLL = 30.0  # seconds that an actor waits for an event; the coordinator itself never waits for one actor
_RESIZE = 2.0  # seconds between two looks at the nodes
_PATIENCE = 600.0  # seconds to wait for the first node with room, which an autoscaler may have to start


@dataclass(eq=False)
class _Worker:
    actor: Any
    node: Node
    pending: Any  # Ray's reference to the next events
    device: str | None = None  # once it is ready
    job: Job | None = None
    trials: int = 0  # finished trials and refits


class RayExecutor:
    """Trains in actors on the nodes of a Ray cluster. Their number follows the cluster as it grows and shrinks.

    Args:
        setup: Settings that all trials share.
        resources: The address of the cluster, the CPUs (``threads``) and GPUs of each trainer, and how many there are;
            without a number, as many as fit.
        make_trainer: Creates the trainer in the actor. The trainer that uses Keras gets its rows from the object store.

    Raises:
        RunError: If there is no such cluster.
        DataError: If the rows cannot be loaded.
    """

    def __init__(self, setup: TrainerSetup, resources: Resources, make_trainer: MakeTrainer = keras_trainer) -> None:
        self._setup = setup
        self._wanted = resources.workers
        self._threads = resources.threads or THREADS
        self._make_trainer = make_trainer
        self._cluster = Cluster(resources.address or LOCAL, cpus=self._threads, gpus=resources.gpus_per_worker)
        self._workers: list[_Worker] = []
        self._refused: set[str] = set()  # nodes on which no trainer can start
        self._looked = self._began = time.monotonic()
        self._capacity = sum(node.capacity for node in self._nodes())
        self._arguments: list[Any] = []

    @property
    def slots(self) -> int:
        """See :class:`Executor`. Without a number of workers, it changes with the cluster."""
        return self._wanted or max(1, self._capacity)

    @property
    def free(self) -> int:
        """See :class:`Executor`."""
        return len(idle(self._workers))

    @property
    def next_device(self) -> str | None:
        """See :class:`Executor`."""
        return next((worker.device for worker in idle(self._workers)), None)

    def warm_up(self) -> None:
        """Do nothing: the actors import TensorFlow on their nodes."""

    def start(self) -> None:
        """See :class:`Executor`. The rows go to the object store once."""
        import ray

        from tuner import __version__

        schema, digest, arrays = None, None, []
        if self._make_trainer is keras_trainer:
            rows, schema = load_rows(self._setup)
            digest = digest_of(rows)
            stored: dict[int, Any] = {}  # raw rows of images are those that trainers read: one array
            for part in fields(rows):
                array = getattr(rows, part.name)
                if id(array) not in stored:
                    stored[id(array)] = ray.put(array)
                arrays.append(stored[id(array)])
        start = RayStart(without_paths(self._setup), schema, self._make_trainer, self._threads, __version__, digest)
        self._arguments = [start, *arrays]
        if self._wanted:
            self._cluster.request(self._wanted)
        self._began = time.monotonic()
        self._resize()

    def submit(self, jobs: Sequence[Job]) -> None:
        """See :class:`Executor`. The files that a job reads travel with it."""
        for job in jobs:
            worker = idle(self._workers)[0]
            worker.job = job
            worker.actor.submit.remote(job, read_files(job))

    def poll(self, timeout: float) -> list[Event]:
        """See :class:`Executor`."""
        import ray

        if time.monotonic() - self._looked > _RESIZE:
            self._resize()
        events: list[Event] = []
        workers = {worker.pending: worker for worker in self._workers}
        if not workers:
            time.sleep(timeout)
            return self._nobody()
        done, _ = ray.wait(list(workers), num_returns=1, timeout=timeout)
        if done:
            done, _ = ray.wait(list(workers), num_returns=len(workers), timeout=0)
        for reference in done:
            worker = workers[reference]
            try:
                messages = ray.get(reference)
            except ray.exceptions.RayError as error:
                events += self._lost(worker, error)
            else:
                worker.pending = worker.actor.events.remote(_POLL)
                events += self._read(worker, messages)
        return events

    def instruct(self, number: int, instruction: Instruction) -> None:
        """See :class:`Executor`."""
        for worker in training(self._workers, number):
            worker.actor.instruct.remote(number, instruction)

    def kill(self, number: int) -> None:
        """See :class:`Executor`."""
        import ray

        for worker in training(self._workers, number):
            ray.kill(worker.actor)

    def close(self) -> None:
        """See :class:`Executor`. A cluster that was started for this run ends too."""
        import ray

        for worker in self._workers:
            ray.kill(worker.actor)
        self._workers, self._arguments = [], []
        self._cluster.close()

    def _nodes(self) -> list[Node]:
        return [node for node in self._cluster.nodes() if node.id not in self._refused]

    def _resize(self) -> None:
        """Start trainers where there is room."""
        self._looked = time.monotonic()
        nodes = self._nodes()
        room = {node.id: node.capacity for node in nodes}
        self._capacity = sum(room.values())
        for worker in self._workers:
            if worker.node.id in room:
                room[worker.node.id] -= 1
        wanted = (self._wanted or self._capacity) - len(self._workers)
        for _ in range(wanted):
            node = max(nodes, key=lambda node: room[node.id], default=None)
            if node is None or room[node.id] < 1:
                return
            room[node.id] -= 1
            self._workers.append(self._spawn(node))

    def _spawn(self, node: Node) -> _Worker:
        actor = self._cluster.spawn(RayTrainer, node, *self._arguments)
        return _Worker(actor, node, actor.events.remote(_POLL))

    def _nobody(self) -> list[Event]:
        """Return the event for a cluster that has had no room for any trainer for a long time."""
        if time.monotonic() - self._began < _PATIENCE:
            return []
        return [TrainerUnavailable("no node of the Ray cluster has room for a trainer", "look with `ray status`")]

    def _read(self, worker: _Worker, messages: Sequence[Message]) -> list[Event]:
        events: list[Event] = []
        for message, contents in messages:
            try:
                event = read_event(message, worker.job)
                write_files(event, contents)
            except MessageError as error:
                return [*events, *self._drop(worker, f"sent {error}")]
            except OSError as error:
                if error.errno not in DISK_FULL_ERRORS:
                    raise
                raise StorageError(
                    f"there is {DISK_FULL} of the models", hint="make room and start again: every result is kept"
                ) from None
            events += self._received(worker, event)
        return events

    def _received(self, worker: _Worker, event: Event) -> list[Event]:
        """Record what an event says about its worker; returns the event, unless other nodes can do without this one."""
        if isinstance(event, TrainerUnavailable):
            if worker.node.id not in self._refused:
                self._refused.add(worker.node.id)
                self._capacity -= worker.node.capacity
            self._end(worker)
            if any(other.node.id not in self._refused for other in self._workers):
                _log.warning("no trainer can start on %s: %s", worker.node.name, event.message)
                return []
        elif isinstance(event, TrainerReady):
            worker.device = event.device
        elif not isinstance(event, EpochEnd):
            worker.job = None
            worker.trials += isinstance(event, (TrialEnd, RefitEnd))
            if worker.trials >= TRIALS_PER_PROCESS or getattr(event, "reason", None) == OUT_OF_MEMORY:
                self._end(worker)
                self._workers.append(self._spawn(worker.node))
        return [event]

    def _drop(self, worker: _Worker, reason: str) -> list[Event]:
        self._end(worker)
        self._looked = 0.0  # look for room for another one at once
        return [WorkerLost(None if worker.job is None else worker.job.number, reason)]

    def _end(self, worker: _Worker) -> None:
        import ray

        self._workers.remove(worker)
        ray.kill(worker.actor)

    def _lost(self, worker: _Worker, error: Exception) -> list[Event]:
        """Return the event for an actor that is gone. One without a job is replaced without an event if its node died.

        So a node with many idle trainers does not count as many failures.
        """
        events = self._drop(worker, _reason(error, worker))
        died = all(node.id != worker.node.id for node in self._cluster.nodes())
        return [] if died and worker.job is None else events


def _reason(error: Exception, worker: _Worker) -> str:
    text = str(error)
    if "OutOfMemory" in type(error).__name__ or "out of memory" in text.lower():
        return OUT_OF_MEMORY
    if "killed by `ray.kill`" in text:
        return "killed by the coordinator"
    if "node" in text and ("died" in text or "dead" in text) and "NodeDied" in type(error).__name__ + text:
        return f"the node {worker.node.name} died"
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return f"the actor on {worker.node.name} died: {lines[-1] if lines else type(error).__name__}"
