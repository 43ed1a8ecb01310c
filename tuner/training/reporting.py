"""The Keras callback between a training loop and the coordinator."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras

from tuner.jobs import AskInstruction, CheckpointFile, EpochEnd, Instruction
from tuner.training.checkpoint import Keeper


def what_broke(metrics: Mapping[str, float], epoch: int) -> str | None:
    """Return which metric of an epoch (0-based) is no number, for people; ``None`` where all are."""
    broken = next((name for name, value in metrics.items() if not math.isfinite(value)), None)
    return None if broken is None else f"{broken} was {metrics[broken]} in epoch {epoch + 1}"


class Reporter(keras.callbacks.Callback):  # type: ignore[misc]
    """Reports each epoch, obeys instructions, and stops a trial whose loss is no number.

    Args:
        number: The trial.
        on_epoch: Called after each epoch.
        instruction: Called after each epoch; anything but ``None`` and ``CONTINUE`` ends the training. At a rung it is
            called with ``True`` and waits until there is an instruction.
        keeper: Writes checkpoints.
        history: The metrics of the epochs of earlier attempts that this one goes on from.
        rungs: The numbers of epochs after which to wait for the instruction.

    Attributes:
        ended_by: The instruction that ended the training, if one did.
        broken: What became not a number, for the trial's reason.
        epochs: The metrics of each finished epoch.
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
        """Report the epoch and look whether to go on."""
        rate = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
        metrics = {name: float(value) for name, value in (logs or {}).items()} | {"learning_rate": rate}
        self.broken = what_broke(metrics, epoch)
        if self.broken is not None:
            self.model.stop_training = True
            return
        self.epochs.append(metrics)
        seconds = time.monotonic() - self._began
        self.kept = self._keeper.keep_if_due(self.epochs)
        self._on_epoch(EpochEnd(self._number, epoch, metrics, seconds, self.kept))
        if self.model.stop_training:  # it has stopped early: nobody judges it any more
            return
        said = self._instruction(len(self.epochs) in self._rungs)
        if said in {None, Instruction.CONTINUE}:
            return
        self.ended_by = said
        self.model.stop_training = True
        if said in {Instruction.INTERRUPT, Instruction.PAUSE} and self.kept is None:
            self.kept = self._keeper.keep(self.epochs)
