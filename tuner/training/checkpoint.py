"""Writes and reads checkpoints: the state of a trial after an epoch.

A checkpoint is a NumPy archive of numbers. It is read without pickle, so it never runs code. It holds no random state,
because the order of the rows and the dropout masks follow from the trial's seed and the number of finished epochs.
"""

from __future__ import annotations

import json
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
from tuner.files import atomic_path, is_intact, sha256_of
from tuner.jobs import CheckpointFile, TrialJob
from tuner.training.members import check_arrays, check_members

_GROUPS = ("weights", "optimizer", "best_weights")

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
    if not is_intact(file.path, size=file.size, sha256=file.sha256):
        raise RunError(f"checksum mismatch: {file.path.name}")
    with zipfile.ZipFile(file.path) as members:  # before NumPy reserves memory for the declared sizes
        check_members(members, file.path)
        check_arrays(members, file.path)
    with np.load(file.path, allow_pickle=False) as archive:
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
    """Writes the state of one trial every few seconds.

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
        self._written = time.monotonic()

    def keep_if_due(self, history: Sequence[Mapping[str, float]]) -> CheckpointFile | None:
        """Write the state if enough time has passed since the last one. After the last epoch, no state is needed."""
        if len(history) == self._job.epochs or time.monotonic() - self._written < self._job.checkpoint_seconds:
            return None
        return self.keep(history)

    def keep(self, history: Sequence[Mapping[str, float]]) -> CheckpointFile:
        """Write the state; ``history`` holds the metrics of the finished epochs.

        Raises:
            OSError: If the file cannot be written.
        """
        best = self._best
        with self._clock("checkpoint"):
            weights, optimizer = self._model.state()
            state = State(weights, optimizer, best.best_weights, best.best_epoch, float(best.best), best.wait, history)
            file = write(state, self._job)
        self._written = time.monotonic()
        return file
