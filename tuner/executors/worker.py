"""The code of a worker process: a trainer, and a thread that receives messages from the coordinator."""

from __future__ import annotations

import logging
import os
import threading
import traceback
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from tuner.events import Event, TrainerReady
from tuner.executors.base import MakeTrainer, unavailable
from tuner.executors.devices import Gpu, placed
from tuner.executors.inbox import Inbox, Message
from tuner.executors.messages import write_event
from tuner.jobs import TrainerSetup
from tuner.training.runtime import restrict_gpu, restrict_process

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Start:
    """The first message to a worker.

    ``folder`` is the current folder of the coordinator, if it exists. With ``debug``, log messages are printed. ``gpu``
    is the only GPU that the process may see; without it, it sees all.
    """

    setup: TrainerSetup
    make_trainer: MakeTrainer
    threads: int | None
    folder: Path | None
    debug: bool
    gpu: Gpu | None = None


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
        _log.debug("the worker is forked")
        restrict_process(start.setup.device, start.threads)
        if start.gpu is not None:
            restrict_gpu(start.gpu.id, start.gpu.workers)
        inbox = Inbox()
        threading.Thread(target=_listen, args=(connection, inbox), name="tuner-inbox", daemon=True).start()
        trainer = start.make_trainer(start.setup, start.threads)
    except EOFError:
        return  # the coordinator has ended
    except BaseException as error:  # noqa: BLE001 - the coordinator reports it
        traceback.print_exc()
        send(unavailable(error))
        return
    send(TrainerReady(placed(trainer.device, gpu=start.gpu), trainer.bfloat16))
    while True:
        job = inbox.jobs.get()
        number = job.number
        send(trainer.execute(job, send, lambda wait: inbox.instruction(number, wait=wait)))  # noqa: B023


def _listen(connection: Connection, inbox: Inbox) -> None:
    """Receive messages in a thread, because instructions arrive while the main thread trains."""
    while True:
        try:
            message: Message = connection.recv()
        except (EOFError, OSError):
            os._exit(0)  # the coordinator has ended, and no worker may outlive it
        inbox.put(message)
