"""Runs the trainer in the coordinator's process: for tests, debugging and notebooks."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Sequence

from tuner.events import EpochEnd, Event, TrainerReady, TrainerUnavailable
from tuner.executors.base import MakeTrainer, keras_trainer, unavailable
from tuner.jobs import Instruction, Job, TrainerSetup

_log = logging.getLogger(__name__)


class InlineExecutor:
    """Runs one job at a time in a thread. After each epoch, the thread waits until the coordinator polls again.

    So an instruction always arrives before the next epoch starts, and runs are repeatable.
    """

    slots = 1

    def __init__(self, setup: TrainerSetup, make_trainer: MakeTrainer = keras_trainer) -> None:
        self._setup = setup
        self._make_trainer = make_trainer
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._turn = threading.Semaphore(0)
        self._waits_for_turn = False
        self._idle = False
        self._device: str | None = None
        self._closing = False
        self._instructions: dict[int, Instruction] = {}
        self._thread = threading.Thread(target=self._work, name="tuner-trainer", daemon=True)

    @property
    def free(self) -> int:
        """See :class:`Executor`."""
        return int(self._idle)

    @property
    def next_device(self) -> str | None:
        """See :class:`Executor`."""
        return self._device if self._idle else None

    def warm_up(self) -> None:
        """Do nothing: the trainer's thread imports TensorFlow in this process."""

    def start(self) -> None:
        """See :class:`Executor`."""
        self._thread.start()

    def submit(self, jobs: Sequence[Job]) -> None:
        """See :class:`Executor`."""
        for job in jobs:
            self._idle = False
            self._instructions.pop(job.number, None)  # left over from an earlier attempt
            self._jobs.put(job)

    def poll(self, timeout: float) -> list[Event]:
        """See :class:`Executor`. First, the trainer gets leave to start its next epoch."""
        if self._waits_for_turn:
            self._waits_for_turn = False
            self._turn.release()
        try:
            event = self._events.get(timeout=timeout)
        except queue.Empty:
            return []
        if isinstance(event, EpochEnd):
            self._waits_for_turn = True
        else:
            self._idle = not isinstance(event, TrainerUnavailable)
            if isinstance(event, TrainerReady):
                self._device = event.device
        return [event]

    def instruct(self, number: int, instruction: Instruction) -> None:
        """See :class:`Executor`."""
        self._instructions[number] = instruction.or_stronger(self._instructions.get(number))

    def kill(self, number: int) -> None:
        """End the trial after its current epoch, because a thread cannot be killed."""
        self.instruct(number, Instruction.INTERRUPT)

    def close(self) -> None:
        """End a running trial after its current epoch, then end the thread."""
        self._closing = True
        self._jobs.put(None)
        self._turn.release()
        if self._thread.ident is not None:  # it was started
            self._thread.join()

    def _work(self) -> None:
        try:
            self._work_until_closed()
        except BaseException as error:  # noqa: BLE001 - if the thread ended silently, the run would wait for ever
            _log.debug("the trainer's thread ended", exc_info=True)
            self._events.put(unavailable(error))

    def _work_until_closed(self) -> None:
        trainer = self._make_trainer(self._setup, None)
        self._events.put(TrainerReady(trainer.device, trainer.bfloat16))
        while (job := self._jobs.get()) is not None and not self._closing:
            number = job.number
            self._events.put(trainer.execute(job, self._report, lambda _wait: self._instruction(number)))  # noqa: B023

    def _report(self, event: EpochEnd) -> None:
        self._events.put(event)
        self._turn.acquire()

    def _instruction(self, number: int) -> Instruction | None:
        return Instruction.INTERRUPT if self._closing else self._instructions.pop(number, None)
