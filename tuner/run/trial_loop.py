"""Trials in the hands of trainers: each is begun, followed epoch by epoch, and its end is written down."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from tuner.clock import Clock
from tuner.config.recipe import Recipe
from tuner.errors import RunError, StorageError
from tuner.executors import Executor
from tuner.jobs import (
    DISK_FULL,
    CheckpointFile,
    EpochEnd,
    Event,
    Instruction,
    ModelFile,
    TrainerLost,
    TrainerReady,
    TrainerRefused,
    TrialEnd,
    TrialSpec,
)
from tuner.records import Outcome
from tuner.run.attempts import Active, Attempts
from tuner.run.progress import Ended, RunningTrial
from tuner.run.run_view import ViewBuilder
from tuner.run.timing import Timing
from tuner.run.trial_writer import TrialWriter


class TrialLoop:
    """Keeps the trainers busy and the ledger true; what is asked, and for how long, is the coordinator's to say.

    Args:
        recipe: The objective and the limits of a trial.
        ledger: Writes results down.
        executor: Has the trainers.
        attempts: Keeps count of what runs and of what went wrong.
        display: Is told of ends.
        timing: Is told where the seconds go.

    Attributes:
        device: What the trainers run on, once one is ready.
        stopping: Why nothing more is begun; ``None`` as long as it is.
    """

    def __init__(
        self,
        recipe: Recipe,
        *,
        ledger: TrialWriter,
        executor: Executor,
        attempts: Attempts,
        display: ViewBuilder,
        timing: Timing,
    ) -> None:
        self._recipe = recipe
        self._ledger = ledger
        self._executor = executor
        self._attempts = attempts
        self._active = attempts.active
        self._display = display
        self._timing = timing
        self._clock: Clock = timing.coordinator
        self.device: str | None = None
        self.stopping: str | None = None

    @property
    def idle(self) -> bool:
        """Whether no trial is in the hands of a trainer, or waits for another attempt."""
        return not self._active and (self.stopping is not None or not self._attempts.waiting)

    def stop(self, reason: str) -> None:
        """Ask every running trial to end after its epoch; it waits in the queue for the next run."""
        self.stopping = reason
        for number in self._active:
            self._executor.instruct(number, Instruction.INTERRUPT)

    def kill_overdue(self) -> None:
        """End the trials that have used up their time."""
        for number in self._attempts.overdue():
            self._executor.kill(number)

    def fill(self, ask: Callable[[], TrialSpec | None]) -> None:
        """Give every free trainer a trial, while there are any."""
        while self._executor.free and self.stopping is None:
            with self._clock("ask"):
                asked = self._attempts.waiting.pop(0) if self._attempts.waiting else ask()
            if asked is None:
                return
            shown = RunningTrial(asked.number, asked.epochs, asked.params, asked.promoted)
            self._active[asked.number] = Active(asked, shown)
            with self._clock("storage"):
                job = self._ledger.begin(asked, self.device)
            shown.values.extend(self._ledger.values_before(asked.number))
            self._executor.submit([job])

    def handle(self, event: Event) -> None:
        """Write down what has happened.

        Raises:
            RunError: If no trainer can be had, or every trial fails.
            StorageError: If the disk is full.
        """
        if isinstance(event, EpochEnd):
            self._epoch(event)
        elif isinstance(event, TrialEnd):
            self._trial_end(event)
        elif isinstance(event, TrainerReady):
            self.device = event.device
            self._timing.ready()
            self._attempts.ready()
        elif isinstance(event, TrainerLost):
            self._trainer_lost(event)
        elif isinstance(event, TrainerRefused):
            raise RunError(event.message, hint=event.hint)

    def note(self) -> str:
        """Say what there is to wait for."""
        if self.device is None:
            return "starting the trainers (importing TensorFlow takes about 10 seconds)"
        return "" if self.stopping is None else "finishing the running epochs"

    def give_back(self) -> None:
        """Leave nothing running behind, however the loop ended."""
        for number, active in self._active.items():
            if not active.ended:
                self._ledger.interrupt(number, "the run ended")
        for asked in self._attempts.waiting:
            self._ledger.interrupt(asked.number, "the run ended")

    def _epoch(self, event: EpochEnd) -> None:
        active = self._active[event.number]
        if active.ended:  # pruned already; the trainer had not seen it yet
            _remove(event.checkpoint)
            return
        active.shown.values.append(event.metrics[self._recipe.objective.metric])
        with self._clock("storage"):
            instruction = self._ledger.epoch(event)
        if instruction in {Instruction.CONTINUE, Instruction.PAUSE}:
            active.paused = event.epoch + 1 if instruction is Instruction.PAUSE else None
            self._executor.instruct(event.number, instruction)
        elif instruction is Instruction.PRUNE and event.epoch + 1 < active.asked.epochs:
            # The trial ends here, however many epochs its trainer goes on before it sees the instruction: so a study
            # with one trainer is the same each time.
            self._executor.instruct(event.number, Instruction.PRUNE)
            self._end(active, self._ledger.pruned(event.number))

    def _trial_end(self, end: TrialEnd) -> None:
        active = self._active.pop(end.number)
        self._timing.trial(end)
        if active.ended:  # pruned before it was complete
            _remove(end.model)
            _remove(end.checkpoint)
        elif end.reason == DISK_FULL:
            self._ledger.interrupt(end.number, DISK_FULL)
            active.ended = True
            raise StorageError(
                f"there is {DISK_FULL} of {self._ledger.artifacts}",
                hint="make room and start again: every result is kept, and the trial goes on",
            )
        elif end.outcome is Outcome.INTERRUPTED and end.checkpoint and active.paused == end.epochs:
            self._end(active, replace(end, outcome=Outcome.PAUSED))  # both were asked of it
        elif active.overdue and end.outcome is Outcome.INTERRUPTED:
            self._end(active, TrialEnd(end.number, Outcome.FAILED, self._attempts.timed_out, seconds=end.seconds))
        else:
            self._end(active, end)

    def _end(self, active: Active, end: TrialEnd) -> None:
        active.ended = True
        value = None
        with self._clock("storage"):
            if end.outcome is Outcome.INTERRUPTED:
                self._ledger.interrupt(end.number, self.stopping or "asked to stop", end.checkpoint)
            else:
                value = self._ledger.end(active.asked, end)
        if end.outcome is Outcome.PAUSED:
            value = end.metrics[self._recipe.objective.metric]
        ended = Ended(end.number, end.outcome, value, end.epochs, end.seconds, end.reason)
        with self._clock("display"):
            self._display.ended(ended, self.note())
        if end.outcome is Outcome.FAILED:
            self._attempts.failed(end.reason or "unknown")
        elif end.outcome is not Outcome.INTERRUPTED:
            self._attempts.succeeded()

    def _trainer_lost(self, event: TrainerLost) -> None:
        if event.number is None:
            self._attempts.lost_without_job(event.reason)
            return
        active = self._active.pop(event.number)
        if active.ended:
            return
        reason = self._attempts.lost(active, event)
        if reason is not None:
            seconds = time.monotonic() - active.began
            self._end(active, TrialEnd(event.number, Outcome.FAILED, reason, seconds=seconds))
        else:
            self._ledger.end_attempt(event.number, event.reason)


def _remove(file: ModelFile | CheckpointFile | None) -> None:
    """Remove a file that no row will name."""
    if file is not None:
        file.path.unlink(missing_ok=True)
