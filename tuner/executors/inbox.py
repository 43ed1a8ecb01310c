"""The inbox of a trainer: jobs, and instructions that arrive while it trains."""

from __future__ import annotations

import queue
import threading

from tuner.jobs import Instruction, Job

Message = Job | tuple[int, Instruction]  # from the coordinator: a job, or an instruction for the trial with a number


class Inbox:
    """Holds what the coordinator has sent. One thread puts messages in, another one trains.

    Attributes:
        jobs: The jobs that are not begun.
    """

    def __init__(self) -> None:
        self.jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
        self._instructions: dict[int, Instruction] = {}
        self._changed = threading.Condition()

    def put(self, message: Message) -> None:
        """Add a job or an instruction."""
        if isinstance(message, tuple):
            number, instruction = message
            with self._changed:
                self._instructions[number] = instruction.or_stronger(self._instructions.get(number))
                self._changed.notify()
        else:
            with self._changed:
                self._instructions.pop(message.number, None)  # left over from an earlier attempt
            self.jobs.put(message)

    def instruction(self, number: int, *, wait: bool) -> Instruction | None:
        """Return the instruction for a trial. If there is none yet, wait for it or return ``None``."""
        with self._changed:
            if wait:
                self._changed.wait_for(lambda: number in self._instructions)
            return self._instructions.pop(number, None)
