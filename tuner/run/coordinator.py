"""The course of a run: search, confirm the best configurations, refit the winner, evaluate it once."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from tuner_storage.lease import Lease, StudyGoneError
from tuner_storage.runs import Run

from tuner.config.recipe import Recipe
from tuner.errors import RunError, StorageError
from tuner.events import AssessEnd, EpochEnd, RefitEnd, TestEnd, WorkerLost
from tuner.executors.base import Executor
from tuner.jobs import FinalJob, TrialSpec
from tuner.run.attempts import AttemptLimits
from tuner.run.failures import Failures
from tuner.run.final_jobs import FinalJobs
from tuner.run.incumbents import Incumbents
from tuner.run.precision import StudyPrecision
from tuner.run.progress import Progress
from tuner.run.recovery import recover, take_over
from tuner.run.run_view import ViewBuilder
from tuner.run.sharing import Sharing
from tuner.run.time_budget import TimeBudget
from tuner.run.timing import Timing
from tuner.run.trial_loop import TURN, TrialLoop
from tuner.run.trial_writer import TrialWriter
from tuner.run.upkeep import Upkeep
from tuner.search.ask_tell import AskTell
from tuner.search.stopping import TIMEOUT, reason_to_end

_log = logging.getLogger(__name__)

SAVE_TIMING = 5.0  # seconds between two writes of the timing
FINAL_ATTEMPTS = 2  # at a refit or a test whose worker dies


class Coordinator:
    """Runs one study until its budget is spent or it is asked to stop.

    :func:`tuner.run.build.build_coordinator` makes one.

    Args:
        name: The study's name.
        recipe: The search.
        ask_tell: Proposes trials and receives results.
        writer: Writes trials.
        final_jobs: Refits and evaluates the winner.
        incumbents: Ranks the complete trials.
        lease: The right to run the study.
        sharing: How the states of trials are changed, alone or in turns with other coordinators.
        executor: Runs the jobs.
        precision: The precision of the study.
        progress: Shows the run.
        stop_requested: Called in every turn; returns why to stop at once, or ``None``.
        decorate: Updates what the dashboard shows. It is called now and then: see :mod:`tuner.run.upkeep`.

    Attributes:
        queue: Counts the trials.
    """

    def __init__(
        self,
        name: str,
        recipe: Recipe,
        *,
        ask_tell: AskTell,
        writer: TrialWriter,
        final_jobs: FinalJobs,
        incumbents: Incumbents,
        lease: Lease,
        sharing: Sharing,
        executor: Executor,
        precision: StudyPrecision,
        progress: Progress,
        stop_requested: Callable[[], str | None],
        decorate: Callable[[], None],
    ) -> None:
        self._recipe = recipe
        self._ask_tell = ask_tell
        self._state = ask_tell.state
        self.queue = ask_tell.queue
        self._writer = writer
        self._final_jobs = final_jobs
        self._incumbents = incumbents
        self._lease = lease
        self._sharing = sharing
        self._executor = executor
        self._stop_requested = stop_requested
        self._time_budget = TimeBudget(recipe, incumbents, executor.slots)
        self._timing = Timing(executor.slots)
        self._view = ViewBuilder(
            name,
            recipe,
            progress=progress,
            state=ask_tell.state,
            queue=ask_tell.queue,
            incumbents=incumbents,
            time_budget=self._time_budget,
        )
        self._failures = Failures(name, ask_tell)
        budget = recipe.budget
        self._loop = TrialLoop(
            recipe,
            ask_tell=ask_tell,
            writer=writer,
            executor=executor,
            incumbents=incumbents,
            sharing=sharing,
            limits=AttemptLimits(retries=budget.retries, trial_timeout=budget.trial_timeout, state=ask_tell.state),
            failures=self._failures,
            view=self._view,
            timing=self._timing,
            precision=precision,
            heartbeat=self._heartbeat,
        )
        self._upkeep = Upkeep(decorate, lambda: self.queue.counts().ended)
        self._run: Run | None = None  # recorded only if there is something to do
        self._timing_saved = time.monotonic()

    @property
    def stopped_by(self) -> str | None:
        """Why the run ended early, as in :attr:`tuner.search.study_state.StudyState.stop_reason`; else ``None``."""
        return self._state.stop_reason

    def run(self, *, test_all: bool = False) -> None:
        """Run to the end, then evaluate the winner on the test split once.

        Args:
            test_all: Evaluate every kept model instead. This is for comparisons in which no configuration is selected.

        Raises:
            RunError: If no trainer can start, no trial completes, or the lease is lost.
            StorageError: If the database cannot be written.
        """
        self._sharing.turn(lambda: recover(self._ask_tell, self._writer, self._incumbents, self._sharing))
        reason = self._reason_to_end()
        search_is_over = (self.queue.exhausted and not self._others_search()) or reason is not None
        if search_is_over:
            self._loop.prune_unpromotable()
            if reason is not None and not self.queue.exhausted:
                self._state.request_stop(reason)
            if not self._has_final_work(test_all=test_all):
                self._failures.check_end()
                return
        self._run = self._writer.begin_run(self._executor.slots)
        self._executor.start()
        _log.debug("the trainers are started")
        try:
            self._upkeep.update()  # the trainers import meanwhile
            if reason is None:
                self._ask_tell.warm_up()
                self._search()
            if self._state.may_run_final_jobs and not self._leaves():
                self._finish_study(test_all=test_all)
            self._ask_tell.check_end()
            self._failures.check_end()
        finally:
            self._executor.close()
            self._finish_cleanly()

    def _finish_study(self, *, test_all: bool) -> None:
        """Confirm, refit, evaluate and assess the winner, or wait until another coordinator has done it."""
        self._confirm()
        if not self._may_finish():
            return
        if self._state.may_run_final_jobs:
            self._refit()
        if self._state.may_run_final_jobs:
            self._evaluate(test_all=test_all)
        if self._state.may_run_final_jobs:
            self._assess()

    def _may_finish(self) -> bool:
        """Wait until no other coordinator finishes the study; returns ``False`` if a stop was requested meanwhile."""
        while self._state.may_run_final_jobs:
            if self._sharing.turn(self._sharing.may_finish):
                return True
            self._heartbeat()
            self._view.update("another run of this study trains and tests the winner")
            time.sleep(TURN)
        return False

    def _leaves(self) -> bool:
        """Return whether the time of this run is over while other coordinators go on: they finish the study."""
        return self._state.stop_reason == TIMEOUT and self._sharing.turn(self._sharing.may_leave)

    def _others_search(self) -> bool:
        """Return whether other coordinators train trials of the search: one may pause, or be left behind."""
        return any(number not in self._state.confirmations for number in self._state.trained_by_others())

    def _has_final_work(self, *, test_all: bool) -> bool:
        return bool(
            self._queue_confirmations()
            or self._final_jobs.refit_job()
            or self._final_jobs.test_jobs(test_all=test_all)
            or self._final_jobs.assess_job()
        )

    def _search(self) -> None:
        def should_stop() -> bool:
            reason = TIMEOUT if self._time_budget.is_over() else self._reason_to_end()
            if reason is not None:
                self._state.request_stop(reason)
            return self._state.stop_reason is not None

        self._loop.run_trials(
            # After half of the time, finishing trials matters more than starting new ones.
            lambda: self._ask_tell.ask(late=self._time_budget.is_half_over),
            is_exhausted=lambda: self.queue.exhausted and not self._others_search(),
            should_stop=should_stop,
        )

    def _confirm(self) -> None:
        """Train the best configurations again with further seeds."""
        waiting = self._queue_confirmations()
        if not waiting and not self._state.trained_by_others():
            return

        def next_confirmation() -> TrialSpec | None:
            if self._time_budget.is_over(confirmed=True):  # the rest of the time is for the refit
                self._state.request_stop(TIMEOUT)
                return None
            return self._ask_tell.ask(confirming=True)

        self._view.phase = f"confirming the best configurations with {waiting} further trials"
        self._loop.run_trials(
            next_confirmation,
            is_exhausted=lambda: not self._state.trained_by_others(),
            should_stop=lambda: (
                not self._state.may_run_final_jobs
            ),  # a timeout does not interrupt a running confirmation
        )
        self._view.phase = ""

    def _refit(self) -> None:
        job = self._final_jobs.refit_job()
        if job is not None:
            self._run_job(job, f"training the winner on all rows ({job.epochs} epochs)")

    def _evaluate(self, *, test_all: bool) -> None:
        for job in self._final_jobs.test_jobs(test_all=test_all):
            self._run_job(job, "evaluating on the test split")

    def _assess(self) -> None:
        job = self._final_jobs.assess_job()
        if job is not None:
            beside = ", and training simple models to compare with" if self._recipe.table else ""
            self._run_job(job, f"selecting the ensemble{beside}")

    def _run_job(self, job: FinalJob, status: str) -> None:
        """Run one job that is not a trial. If its worker dies, the job is repeated once.

        Raises:
            RunError: If the job failed, or both its workers died.
        """
        attempts, is_submitted, epochs = 0, False, 0
        while True:
            self._heartbeat()
            if not self._state.may_run_final_jobs:
                return
            if self._executor.free and not is_submitted:
                self._executor.submit([job])
                is_submitted, attempts = True, attempts + 1
            for event in self._executor.poll(TURN):
                if isinstance(event, WorkerLost) and event.number == job.number:
                    if attempts == FINAL_ATTEMPTS:
                        raise self._final_jobs.lost(job, event.reason)
                    is_submitted, epochs = False, 0
                elif isinstance(event, TestEnd | RefitEnd | AssessEnd):
                    self._timing.test(event.seconds)
                    self._final_jobs.write_end(job, event)
                    return
                elif isinstance(event, EpochEnd):
                    epochs = event.epoch + 1
                else:
                    self._loop.handle(event)
            self._view.update(f"{status}: epoch {epochs}" if epochs else status)

    def _queue_confirmations(self) -> int:
        """Queue the confirmations that the recipe requests; returns how many wait."""
        winner = self._recipe.winner
        if not winner.confirm:
            return 0
        return self._sharing.turn(lambda: self._ask_tell.queue_confirmations(winner.confirm, winner.seeds))

    def _reason_to_end(self) -> str | None:
        return reason_to_end(self._recipe, self._incumbents.best(), self.queue.finished_after)

    def _heartbeat(self) -> None:
        """Check the lease, look for requests to stop, and save the timing now and then."""
        if self._lease.stop_was_requested():
            self._state.request_stop("stop")
        if signal := self._stop_requested():
            self._state.request_stop(signal)
        if self._sharing.look():
            self._sharing.turn(lambda: take_over(self._ask_tell, self._writer, self._incumbents, self._sharing))
        self._time_budget.slots = slots = self._executor.slots  # a cluster can grow and shrink
        self._timing.slots = max(self._timing.slots, slots)
        if self._sharing.leads:
            with self._timing.coordinator("dashboard"):
                self._upkeep()
        now = time.monotonic()
        if now - self._timing_saved >= SAVE_TIMING and self._run is not None:
            self._timing_saved = now
            with self._timing.coordinator("storage"):
                self._run.save_timing(self._timing.as_json(), self._loop.device)

    def _finish_cleanly(self) -> None:
        """Requeue unfinished trials and record the end of the run, however it ended."""
        try:
            self._loop.requeue_running()
            if self._run is not None:
                self._run.end(self._timing.as_json(), self._loop.device, self.stopped_by)
        except (StorageError, RunError) as error:
            if isinstance(error, StudyGoneError) or isinstance(self._lease.reason_lost(), StudyGoneError):
                _log.debug("the study was deleted or renamed", exc_info=True)
            else:
                _log.warning("the database could not be written at the end; the next run cleans up")
