"""What runs in a worker process: a trainer, and a thread that listens to the coordinator."""

from __future__ import annotations

import logging
import os
import queue
import threading
from multiprocessing.connection import Connection

from tuner.errors import TunerError
from tuner.executors.base import MakeTrainer
from tuner.jobs import Instruction, Job, TrainerReady, TrainerRefused, TrainerSetup
from tuner.signals import ignore_signals

_log = logging.getLogger(__name__)

Order = Job | tuple[int, Instruction]  # what the coordinator sends: a job, or a instruction on a trial


def work(connection: Connection, setup: TrainerSetup, make_trainer: MakeTrainer, threads: int | None) -> None:
    """Do the jobs that come over ``connection`` until it closes; the whole life of a worker process."""
    ignore_signals()
    inbox = _Inbox(connection)
    try:
        trainer = make_trainer(setup, threads)
    except TunerError as error:
        connection.send(TrainerRefused(str(error), error.hint))
        return
    except Exception as error:  # noqa: BLE001 - the coordinator reports it
        _log.debug("the trainer cannot start", exc_info=True)
        connection.send(TrainerRefused(f"the trainer cannot start: {type(error).__name__}: {error}"))
        return
    connection.send(TrainerReady(trainer.device))
    while True:
        job = inbox.jobs.get()
        number = job.number
        connection.send(trainer.execute(job, connection.send, lambda wait: inbox.instruction(number, wait=wait)))  # noqa: B023


class _Inbox:
    """Receives in a thread, because a instruction comes while the main thread trains."""

    def __init__(self, connection: Connection) -> None:
        self.jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
        self._instructions: dict[int, Instruction] = {}
        self._news = threading.Condition()
        self._connection = connection
        threading.Thread(target=self._listen, name="tuner-inbox", daemon=True).start()

    def instruction(self, number: int, *, wait: bool) -> Instruction | None:
        """Return the instruction on a trial; without ``wait``, ``None`` where there is none yet."""
        with self._news:
            if wait:
                self._news.wait_for(lambda: number in self._instructions)
            return self._instructions.pop(number, None)

    def _listen(self) -> None:
        while True:
            try:
                order: Order = self._connection.recv()
            except (EOFError, OSError):
                os._exit(0)  # the coordinator is gone, however it went: no worker outlives it
            if isinstance(order, tuple):
                number, instruction = order
                with self._news:
                    self._instructions[number] = instruction
                    self._news.notify()
            else:
                with self._news:
                    self._instructions.pop(order.number, None)  # left over from an earlier attempt
                self.jobs.put(order)
