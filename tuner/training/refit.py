"""Trains the winner again, on the training and validation rows together.

There are no validation rows, so there is no early stopping and no best epoch. The number of epochs is that of the
trial's best epoch.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy.typing as npt

from tuner.data.schema import DataSchema
from tuner.data.settle import pack
from tuner.events import ASKED_TO_STOP, EpochEnd, RefitEnd
from tuner.jobs import AskInstruction, Instruction, RefitJob
from tuner.records import Metrics
from tuner.training.model import build_for
from tuner.training.model_file import save_model
from tuner.training.plateau import plateau_callbacks
from tuner.training.reporting import what_broke
from tuner.training.rows import Rows


def refit(
    job: RefitJob,
    schema: DataSchema,
    parts: Sequence[Rows],
    on_epoch: Callable[[EpochEnd], None],
    instruction: AskInstruction,
    *,
    sample: npt.NDArray[Any],
) -> RefitEnd:
    """Train the model of a job on all rows of ``parts`` and save it after the last epoch.

    Args:
        job: The refit. The learning rate schedule covers ``schedule_epochs`` epochs, but only ``epochs`` are trained.
        schema: Input and target of the data set.
        parts: Training rows and validation rows on the device. They are joined in this order. Each epoch shuffles them
            with its own seed.
        on_epoch: Called after each epoch, with ``loss`` and, for classes, ``accuracy`` on the training rows.
        instruction: Called after each epoch except the last. Only ``INTERRUPT`` ends the training.
        sample: Raw or encoded rows for which the outputs of the model are recorded.

    Raises:
        Exception: Any error while building, training and saving.
    """
    x, y = (keras.ops.concatenate(column) for column in zip(*parts, strict=True))
    rows = len(x)
    hp = job.hyperparameters
    model, predictor = build_for(schema, hp, x, epochs=job.schedule_epochs, seed=job.seed)
    watch = _Watch(job, on_epoch, instruction)
    callbacks = [watch, *plateau_callbacks(hp, monitor="loss")]
    model.fit_rows(hp, (x, y), None, epochs=job.epochs, seed=job.seed, callbacks=callbacks, precision=job.precision)
    model_file = None
    if watch.reason is None:
        model_file = save_model(predictor, job.model_path, pack(model.outputs_of(sample)))
    return RefitEnd(job.number, watch.metrics, watch.epochs, rows, model_file, watch.reason)


class _Watch(keras.callbacks.Callback):  # type: ignore[misc]
    """Reports each epoch. Ends the training after an ``INTERRUPT``, or if a metric is NaN or infinite.

    Attributes:
        metrics: Metrics of the last epoch.
        epochs: Number of finished epochs.
        reason: Why the training ended early; ``None`` if it did not.
    """

    def __init__(self, job: RefitJob, on_epoch: Callable[[EpochEnd], None], instruction: AskInstruction) -> None:
        super().__init__()
        self._job = job
        self._on_epoch = on_epoch
        self._instruction = instruction
        self._began = time.monotonic()
        self.metrics: Metrics = {}
        self.epochs = 0
        self.reason: str | None = None

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:  # noqa: ARG002
        """Start the epoch's clock."""
        self._began = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Report the epoch and check whether to continue."""
        metrics = {name: float(value) for name, value in (logs or {}).items()}
        self.reason = what_broke(metrics, epoch)
        if self.reason is None:
            self.metrics, self.epochs = metrics, epoch + 1
            self._on_epoch(EpochEnd(self._job.number, epoch, metrics, time.monotonic() - self._began))
            if self.epochs < self._job.epochs and self._instruction(False) is Instruction.INTERRUPT:  # noqa: FBT003
                self.reason = ASKED_TO_STOP
        self.model.stop_training = self.reason is not None
