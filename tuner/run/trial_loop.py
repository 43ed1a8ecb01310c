"""Runs trials on an executor. This module holds the whole path of a trial, from the request to its stored result.

1. Ask, 2. record, 3. train: ``_start_trials`` asks for a trial, records an attempt and gives the job to a trainer.
4. Report: ``_epoch_ended`` writes each epoch, reports it to the sampler and sends the trainer an instruction.
5. End: ``_attempt_ended`` receives the end of the attempt; ``_worker_lost`` acts if the worker died instead.
   ``_finish`` writes the result, passes it to the sampler, ranks it and drops models that are no longer needed.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from tuner.clock import Clock
from tuner.config.recipe import Recipe
from tuner.errors import RunError, StorageError, StudyChangedError
from tuner.events import (
    DISK_FULL,
    OUT_OF_MEMORY,
    EpochEnd,
    Event,
    ModelFile,
    TrainerReady,
    TrainerUnavailable,
    TrialEnd,
    WorkerLost,
)
from tuner.executors.base import Executor
from tuner.jobs import CheckpointFile, Instruction, TrialJob, TrialSpec
from tuner.records import Outcome
from tuner.run.attempts import AttemptLimits
from tuner.run.failures import Failures
from tuner.run.incumbents import Incumbents
from tuner.run.precision import StudyPrecision
from tuner.run.progress import Ended
from tuner.run.run_view import ViewBuilder
from tuner.run.sharing import Sharing
from tuner.run.timing import Timing
from tuner.run.trial_writer import TrialWriter
from tuner.search.ask_tell import AskTell
from tuner.search.stopping import TIMEOUT

_log = logging.getLogger(__name__)

TURN = 0.25  # seconds that one turn of the loop waits for events


class TrialLoop:
    """Keeps the trainers busy.

    Args:
        recipe: The search; only its objective is used.
        ask_tell: Proposes trials and receives results.
        writer: Writes attempts, epochs and results.
        executor: Runs the jobs.
        incumbents: Ranks complete trials.
        sharing: How the states of trials are changed.
        limits: Decides about further attempts.
        failures: Decides when failed trials end the search.
        view: Shows the run.
        timing: Adds up where the seconds go.
        precision: Chosen when the first trainer is ready.
        heartbeat: Called in every turn of the loop. It looks for requests to stop and records them in the state.

    Attributes:
        device: What the trainers run on, once one is ready.
    """

    def __init__(
        self,
        recipe: Recipe,
        *,
        ask_tell: AskTell,
        writer: TrialWriter,
        executor: Executor,
        incumbents: Incumbents,
        sharing: Sharing,
        limits: AttemptLimits,
        failures: Failures,
        view: ViewBuilder,
        timing: Timing,
        precision: StudyPrecision,
        heartbeat: Callable[[], None],
    ) -> None:
        self._recipe = recipe
        self._ask_tell = ask_tell
        self._state = ask_tell.state
        self._writer = writer
        self._executor = executor
        self._incumbents = incumbents
        self._turn = sharing.turn
        self._limits = limits
        self._failures = failures
        self._view = view
        self._timing = timing
        self._clock: Clock = timing.coordinator
        self._precision = precision
        self._heartbeat = heartbeat
        self._stopping = False
        self._completed_early: int | None = None
        self.device: str | None = None

    def run_trials(
        self,
        next_trial: Callable[[], TrialSpec | None],
        *,
        is_exhausted: Callable[[], bool],
        should_stop: Callable[[], bool],
    ) -> None:
        """Run trials until there are no more or, once there is a reason to stop, until the running epochs have ended.

        Args:
            next_trial: Returns the next trial, or ``None`` if there is none at the moment.
            is_exhausted: Returns whether there will be no further trial.
            should_stop: Returns whether to stop. From then on running trials end after their epoch.

        Raises:
            RunError: If no trainer can start, the first trials all fail, or the lease is lost.
            StorageError: If the database cannot be written or the disk is full.
        """
        self._stopping = False
        while True:
            self._heartbeat()
            if not self._stopping and should_stop():
                self._interrupt_running()
            for number in self._limits.time_out():
                self._executor.kill(number)
            if not self._stopping:
                self._start_trials(next_trial)
            if self._ask_tell.queue.unpromotable():  # once the trainers are busy again
                with self._clock("storage"):
                    self.prune_unpromotable()
            if not self._state.attempts and (self._stopping or self._is_done(is_exhausted)):
                return
            for event in self._executor.poll(TURN):
                self.handle(event)
            with self._clock("storage"):
                self._writer.epochs.write_if_due()
            with self._clock("display"):
                self._view.update(self._status())

    def handle(self, event: Event) -> None:
        """Act on what an executor reports.

        Raises:
            RunError: If no trainer can start, or the first trials all fail.
            StorageError: If the disk is full.
        """
        if isinstance(event, EpochEnd):
            self._epoch_ended(event)
        elif isinstance(event, TrialEnd):
            self._attempt_ended(event)
        elif isinstance(event, TrainerReady):
            _log.debug("a trainer is ready")
            self.device = event.device
            self._precision.trainer_ready(event)
            self._timing.ready()
            self._limits.worker_ready()
        elif isinstance(event, WorkerLost):
            self._worker_lost(event)
        elif isinstance(event, TrainerUnavailable):
            raise RunError(event.message, hint=event.hint)

    def prune_unpromotable(self) -> None:
        """Prune the paused trials that can no longer be promoted."""
        self._turn(self._prune_unpromotable)

    def _prune_unpromotable(self) -> None:
        for number in self._ask_tell.queue.unpromotable():
            attributes = self._ask_tell.give_up(number)
            self._writer.write_given_up(number, attributes, self._ask_tell.trial_id(number))

    def requeue_running(self) -> None:
        """Requeue every trial without a result. Called once when the run ends, however it ends."""
        for number in list(self._state.running):
            with suppress(StudyChangedError):  # the trial that another program changed; requeue the others
                self._requeue(number, "the run ended")

    def _start_trials(self, next_trial: Callable[[], TrialSpec | None]) -> None:
        """Give every free trainer a trial: first the trials that lost their worker, then the next ones."""
        while self._executor.free:
            job = self._turn(lambda: self._begin_next(next_trial))
            if job is None:
                return
            _log.debug("trial %d starts", job.number)
            self._executor.submit([job])

    def _begin_next(self, next_trial: Callable[[], TrialSpec | None]) -> TrialJob | None:
        """Ask for the next trial and record that an attempt at it begins; returns its job, if there is a trial."""
        with self._clock("ask"):
            to_retry = self._state.to_retry
            spec = to_retry[0] if to_retry else next_trial()
        if spec is None:
            return None
        with self._clock("storage"):
            job, values = self._writer.begin_attempt(spec, self._executor.next_device or self.device)
            self._ask_tell.begin_attempt(spec.number, values)
        self._state.begin_attempt(spec.number)
        return job

    def _epoch_ended(self, event: EpochEnd) -> None:
        trial = self._state.running.get(event.number)
        if trial is None:  # pruned already; its trainer had not seen the instruction yet
            _remove(event.checkpoint)
            return

        def report() -> Instruction | None:
            value = self._writer.write_epoch(event, self._ask_tell.trial_id(event.number), at_once=is_rung)
            return self._ask_tell.report(event.number, value)

        with self._clock("storage"):
            is_rung = event.epoch + 1 in trial.spec.rungs  # where trials are compared, with those of others too
            self._writer.keep(event.checkpoint)
            instruction = self._turn(report) if is_rung else report()
        if self._stopping and event.number == self._completed_early:
            instruction = Instruction.COMPLETE
        elif self._stopping and instruction is Instruction.CONTINUE:  # a run that stops promotes no trial
            instruction = Instruction.INTERRUPT
        if instruction is Instruction.PAUSE:
            self._state.mark_pausing(event.number, event.epoch + 1)
        if instruction in {Instruction.CONTINUE, Instruction.COMPLETE, Instruction.PAUSE, Instruction.INTERRUPT}:
            self._executor.instruct(event.number, instruction)
        elif instruction is Instruction.PRUNE and event.epoch + 1 < trial.spec.epochs:
            # The trial ends here, however many epochs its trainer trains before it sees the instruction. So a study
            # with one trainer always gives the same result.
            self._executor.instruct(event.number, instruction)
            self._finish(trial.spec, self._writer.pruned(event.number))

    def _attempt_ended(self, end: TrialEnd) -> None:
        _log.debug("trial %d: %s", end.number, end.outcome.value)
        attempt = self._state.end_attempt(end.number)
        trial = self._state.running.get(end.number)
        self._timing.trial(end)
        if trial is None:  # its result was written when it was pruned
            _remove(end.model)
            _remove(end.checkpoint)
        elif end.reason == DISK_FULL:
            self._requeue(end.number, DISK_FULL)
            raise StorageError(
                f"there is {DISK_FULL} of {self._writer.artifacts}",
                hint="make room and start again: every result is kept, and the trial goes on",
            )
        elif end.outcome is Outcome.INTERRUPTED and end.checkpoint and attempt.paused_after == end.epochs:
            self._finish(trial.spec, replace(end, outcome=Outcome.PAUSED))  # it was told to pause, then to stop
        elif end.outcome is Outcome.INTERRUPTED and attempt.timed_out:
            self._fail(trial.spec, self._limits.timeout_reason, end.seconds, infeasible=True)
        else:
            self._finish(trial.spec, end)

    def _worker_lost(self, event: WorkerLost) -> None:
        if event.number is None:
            self._limits.worker_lost(event.reason)
            return
        attempt = self._state.end_attempt(event.number)
        trial = self._state.running.get(event.number)
        if trial is None:
            return
        reason = self._limits.reason_to_fail(event, event.number, timed_out=attempt.timed_out)
        if reason is None:  # the trial keeps running in Optuna's terms, and the next free trainer gets it
            self._writer.interrupt(event.number, event.reason)
        else:
            seconds = time.monotonic() - attempt.began
            infeasible = attempt.timed_out or event.reason == OUT_OF_MEMORY
            self._fail(trial.spec, reason, seconds, infeasible=infeasible)

    def _fail(self, spec: TrialSpec, reason: str, seconds: float, *, infeasible: bool) -> None:
        end = TrialEnd(spec.number, Outcome.FAILED, reason, seconds=seconds, infeasible=infeasible)
        self._finish(spec, end)

    def _finish(self, spec: TrialSpec, end: TrialEnd) -> None:
        """Write the end of a trial, pass it to the sampler and show it."""
        with self._clock("storage"):
            if end.outcome is Outcome.INTERRUPTED:
                self._requeue(end.number, self._state.stop_reason or "asked to stop", end.checkpoint)
                value = None
            else:
                self._writer.keep(end.model, end.checkpoint)
                value = self._turn(lambda: self._store_result(spec, end))
        ended = Ended(end.number, end.outcome, value, end.epochs, end.seconds, end.reason)
        with self._clock("display"):
            self._view.ended(ended, self._status())
        if end.outcome is not Outcome.INTERRUPTED:
            self._failures.trial_ended(failed=end.outcome is Outcome.FAILED)

    def _store_result(self, spec: TrialSpec, end: TrialEnd) -> float | None:
        """Store a result or a pause; returns the value of a complete or paused trial."""
        objective = self._recipe.objective
        attributes = self._writer.write_result(spec, end, self._ask_tell.trial_id(end.number))
        values = objective.values(attributes) if end.outcome is Outcome.COMPLETE else None
        self._ask_tell.tell(end.number, end.outcome, values)
        if values is not None:
            self._incumbents.add(end.number, values, attributes["seconds"])
            self._writer.drop_models(self._incumbents.superfluous)
        if end.outcome is Outcome.PAUSED:
            self._writer.drop_checkpoints(self._ask_tell.queue.without_checkpoint())
            return end.metrics[objective.metric]
        return None if values is None else values[0]

    def _requeue(self, number: int, reason: str, checkpoint: CheckpointFile | None = None) -> None:
        def requeue() -> None:
            self._writer.interrupt(number, reason, checkpoint)
            self._ask_tell.tell(number, Outcome.INTERRUPTED, None)

        self._turn(requeue)

    def _interrupt_running(self) -> None:
        self._stopping = True
        if self._state.stop_reason == TIMEOUT and not self._incumbents.best():
            # Without a complete trial, a short time limit would end the search without a model.
            self._completed_early = self._state.best_running(maximize=self._recipe.objective.maximize)
        for number in self._state.attempts:
            self._executor.instruct(number, self._last_instruction(number))

    def _last_instruction(self, number: int) -> Instruction:
        return Instruction.COMPLETE if number == self._completed_early else Instruction.INTERRUPT

    def _is_done(self, is_exhausted: Callable[[], bool]) -> bool:
        return not self._state.to_retry and bool(self._executor.free) and is_exhausted()

    def _status(self) -> str:
        """Return what the run waits for."""
        if self.device is None:
            return "starting the trainers (importing TensorFlow takes about 10 seconds)"
        return "finishing the running epochs" if self._stopping else ""


def _remove(file: ModelFile | CheckpointFile | None) -> None:
    """Remove a file that the database will not refer to."""
    if file is not None:
        file.path.unlink(missing_ok=True)
