"""The trainer's side of the Ray executor: an actor, which runs on any node of the cluster."""

from __future__ import annotations

import hashlib
import queue
import socket
import tempfile
import threading
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuner import __version__
from tuner.data.schema import DataSchema
from tuner.data.training_rows import TrainingRows
from tuner.errors import DataError, RunError
from tuner.events import Event, TrainerReady
from tuner.executors.base import MakeTrainer, TrainerLike, keras_trainer, unavailable
from tuner.executors.devices import placed
from tuner.executors.inbox import Inbox
from tuner.executors.interpreter import forget_secrets
from tuner.executors.messages import write_event
from tuner.executors.transfer import Contents, place, take
from tuner.jobs import Instruction, Job, TrainerSetup
from tuner.training.runtime import restrict_process

Message = tuple[bytes, Contents]  # an event as JSON, and the files that it names


@dataclass(frozen=True, slots=True)
class RayStart:
    """What an actor is made with. ``digest`` is that of :func:`digest_of` over the arrays; ``None`` without rows."""

    setup: TrainerSetup
    schema: DataSchema | None
    make_trainer: MakeTrainer
    threads: int
    version: str
    digest: str | None


class RayTrainer:
    """Does jobs on a node of a Ray cluster. It trains in a thread; Ray's threads call the methods.

    Args:
        start: What it needs.
        arrays: The fields of :class:`~tuner.data.training_rows.TrainingRows`, mapped from the node's object store.
    """

    def __init__(self, start: RayStart, *arrays: NDArray[Any]) -> None:
        forget_secrets()  # Ray starts its processes with the environment of whoever started the cluster
        self._start = start
        self._arrays = arrays
        self._inbox = Inbox()
        self._contents: dict[int, Contents] = {}
        self._events: queue.SimpleQueue[Message] = queue.SimpleQueue()
        threading.Thread(target=self._work, name="tuner-trainer", daemon=True).start()

    def submit(self, job: Job, contents: Contents) -> None:
        """Start a job after the current one. ``contents`` are the files that it reads."""
        self._contents[job.number] = contents
        self._inbox.put(job)

    def instruct(self, number: int, instruction: Instruction) -> None:
        """Pass an instruction to a trial."""
        self._inbox.put((number, instruction))

    def events(self, timeout: float) -> list[Message]:
        """Return new events. Wait up to ``timeout`` seconds for the first one."""
        try:
            found = [self._events.get(timeout=timeout)]
        except queue.Empty:
            return []
        while not self._events.empty():
            found.append(self._events.get())
        return found

    def _send(self, event: Event, contents: Mapping[str, bytes] | None = None) -> None:
        self._events.put((write_event(event), dict(contents or {})))

    def _work(self) -> None:
        try:
            trainer = self._trainer()
        except BaseException as error:  # noqa: BLE001 - the coordinator reports it
            traceback.print_exc()
            self._send(unavailable(error))
            return
        self._send(TrainerReady(placed(trainer.device, node=socket.gethostname()), trainer.bfloat16))
        with tempfile.TemporaryDirectory(prefix="tuner-ray-") as folder:
            while True:
                self._execute(trainer, self._inbox.jobs.get(), Path(folder))

    def _trainer(self) -> TrainerLike:
        start = self._start
        if start.version != __version__:
            raise RunError(
                f"{socket.gethostname()} has tuner {__version__}, this run tuner {start.version}",
                hint="install the same version on all nodes",
            )
        restrict_process(start.setup.device, start.threads)
        if start.schema is None:
            return start.make_trainer(start.setup, start.threads)
        rows = TrainingRows(*self._arrays)
        if digest_of(rows) != start.digest:
            raise DataError(
                f"the rows on {socket.gethostname()} are not those of the study", hint="restart the node's object store"
            )
        return keras_trainer(start.setup, start.threads, (rows, start.schema))

    def _execute(self, trainer: TrainerLike, job: Job, folder: Path) -> None:
        def send(event: Event) -> None:
            self._send(*take(event, job))

        number = job.number
        moved = place(job, self._contents.pop(number), folder)
        send(trainer.execute(moved, send, lambda wait: self._inbox.instruction(number, wait=wait)))
        for file in folder.iterdir():
            file.unlink()


def digest_of(rows: TrainingRows) -> str:
    """Return the SHA-256 over the arrays of rows, with their types and shapes."""
    digest = hashlib.sha256()
    for part in fields(rows):
        array = getattr(rows, part.name)
        digest.update(f"{part.name} {array.dtype} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def without_paths(setup: TrainerSetup) -> TrainerSetup:
    """Return a setup without the paths of this machine: an actor gets its rows from the object store."""
    return replace(setup, data_dir=None, rows=None)
