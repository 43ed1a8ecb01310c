"""The code of a worker process: a trainer, and a thread that receives messages from the coordinator."""

from __future__ import annotations

import logging
import os
import queue
import threading
from multiprocessing.connection import Connection

from tuner.errors import TunerError
from tuner.executors.base import MakeTrainer
from tuner.jobs import Instruction, Job, TrainerReady, TrainerSetup, TrainerUnavailable
from tuner.signals import ignore_signals

_log = logging.getLogger(__name__)

Message = Job | tuple[int, Instruction]  # from the coordinator: a job, or an instruction for the trial with a number


def work(connection: Connection, setup: TrainerSetup, make_trainer: MakeTrainer, threads: int | None) -> None:
    """Do the jobs that come over ``connection`` until it closes: the main function of a worker process."""
    ignore_signals()
    inbox = _Inbox(connection)
    try:
        trainer = make_trainer(setup, threads)
    except TunerError as error:
        connection.send(TrainerUnavailable(str(error), error.hint))
        return
    except Exception as error:  # noqa: BLE001 - the coordinator reports it
        _log.debug("the trainer cannot start", exc_info=True)
        connection.send(TrainerUnavailable(f"the trainer cannot start: {type(error).__name__}: {error}"))
        return
    connection.send(TrainerReady(trainer.device))
    while True:
        job = inbox.jobs.get()
        number = job.number
        connection.send(trainer.execute(job, connection.send, lambda wait: inbox.instruction(number, wait=wait)))  # noqa: B023


class _Inbox:
    """Receives messages in a thread, because instructions arrive while the main thread trains."""

    def __init__(self, connection: Connection) -> None:
        self.jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
        self._instructions: dict[int, Instruction] = {}
        self._changed = threading.Condition()
        self._connection = connection
        threading.Thread(target=self._listen, name="tuner-inbox", daemon=True).start()

    def instruction(self, number: int, *, wait: bool) -> Instruction | None:
        """Return the instruction for a trial. If there is none yet, wait for it or return ``None``."""
        with self._changed:
            if wait:
                self._changed.wait_for(lambda: number in self._instructions)
            return self._instructions.pop(number, None)

    def _listen(self) -> None:
        while True:
            try:
                message: Message = self._connection.recv()
            except (EOFError, OSError):
                os._exit(0)  # the coordinator has ended, and no worker may outlive it
            if isinstance(message, tuple):
                number, instruction = message
                with self._changed:
                    self._instructions[number] = instruction
                    self._changed.notify()
            else:
                with self._changed:
                    self._instructions.pop(message.number, None)  # left over from an earlier attempt
                self.jobs.put(message)
