"""Writes and reads checkpoints: the state of a trial after an epoch.

A checkpoint is a NumPy archive of numbers. It is read without pickle, so it never runs code. It holds no random state,
because the order of the rows and the dropout masks follow from the trial's seed and the number of finished epochs.
"""

from __future__ import annotations

import json
import tempfile
import time
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from tuner.clock import Clock
from tuner.errors import RunError
from tuner.files import atomic_path, copy_hashed, sha256_of
from tuner.jobs import CheckpointFile, TrialJob
from tuner.training.members import check_arrays, check_members

_GROUPS = ("weights", "optimizer", "best_weights")
WRITING_SHARE = 0.02  # of the training time that regular checkpoints may take; the first one is always written

Arrays = Sequence[npt.NDArray[Any]]


@dataclass(frozen=True)
class State:
    """The state of a trial after some epochs.

    Attributes:
        weights: Weights of the model, from the model's ``state``.
        optimizer: Slots of the optimizer, from the model's ``state``.
        best_weights: Weights of the best epoch.
        best_epoch: Number of the best epoch, from 0.
        best: Value of the objective in the best epoch.
        wait: Epochs since the best epoch.
        history: Metrics of each finished epoch.
    """

    weights: Arrays
    optimizer: Arrays
    best_weights: Arrays
    best_epoch: int
    best: float
    wait: int
    history: Sequence[Mapping[str, float]] = field(default_factory=list)

    @property
    def epochs(self) -> int:
        """Number of finished epochs."""
        return len(self.history)


def write(state: State, job: TrialJob) -> CheckpointFile:
    """Write a state atomically.

    Raises:
        OSError: If the file cannot be written. No part of it is left.
    """
    path = job.checkpoint_path(state.epochs)
    values = {"best_epoch": state.best_epoch, "best": state.best, "wait": state.wait, "history": list(state.history)}
    arrays = {f"{group}_{i}": array for group in _GROUPS for i, array in enumerate(getattr(state, group))}
    arrays["facts"] = np.frombuffer(json.dumps(values).encode(), np.uint8)
    with atomic_path(path) as temporary:
        np.savez(temporary, allow_pickle=False, **arrays)
    return CheckpointFile(state.epochs, path, sha256_of(path), path.stat().st_size)


def read(file: CheckpointFile) -> State:
    """Read a state.

    Raises:
        RunError: If the file was changed, or if its arrays declare more bytes than it has. No array is read then.
        OSError: If the file cannot be read.
    """
    with tempfile.TemporaryFile() as copy:  # what is loaded is what was checked
        if copy_hashed(file.path, copy, most=file.size) != file.sha256:
            raise RunError(f"checksum mismatch: {file.path.name}")
        with zipfile.ZipFile(copy) as members:  # before NumPy reserves memory for the declared sizes
            check_members(members, file.path)
            check_arrays(members, file.path)
        copy.seek(0)
        with np.load(copy, allow_pickle=False) as archive:
            values: dict[str, Any] = json.loads(archive["facts"].tobytes())
            for group in _GROUPS:
                count = sum(name.startswith(f"{group}_") for name in archive.files)
                values[group] = [archive[f"{group}_{i}"] for i in range(count)]
    return State(**values)


class Best(keras.callbacks.EarlyStopping):  # type: ignore[misc]
    """Keras' early stopping that can continue from a state.

    Args:
        state: State of an earlier attempt; ``None`` for a new trial.
        settings: Arguments of ``EarlyStopping``.
    """

    def __init__(self, state: State | None, **settings: Any) -> None:
        super().__init__(restore_best_weights=True, **settings)
        self._state = state

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        """Restore the best epoch of the state."""
        super().on_train_begin(logs)
        if self._state is not None:
            self.best, self.best_epoch = self._state.best, self._state.best_epoch
            self.best_weights, self.wait = list(self._state.best_weights), self._state.wait


class Keeper:
    """Writes the state of one trial every few seconds, more rarely the longer a write takes.

    Args:
        job: The trial.
        model: Its model, a :data:`~tuner.training.fused.FusedModel`.
        best: The callback with the best epoch. Keras must call it before this object is used.
        clock: Measures the time for writing.
    """

    def __init__(self, job: TrialJob, model: Any, best: Best, clock: Clock) -> None:
        self._job = job
        self._model = model
        self._best = best
        self._clock = clock
        self._began = self._written = time.monotonic()
        self._cost = 0.0  # seconds of the last write

    def keep_if_due(self, history: Sequence[Mapping[str, float]]) -> CheckpointFile | None:
        """Write the state if it is due. After the last epoch, no state is needed."""
        return self.keep(history) if len(history) < self._job.epochs and self._is_due() else None

    def _is_due(self) -> bool:
        """Return whether the last state is old enough, and one more stays within ``WRITING_SHARE`` of the time."""
        now = time.monotonic()
        if now - self._written < self._job.checkpoint_seconds:
            return False
        return self._clock.seconds["checkpoint"] + self._cost <= WRITING_SHARE * (now - self._began)

    def keep(self, history: Sequence[Mapping[str, float]]) -> CheckpointFile:
        """Write the state; ``history`` holds the metrics of the finished epochs.

        Raises:
            OSError: If the file cannot be written.
        """
        best, began = self._best, time.monotonic()
        with self._clock("checkpoint"):
            weights, optimizer = self._model.state()
            state = State(weights, optimizer, best.best_weights, best.best_epoch, float(best.best), best.wait, history)
            file = write(state, self._job)
        self._written = time.monotonic()
        self._cost = self._written - began
        return file
