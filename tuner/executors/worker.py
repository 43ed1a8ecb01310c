"""The code of a worker process: a trainer, and a thread that receives messages from the coordinator."""

from __future__ import annotations

import logging
import os
import queue
import threading
import traceback
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from tuner.executors.base import MakeTrainer, unavailable
from tuner.executors.messages import write_event
from tuner.jobs import Event, Instruction, Job, TrainerReady, TrainerSetup
from tuner.training.runtime import restrict_process

Message = Job | tuple[int, Instruction]  # from the coordinator: a job, or an instruction for the trial with a number


@dataclass(frozen=True, slots=True)
class Start:
    """The first message to a worker.

    ``folder`` is the current folder of the coordinator, if it exists. With ``debug``, log messages are printed.
    """

    setup: TrainerSetup
    make_trainer: MakeTrainer
    threads: int | None
    folder: Path | None
    debug: bool


def work(connection: Connection) -> None:
    """Do the jobs that come over ``connection`` until it closes: the main function of a worker process.

    Messages to the coordinator are data, never pickled objects. See :mod:`tuner.executors.messages`.
    """

    def send(event: Event) -> None:
        connection.send_bytes(write_event(event))

    try:
        start: Start = connection.recv()
        if start.folder is not None:
            os.chdir(start.folder)
        if start.debug:
            logging.basicConfig(format="%(name)s: %(message)s")
            logging.getLogger("tuner").setLevel(logging.DEBUG)
        restrict_process(start.setup.device, start.threads)
        inbox = _Inbox(connection)
        trainer = start.make_trainer(start.setup, start.threads)
    except EOFError:
        return  # the coordinator has ended
    except BaseException as error:  # noqa: BLE001 - the coordinator reports it
        traceback.print_exc()
        send(unavailable(error))
        return
    send(TrainerReady(trainer.device))
    while True:
        job = inbox.jobs.get()
        number = job.number
        send(trainer.execute(job, send, lambda wait: inbox.instruction(number, wait=wait)))  # noqa: B023


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
                    self._instructions[number] = instruction.or_stronger(self._instructions.get(number))
                    self._changed.notify()
            else:
                with self._changed:
                    self._instructions.pop(message.number, None)  # left over from an earlier attempt
                self.jobs.put(message)
