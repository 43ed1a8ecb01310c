"""The course of a run: search, confirm the best, train the winner on all rows, evaluate it once."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from storage.lease import Lease
from storage.runs import Run
from tuner.config.recipe import Recipe
from tuner.errors import RunError, StorageError
from tuner.executors import Executor
from tuner.jobs import EpochEnd, RefitEnd, RefitJob, TestEnd, TestJob, TrainerLost, TrialSpec
from tuner.run.attempts import Attempts
from tuner.run.final_jobs import FinalJobs
from tuner.run.progress import Progress
from tuner.run.run_view import ViewBuilder
from tuner.run.timing import Timing
from tuner.run.trial_loop import TrialLoop
from tuner.run.trial_writer import TrialWriter
from tuner.search.ask_tell import AskTell
from tuner.search.stopping import PLATEAU, REACHED, enough, time_to_finish

_log = logging.getLogger(__name__)

TURN = 0.25  # seconds that one turn of the loop waits for events
NOTES = 5.0  # seconds between notes of where the time went


@dataclass(frozen=True, slots=True)
class Services:
    """What a coordinator works with; it is the only one to use them while it runs."""

    ledger: TrialWriter
    finale: FinalJobs
    lease: Lease
    sampling: AskTell
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
        self._recipe = recipe
        self._ledger = services.ledger
        self._leaders = services.ledger.leaders
        self._finale = services.finale
        self._lease = services.lease
        self._sampling = services.sampling
        self._executor = services.executor
        self._stop_asked = services.stop_asked
        budget = recipe.budget
        attempts = Attempts(name, retries=budget.retries, trial_timeout=budget.trial_timeout)
        self._run: Run | None = None  # noted when there is anything to do
        self._display = ViewBuilder(
            name,
            recipe,
            slots=services.executor.slots,
            progress=services.progress,
            sampling=services.sampling,
            leaders=services.ledger.leaders,
            attempts=attempts,
        )
        self._timing = Timing(services.executor.slots)
        self._clock = self._timing.coordinator
        self._loop = TrialLoop(
            recipe,
            ledger=services.ledger,
            executor=services.executor,
            attempts=attempts,
            display=self._display,
            timing=self._timing,
        )
        self._noted = time.monotonic()
        self.stopped_by: str | None = None

    def run(self, *, test_all: bool = False) -> None:
        """Run to the end, then evaluate the winner on the test split once.

        Args:
            test_all: Evaluate every kept model instead: for comparisons of configurations that nobody selects from.

        Raises:
            RunError: If no trainer can be had, every trial fails, or the lease is lost.
            StorageError: If the database cannot be written.
        """
        self._ledger.take_up()
        done = enough(self._recipe, self._leaders.best(), self._sampling.turns.finished_after)
        if self._sampling.turns.exhausted or done:
            self._ledger.give_up_hopeless()
            self.stopped_by = None if self._sampling.turns.exhausted else done
            if not (self._to_confirm() or self._finale.refit_job() or self._finale.untested(test_all=test_all)):
                return
        self._run = self._ledger.begin_run(self._executor.slots)
        self._executor.start()
        try:
            if not done:
                self._work(self._ask, lambda: self._sampling.turns.exhausted, self._enough)
            if self._may_finish:
                self._finish(test_all=test_all)
        finally:
            self._executor.close()
            self._give_back()

    def _finish(self, *, test_all: bool) -> None:
        """Do what comes after the search."""
        if waiting := self._to_confirm():
            self._loop.stopping = None
            self._display.phase = f"confirming the best configurations with {waiting} further trials"
            self._work(self._ask_to_confirm, lambda: True, lambda: None)
        self._display.phase = ""
        if self._may_finish and (refit := self._finale.refit_job()):
            self._single(refit, f"training the winner on all rows ({refit.epochs} epochs)")
        if self._may_finish:
            for job in self._finale.untested(test_all=test_all):
                self._single(job, "evaluating the winner on the test images")

    @property
    def _may_finish(self) -> bool:
        """Whether nobody wants the run to end at once."""
        return self.stopped_by in {None, "timeout", REACHED, PLATEAU}

    def _to_confirm(self) -> int:
        winner = self._recipe.winner
        return self._sampling.confirm(winner.confirm, winner.seeds) if winner.confirm else 0

    def _work(
        self, ask: Callable[[], TrialSpec | None], exhausted: Callable[[], bool], enough: Callable[[], str | None]
    ) -> None:
        """Run trials until there are no more, or there is a reason to stop."""
        while True:
            self._keep_lease()
            if reason := self._stop_asked() or enough():
                self._stop(reason)
            self._loop.kill_overdue()
            self._loop.fill(ask)
            if self._loop.idle and (self._loop.stopping or (self._executor.free and exhausted())):
                return
            for event in self._executor.poll(TURN):
                self._loop.handle(event)
            with self._clock("display"):
                self._display.update(self._loop.note())

    def _single(self, job: TestJob | RefitJob, note: str) -> None:
        """Have one job done that is no trial; if the trainer dies at it, the next run does it."""
        submitted, epochs = False, 0
        while True:
            self._keep_lease()
            if reason := self._stop_asked():
                self._stop(reason)
            if not self._may_finish:
                return
            if self._executor.free and not submitted:
                self._executor.submit([job])
                submitted = True
            for event in self._executor.poll(TURN):
                if isinstance(event, TrainerLost) and event.number == job.number:
                    _log.warning("the trainer %s: %s", event.reason, note)
                    return
                if isinstance(event, TestEnd | RefitEnd):
                    self._single_end(event)
                    return
                if isinstance(event, EpochEnd):
                    epochs = event.epoch + 1
                else:
                    self._loop.handle(event)
            self._display.update(f"{note}: epoch {epochs}" if epochs else note)

    def _single_end(self, end: TestEnd | RefitEnd) -> None:
        what = "evaluated" if isinstance(end, TestEnd) else "trained on all rows"
        if end.reason is not None:
            raise RunError(
                f"the best model could not be {what}: {end.reason}",
                hint="no trial is lost; `tuner doctor` looks at the file of every model",
            )
        self._timing.test(end.seconds)
        self._finale.done(end)

    def _keep_lease(self) -> None:
        if self._lease.check():
            self._stop("stop")
        now = time.monotonic()
        if now - self._noted >= NOTES and self._run is not None:
            self._noted = now
            with self._clock("storage"):
                self._run.note(self._timing.as_json(), self._loop.device)

    def _ask(self) -> TrialSpec | None:
        """Return the next trial; once half of the time is over, there should be some that are complete at its end."""
        timeout = self._recipe.budget.timeout
        return self._sampling.ask(late=timeout is not None and self._display.elapsed > timeout / 2)

    def _enough(self) -> str | None:
        """Say why the search may end: it found what was wanted, or the rest of the time is needed for its winner."""
        timeout = self._recipe.budget.timeout
        if timeout is not None:
            rest = time_to_finish(self._recipe, self._leaders.seconds_of_best(), self._executor.slots)
            if self._display.elapsed > timeout - rest:
                return "timeout"
        return enough(self._recipe, self._leaders.best(), self._sampling.turns.finished_after)

    def _ask_to_confirm(self) -> TrialSpec | None:
        """Return the next further seed, unless what is left of the time is needed for the winner; none is cut short."""
        timeout = self._recipe.budget.timeout
        if timeout is not None:
            rest = time_to_finish(self._recipe, self._leaders.seconds_of_best(), self._executor.slots, confirmed=True)
            if self._display.elapsed > timeout - rest:
                self.stopped_by = "timeout"
                return None
        return self._sampling.ask(confirming=True)

    def _stop(self, reason: str) -> None:
        """Let every running trial end after its epoch, for the first reason there is."""
        if self._loop.stopping is None:
            self._loop.stop(reason)
            self.stopped_by = reason
        elif self._may_finish:
            self.stopped_by = reason

    def _give_back(self) -> None:
        """Leave nothing running behind, however the run ended."""
        try:
            self._loop.give_back()
            if self._run is not None:
                self._run.end(self._timing.as_json(), self._loop.device, self.stopped_by)
        except (StorageError, RunError):
            _log.warning("the database could not be written at the end; the next run cleans up")
