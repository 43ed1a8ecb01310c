"""The trainer: holds a data set on its device and does jobs with Keras. It has no access to the database."""

from __future__ import annotations

import gc
import logging
import time
import traceback
from collections.abc import Callable
from dataclasses import replace

from tuner.clock import Clock
from tuner.config.tables import Precision
from tuner.data.schema import DataSchema
from tuner.data.settle import pack, spread
from tuner.data.training_rows import TrainingRows
from tuner.events import DISK_FULL, OUT_OF_MEMORY, AssessEnd, End, EpochEnd, RefitEnd, TestEnd, TrialEnd
from tuner.files import DISK_FULL_ERRORS
from tuner.jobs import AskInstruction, AssessJob, Instruction, Job, RefitJob, TestJob, TrainerSetup, TrialJob
from tuner.records import Outcome
from tuner.training.model_file import load_model, save_model
from tuner.training.runtime import prepare, ready_keras
from tuner.training.study_rows import load_rows

_log = logging.getLogger(__name__)
_ENDED = {
    Instruction.COMPLETE: Outcome.COMPLETE,
    Instruction.PRUNE: Outcome.PRUNED,
    Instruction.PAUSE: Outcome.PAUSED,
    Instruction.INTERRUPT: Outcome.INTERRUPTED,
}


class Trainer:
    """Does one job after the other on one data set.

    Args:
        setup: What all trials of the study share.
        threads: Number of CPU threads; ``None`` keeps the backend's default.
        given: The rows and the schema; ``None`` loads them from the disk.

    Attributes:
        device: Name of the device, for people.
        bfloat16: Whether bfloat16 is faster there; ``None`` if all trials train in float32.

    Raises:
        TunerError: If the data or the device is missing.
    """

    def __init__(
        self, setup: TrainerSetup, *, threads: int | None = None, given: tuple[TrainingRows, DataSchema] | None = None
    ) -> None:
        self.device = prepare(setup.device, threads)
        self._setup = setup
        _log.debug("the device is ready")
        self._rows, self._schema = load_rows(setup) if given is None else given
        _log.debug("the rows are loaded")
        rows = self._rows
        from tuner.training.precision import bfloat16_is_faster
        from tuner.training.rows import place

        x, y, train, validation = rows.prepared, rows.y_train, rows.train, rows.validation
        self._sample = rows.x_train[spread(validation, rows.x_train[:1].nbytes)]
        with ready_keras(setup.device):
            self._train = place(x[train], y[train])
            self._validation = place(x[validation], y[validation])
            self.bfloat16 = None if setup.precision == "float32" else bfloat16_is_faster(self.device)
        # The import of TensorFlow creates a million objects that are never freed. Without freeze(), each garbage
        # collection after a trial would check them and take 0.2 s.
        gc.collect()
        gc.freeze()

    def execute(self, job: Job, on_epoch: Callable[[EpochEnd], None], instruction: AskInstruction) -> End:
        """Do one job. An error in it becomes part of the result, not an exception.

        Args:
            job: The job.
            on_epoch: Called after each epoch of a trial or a refit.
            instruction: Called after each epoch. With ``True``, it waits for an instruction.
        """
        with ready_keras(self._setup.device):
            if isinstance(job, TestJob):
                return self.test(job)
            if isinstance(job, AssessJob):
                return self.assess(job)
            self._convert_rows(job.precision)
            if isinstance(job, RefitJob):
                return self.refit(job, on_epoch, instruction)
            return self.train(job, on_epoch, instruction)

    def train(self, job: TrialJob, on_epoch: Callable[[EpochEnd], None], instruction: AskInstruction) -> TrialEnd:
        """Train one trial. The arguments are those of :meth:`execute`."""
        clock, began = Clock(), time.monotonic()
        try:
            end = self._train_trial(job, on_epoch, instruction, clock)
        except Exception as error:  # noqa: BLE001 - a trial that fails is a result
            _log.debug("trial %d failed", job.number, exc_info=True)
            text = "".join(traceback.format_exception(error))
            reason = _describe(error)
            end = TrialEnd(job.number, Outcome.FAILED, reason, traceback=text, infeasible=reason == OUT_OF_MEMORY)
        gc.collect()  # a model is a cycle of objects, so only the collector frees it
        if end.traced:
            gc.freeze()  # the program stays, with a hundred thousand objects
        return replace(end, seconds=time.monotonic() - began, phases=dict(clock.seconds))

    def refit(self, job: RefitJob, on_epoch: Callable[[EpochEnd], None], instruction: AskInstruction) -> RefitEnd:
        """Train the winner again on the training and validation rows. The arguments are those of :meth:`execute`."""
        from tuner.training.refit import refit

        began = time.monotonic()
        try:
            parts = [self._train, self._validation]
            end = refit(job, self._schema, parts, on_epoch, instruction, sample=self._sample)
        except Exception as error:  # noqa: BLE001 - a failed refit must not end the study
            _log.debug("the refit of trial %d failed", job.number, exc_info=True)
            end = RefitEnd(job.number, reason=_describe(error))
        gc.collect()  # as after a trial
        return replace(end, seconds=time.monotonic() - began)

    def test(self, job: TestJob) -> TestEnd:
        """Evaluate a saved model on the test split. An error in it becomes part of the result."""
        from tuner.training.measured import measure_on_test_rows

        began = time.monotonic()
        try:
            model = load_model(job.model_path, job.sha256)
            metrics, evaluation = measure_on_test_rows(model, self._schema, self._rows)
        except Exception as error:  # noqa: BLE001 - a failed evaluation must not end the study
            _log.debug("evaluation of trial %d failed", job.number, exc_info=True)
            return TestEnd(job.number, reason=_describe(error))
        return TestEnd(job.number, metrics, evaluation, seconds=time.monotonic() - began)

    def assess(self, job: AssessJob) -> AssessEnd:
        """Measure the winner and select the ensemble. An error in it becomes part of the result."""
        from tuner.training.assess import assess

        began = time.monotonic()
        try:
            assessment = assess(job, self._schema, self._rows)
        except Exception as error:  # noqa: BLE001 - a failed assessment must not end the study
            _log.debug("the assessment of trial %d failed", job.number, exc_info=True)
            return AssessEnd(job.number, reason=_describe(error))
        return AssessEnd(job.number, assessment, seconds=time.monotonic() - began)

    def _convert_rows(self, precision: Precision) -> None:
        """Give the rows the type that jobs of a precision read: once, since a study has one precision."""
        from tuner.training.rows import converted, row_type

        dtype = row_type(self._schema.dtype, precision)
        self._train, self._validation = (converted(rows, dtype) for rows in (self._train, self._validation))

    def _train_trial(
        self, job: TrialJob, on_epoch: Callable[[EpochEnd], None], instruction: AskInstruction, clock: Clock
    ) -> TrialEnd:
        from keras.ops import convert_to_tensor

        from tuner.training.checkpoint import Best, Keeper, read
        from tuner.training.latency import latency_ms
        from tuner.training.model import build_for
        from tuner.training.plateau import plateau_callbacks
        from tuner.training.reporting import Reporter

        hp = job.hyperparameters
        with clock("build"):
            model, predictor = build_for(self._schema, hp, self._train[0], epochs=job.epochs, seed=job.seed)
            state = read(job.checkpoint) if job.checkpoint else None
        best = Best(
            state,
            monitor=self._setup.metric,
            mode="max" if self._setup.maximize else "min",
            patience=job.patience or job.epochs,
        )
        keeper = Keeper(job, model, best, clock)
        history = state.history if state else ()
        reporter = Reporter(job.number, on_epoch, instruction, keeper=keeper, history=history, rungs=job.rungs)
        model.fit_rows(
            hp,
            self._train,
            self._validation,
            epochs=job.epochs,
            seed=job.seed,
            # In this order: a checkpoint contains the best epoch, and an epoch's metrics the rate that it had.
            callbacks=[best, reporter, *plateau_callbacks(hp, history)],
            clock=clock,
            state=state,
            precision=job.precision,
        )
        outcome = Outcome.FAILED if reporter.broken else _outcome(reporter.ended_by, len(reporter.epochs), job.epochs)
        with clock("save"):
            outputs = pack(model.outputs_of(self._sample)) if outcome is Outcome.COMPLETE else None
            file = save_model(predictor, job.model_path, outputs) if outputs else None
        latency = latency_ms(predictor, convert_to_tensor(self._sample[:1])) if file and job.latency else None
        return TrialEnd(
            number=job.number,
            outcome=outcome,
            reason=reporter.broken,
            metrics=reporter.epochs[best.best_epoch] if reporter.epochs else {},
            best_epoch=best.best_epoch if reporter.epochs else None,
            epochs=len(reporter.epochs),
            parameters=predictor.count_params(),
            model=file,
            traced=model.traced,
            checkpoint=reporter.kept if outcome in {Outcome.INTERRUPTED, Outcome.PAUSED} else None,
            latency_ms=latency,
            infeasible=reporter.broken is not None,
        )


def _outcome(ended_by: Instruction | None, done: int, planned: int) -> Outcome:
    """Return the outcome of a trial after ``done`` epochs. An instruction after the last epoch has no effect."""
    return Outcome.COMPLETE if ended_by is None or done == planned else _ENDED[ended_by]


def _describe(error: Exception) -> str:
    if isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError":
        return OUT_OF_MEMORY
    if isinstance(error, OSError) and error.errno in DISK_FULL_ERRORS:
        return DISK_FULL
    lines = str(error).strip().splitlines()
    return f"error: {type(error).__name__}: {lines[0] if lines else ''}".rstrip(": ")
