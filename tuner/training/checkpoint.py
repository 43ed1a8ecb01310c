"""The state of a trial between two epochs, as a file that holds numbers alone.

A NumPy archive is read without pickle, so a checkpoint is never code. The order of the rows and the dropout masks
follow from the trial's seed and the number of epochs done, so there is no random state to keep.
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
    """Where a trial stands after some epochs.

    ``weights`` and ``optimizer`` are what the model's ``state`` returned; ``best_weights`` are those of ``best_epoch``
    (0-based), ``best`` is its objective, ``wait`` counts the epochs since; ``history`` holds the metrics of each epoch.
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
        """How many epochs were done."""
        return len(self.history)


def write(state: State, job: TrialJob) -> CheckpointFile:
    """Write a state atomically.

    Raises:
        OSError: If the file cannot be written; nothing is left of it.
    """
    path = job.checkpoint_path(state.epochs)
    facts = {"best_epoch": state.best_epoch, "best": state.best, "wait": state.wait, "history": list(state.history)}
    arrays = {f"{group}_{i}": array for group in _GROUPS for i, array in enumerate(getattr(state, group))}
    arrays["facts"] = np.frombuffer(json.dumps(facts).encode(), np.uint8)
    with atomic_path(path) as temporary:
        np.savez(temporary, allow_pickle=False, **arrays)
    return CheckpointFile(state.epochs, path, sha256_of(path), path.stat().st_size)


def read(file: CheckpointFile) -> State:
    """Read a state back.

    Raises:
        RunError: If it is not the file that was written, or unpacks to more than it has; nothing of it is read then.
        OSError: If it cannot be read.
    """
    if not is_intact(file.path, size=file.size, sha256=file.sha256):
        raise RunError(f"checksum mismatch: {file.path.name}")
    with zipfile.ZipFile(file.path) as members:  # before NumPy reserves memory for what they declare
        check_members(members, file.path)
        check_arrays(members, file.path)
    with np.load(file.path, allow_pickle=False) as archive:
        values: dict[str, Any] = json.loads(archive["facts"].tobytes())
        for group in _GROUPS:
            count = sum(name.startswith(f"{group}_") for name in archive.files)
            values[group] = [archive[f"{group}_{i}"] for i in range(count)]
    return State(**values)


class Best(keras.callbacks.EarlyStopping):  # type: ignore[misc]
    """Keras' early stopping, which can go on from a state.

    Args:
        state: Where an earlier attempt was; ``None`` begins anew.
        settings: Those of ``EarlyStopping``.
    """

    def __init__(self, state: State | None, **settings: Any) -> None:
        super().__init__(restore_best_weights=True, **settings)
        self._state = state

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        """Begin where the state was."""
        super().on_train_begin(logs)
        if self._state is not None:
            self.best, self.best_epoch = self._state.best, self._state.best_epoch
            self.best_weights, self.wait = list(self._state.best_weights), self._state.wait


class Keeper:
    """Writes the state of one trial every few seconds.

    Args:
        job: The trial.
        model: Its model, a :data:`~tuner.training.fused.FusedModel`.
        best: The callback that knows the best epoch; it must be called before this is.
        clock: Is told how long the writing took.
    """

    def __init__(self, job: TrialJob, model: Any, best: Best, clock: Clock) -> None:
        self._job = job
        self._model = model
        self._best = best
        self._clock = clock
        self._written = time.monotonic()

    def keep_if_due(self, history: Sequence[Mapping[str, float]]) -> CheckpointFile | None:
        """Write the state if enough time has passed since the last one; the last epoch of a trial needs none."""
        if len(history) == self._job.epochs or time.monotonic() - self._written < self._job.checkpoint_seconds:
            return None
        return self.keep(history)

    def keep(self, history: Sequence[Mapping[str, float]]) -> CheckpointFile:
        """Write the state after the epochs whose metrics are in ``history``.

        Raises:
            OSError: If it cannot be written.
        """
        best = self._best
        with self._clock("checkpoint"):
            weights, optimizer = self._model.state()
            state = State(weights, optimizer, best.best_weights, best.best_epoch, float(best.best), best.wait, history)
            file = write(state, self._job)
        self._written = time.monotonic()
        return file
