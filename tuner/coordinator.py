"""The event loop: asks for configurations, hands them to trainers, has written down what comes back."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from storage.lease import Lease
from storage.runs import Run
from tuner.attempts import Active, Attempts
from tuner.display import Display
from tuner.errors import RunError, StorageError
from tuner.executors import Executor
from tuner.ledger import Ledger
from tuner.progress import Ended, Progress, RunningTrial
from tuner.recipe import Recipe
from tuner.records import (
    DISK_FULL,
    CheckpointFile,
    EpochEnd,
    Event,
    ModelFile,
    Outcome,
    TestEnd,
    TestJob,
    TrainerLost,
    TrainerReady,
    TrainerRefused,
    TrialEnd,
    Verdict,
)
from tuner.sampling import Sampling
from tuner.stopping import PLATEAU, REACHED, enough
from tuner.timing import Timing

_log = logging.getLogger(__name__)

TURN = 0.25  # seconds that one turn of the loop waits for events
NOTES = 5.0  # seconds between notes of where the time went


@dataclass(frozen=True, slots=True)
class Services:
    """What a coordinator works with; it is the only one to use them while it runs."""

    ledger: Ledger
    lease: Lease
    sampling: Sampling
    executor: Executor
    progress: Progress
    stop_asked: Callable[[], str | None]  # asked in every turn: why to stop, or None


class Coordinator:
    """Runs one study until its budget is spent or somebody stops it.

    Args:
        name: The study's name, for people.
        recipe: What is searched.
        services: Storage, sampling, trainers, display.

    Attributes:
        stopped_by: Why the run ended early: ``timeout``, ``target``, ``plateau``, ``stop`` or what ``stop_asked`` said;
            else ``None``.
    """

    def __init__(self, name: str, recipe: Recipe, services: Services) -> None:
        self._name = name
        self._recipe = recipe
        self._ledger = services.ledger
        self._lease = services.lease
        self._sampling = services.sampling
        self._executor = services.executor
        self._stop_asked = services.stop_asked
        budget = recipe.budget
        self._attempts = Attempts(name, retries=budget.retries, trial_timeout=budget.trial_timeout)
        self._active = self._attempts.active
        self._device: str | None = None
        self._run: Run | None = None  # noted when there is anything to do
        self._display = Display(
            name,
            recipe,
            slots=services.executor.slots,
            progress=services.progress,
            sampling=services.sampling,
            ledger=services.ledger,
            attempts=self._attempts,
        )
        self._timing = Timing(services.executor.slots)
        self._clock = self._timing.coordinator
        self._noted = time.monotonic()
        self.stopped_by: str | None = None

    def run(self, *, test_all: bool = False) -> None:
        """Run to the end, then evaluate the best model on the test split once.

        Args:
            test_all: Evaluate every kept model instead: for comparisons of configurations that nobody selects from.

        Raises:
            RunError: If no trainer can be had, every trial fails, or the lease is lost.
            StorageError: If the database cannot be written.
        """
        self._ledger.take_up()
        done = enough(self._recipe, self._ledger.best(), self._sampling.finished_after)
        if (self._sampling.exhausted or done) and not self._ledger.untested(test_all=test_all):
            self.stopped_by = None if self._sampling.exhausted else done
            self._ledger.give_up_hopeless()
            return
        self._run = self._ledger.begin_run(self._executor.slots)
        self._executor.start()
        try:
            while self._turn():
                pass
            if self.stopped_by in {None, "timeout", REACHED, PLATEAU}:
                for job in self._ledger.untested(test_all=test_all):
                    self._test(job)
        finally:
            self._executor.close()
            self._give_back()

    def _turn(self) -> bool:
        """Do one turn of the loop; ``False`` when nothing is running and nothing is left to start."""
        self._keep_lease()
        self._look_for_stop()
        for number in self._attempts.overdue():
            self._executor.kill(number)
        if self.stopped_by is None:
            self._fill()
        if not self._active and (self.stopped_by or (self._sampling.exhausted and not self._attempts.waiting)):
            return False
        for event in self._executor.poll(TURN):
            self._handle(event)
        with self._clock("display"):
            self._display.update(self._note())
        return True

    def _fill(self) -> None:
        """Give every free trainer a trial, while there are any."""
        while self._executor.free:
            with self._clock("ask"):
                asked = self._attempts.waiting.pop(0) if self._attempts.waiting else self._sampling.ask()
            if asked is None:
                return
            shown = RunningTrial(asked.number, asked.epochs, asked.params, asked.promoted)
            self._active[asked.number] = Active(asked, shown)
            with self._clock("storage"):
                job = self._ledger.begin(asked, self._device)
            shown.values.extend(self._ledger.values_before(asked.number))
            self._executor.submit([job])

    def _handle(self, event: Event) -> None:
        if isinstance(event, EpochEnd):
            self._epoch(event)
        elif isinstance(event, TrialEnd):
            self._trial_end(event)
        elif isinstance(event, TrainerReady):
            self._device = event.device
            self._timing.ready()
            self._attempts.ready()
        elif isinstance(event, TrainerLost):
            self._trainer_lost(event)
        elif isinstance(event, TrainerRefused):
            raise RunError(event.message, hint=event.hint)

    def _epoch(self, event: EpochEnd) -> None:
        active = self._active[event.number]
        if active.ended:  # pruned already; the trainer had not seen it yet
            _remove(event.checkpoint)
            return
        active.shown.values.append(event.metrics[self._recipe.objective.metric])
        with self._clock("storage"):
            verdict = self._ledger.epoch(event)
        if verdict in {Verdict.GO_ON, Verdict.PAUSE}:
            active.paused = event.epoch + 1 if verdict is Verdict.PAUSE else None
            self._executor.tell(event.number, verdict)
        elif verdict is Verdict.PRUNE and event.epoch + 1 < active.asked.epochs:
            # The trial ends here, however many epochs its trainer goes on before it sees the verdict: so a study
            # with one trainer is the same each time.
            self._executor.tell(event.number, Verdict.PRUNE)
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
                self._ledger.interrupt(end.number, self.stopped_by or "asked to stop", end.checkpoint)
            else:
                value = self._ledger.end(active.asked, end)
        if end.outcome is Outcome.PAUSED:
            value = end.metrics[self._recipe.objective.metric]
        ended = Ended(end.number, end.outcome, value, end.epochs, end.seconds, end.reason)
        with self._clock("display"):
            self._display.ended(ended, self._note())
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

    def _test(self, job: TestJob) -> None:
        """Evaluate the best model on the test split; if the trainer dies at it, the next run does it."""
        submitted = False
        while not self._stop_asked():
            self._keep_lease()
            if self._executor.free and not submitted:
                self._executor.submit([job])
                submitted = True
            for event in self._executor.poll(TURN):
                if isinstance(event, TrainerLost) and event.number == job.number:
                    _log.warning("the trainer %s while it evaluated the best model", event.reason)
                    return
                if isinstance(event, TestEnd):
                    if event.reason is not None:
                        raise RunError(
                            f"the best model could not be evaluated: {event.reason}",
                            hint="no trial is lost; `tuner doctor` looks at the file of every model",
                        )
                    self._timing.test(event.seconds)
                    self._ledger.tested(event)
                    return
                self._handle(event)
            self._display.update("evaluating the best model on the test images")

    def _keep_lease(self) -> None:
        if self._lease.check():
            self._stop("stop")
        now = time.monotonic()
        if now - self._noted >= NOTES and self._run is not None:
            self._noted = now
            with self._clock("storage"):
                self._run.note(self._timing.as_json(), self._device)

    def _note(self) -> str:
        """Say what there is to wait for."""
        if self._device is None:
            return "starting the trainers (importing TensorFlow takes about 10 seconds)"
        return "" if self.stopped_by is None else "finishing the running epochs"

    def _look_for_stop(self) -> None:
        timeout = self._recipe.budget.timeout
        if reason := self._stop_asked():
            self._stop(reason)
        elif timeout is not None and self._display.elapsed > timeout:
            self._stop("timeout")
        elif reason := enough(self._recipe, self._ledger.best(), self._sampling.finished_after):
            self._stop(reason)

    def _stop(self, reason: str) -> None:
        """Ask every running trial to end after its epoch; it waits in the queue for the next run."""
        if self.stopped_by is None:
            self.stopped_by = reason
            for number in self._active:
                self._executor.tell(number, Verdict.INTERRUPT)

    def _give_back(self) -> None:
        """Leave nothing running behind, however the loop ended."""
        try:
            for number, active in self._active.items():
                if not active.ended:
                    self._ledger.interrupt(number, "the run ended")
            for asked in self._attempts.waiting:
                self._ledger.interrupt(asked.number, "the run ended")
            if self._run is not None:
                self._run.end(self._timing.as_json(), self._device, self.stopped_by)
        except (StorageError, RunError):
            _log.warning("the database could not be written at the end; the next run cleans up")


def _remove(file: ModelFile | CheckpointFile | None) -> None:
    """Remove a file that no row will name."""
    if file is not None:
        file.path.unlink(missing_ok=True)
