"""The Keras callback that connects a training loop with the coordinator."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras

from tuner.events import EpochEnd
from tuner.jobs import AskInstruction, CheckpointFile, Instruction
from tuner.training.checkpoint import Keeper


def what_broke(metrics: Mapping[str, float], epoch: int) -> str | None:
    """Return a message about a metric that is NaN or infinite; ``None`` if all are numbers. ``epoch`` is 0-based."""
    broken = next((name for name, value in metrics.items() if not math.isfinite(value)), None)
    return None if broken is None else f"{broken} was {metrics[broken]} in epoch {epoch + 1}"


class Reporter(keras.callbacks.Callback):  # type: ignore[misc]
    """Reports each epoch, follows instructions, and stops a trial if a metric is NaN or infinite.

    Args:
        number: Number of the trial.
        on_epoch: Called after each epoch.
        instruction: Called after each epoch. Any result except ``None`` and ``CONTINUE`` ends the training. At a rung,
            the argument is ``True`` and the call waits for an instruction.
        keeper: Writes checkpoints.
        history: Metrics of the epochs of earlier attempts.
        rungs: Numbers of epochs after which to wait for an instruction.

    Attributes:
        ended_by: The instruction that ended the training; ``None`` if there was no such instruction.
        broken: Message about a metric that is NaN or infinite; ``None`` if all are numbers.
        epochs: Metrics of each finished epoch.
        kept: The checkpoint after the last epoch, if one was written.
    """

    def __init__(
        self,
        number: int,
        on_epoch: Callable[[EpochEnd], None],
        instruction: AskInstruction,
        *,
        keeper: Keeper,
        history: Sequence[Mapping[str, float]] = (),
        rungs: Sequence[int] = (),
    ) -> None:
        super().__init__()
        self._number = number
        self._on_epoch = on_epoch
        self._instruction = instruction
        self._keeper = keeper
        self._rungs = frozenset(rungs)
        self._began = time.monotonic()
        self.ended_by: Instruction | None = None
        self.broken: str | None = None
        self.epochs = list(history)
        self.kept: CheckpointFile | None = None

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:  # noqa: ARG002
        """Start the epoch's clock."""
        self._began = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Report the epoch and check whether to continue."""
        metrics = {name: float(value) for name, value in (logs or {}).items()} | {"learning_rate": self.model.rate}
        self.broken = what_broke(metrics, epoch)
        if self.broken is not None:
            self.model.stop_training = True
            return
        self.epochs.append(metrics)
        seconds = time.monotonic() - self._began
        self.kept = self._keeper.keep_if_due(self.epochs)
        self._on_epoch(EpochEnd(self._number, epoch, metrics, seconds, self.kept))
        if self.model.stop_training:  # early stopping has ended the trial, so no instruction is needed
            return
        instruction = self._instruction(len(self.epochs) in self._rungs)
        if instruction in {None, Instruction.CONTINUE}:
            return
        self.ended_by = instruction
        self.model.stop_training = True
        if instruction in {Instruction.INTERRUPT, Instruction.PAUSE} and self.kept is None:
            self.kept = self._keeper.keep(self.epochs)
