"""Trains a finished trial again, with the seed, device and number of threads that it had."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuner_storage.copies import Attempt
from tuner_storage.runs import RunRecord

from tuner import studies
from tuner.command_line import command
from tuner.config.hyperparameters import Hyperparameters
from tuner.config.objectives import Objective
from tuner.config.tables import Precision
from tuner.errors import DataError, RunError, UsageError
from tuner.events import EpochEnd, ModelFile, TrainerReady, TrainerUnavailable, TrialEnd, WorkerLost
from tuner.executors.base import Executor
from tuner.executors.devices import kind_of
from tuner.executors.local import threads_each
from tuner.jobs import Instruction, TrialJob
from tuner.records import Metrics
from tuner.results.trials import TrialResult
from tuner.search.samplers import trial_seed

MAX_CORES = 4096  # do not trust a larger number: it may come from an imported study
POLL_SECONDS = 0.25  # how long one poll of the executor waits for events

OnEpoch = Callable[[int, Metrics, Metrics], None]  # 0-based epoch, stored metrics, new metrics


@dataclass(frozen=True, slots=True)
class FinishedTrial:
    """A finished trial as it is stored, with everything that training it again needs.

    Attributes:
        study: Name of its study.
        trial: Its result.
        data: Name of the data set.
        objective: The objective of the study.
        precision: The precision of the study.
        seed: The seed that it was trained with.
        epochs: The maximum number of epochs. A learning rate schedule covers all of them.
        curve: The metrics of each finished epoch.
        devices: The devices of its attempts, without duplicates.
        workers: Number of workers of its run, or ``None`` if that was not stored.
        environment: Versions and properties of the machine when the study began.
        fingerprint: Fingerprint of the data set when the study began.
    """

    study: str
    trial: TrialResult
    data: str
    objective: Objective
    precision: Precision
    seed: int
    epochs: int
    curve: Sequence[Metrics]
    devices: Sequence[str]
    workers: int | None
    environment: Mapping[str, Any]
    fingerprint: str

    @property
    def device(self) -> str:
        """The ``--device`` to train on: ``cpu`` if the trial was trained on the CPU, else ``auto``."""
        return "cpu" if {kind_of(device) for device in self.devices} == {"cpu"} else "auto"

    def threads(self, workers: int | None = None) -> int:
        """Return the number of threads that one of ``workers`` workers has on the machine of the study.

        Args:
            workers: Number of workers; ``None`` takes that of the trial's run.
        """
        stored = str(self.environment.get("cores", ""))
        cores = int(stored) if stored.isdecimal() and 1 <= int(stored) <= MAX_CORES else None
        return threads_each(workers or self.workers or 1, cores)

    def check_rows(self, fingerprint: str) -> None:
        """Check that these are the rows that the trial was trained on.

        Raises:
            DataError: If the rows have changed.
        """
        if fingerprint != self.fingerprint:
            raise DataError(
                f"the rows of '{self.data}' changed since study '{self.study}' began",
                hint="restore the old rows: a trial can only be reproduced with the rows that it was trained on",
            )


@dataclass(frozen=True, slots=True)
class RetrainedTrial:
    """The result of training a trial again. If ``curve`` is shorter than the stored one, ``reason`` says why.

    ``model`` is the model with the weights of the best epoch, if the trial is complete.
    """

    curve: Sequence[Metrics]
    device: str
    reason: str | None = None
    model: ModelFile | None = None


def read_finished(stored: studies.StoredStudy, trial: TrialResult) -> FinishedTrial:
    """Read everything that training a trial again needs.

    Raises:
        UsageError: If the trial has not ended, or none of its epochs is stored.
    """
    name, number = stored.study.study_name, trial.number
    curve = stored.store.epochs(stored.record.id, [number]).get(number, [])
    problem = None
    if trial.state not in {"complete", "pruned", "failed"}:
        problem = f"is {trial.state}: only a trial that has ended can be reproduced"
    elif not curve:
        problem = f"{trial.state} before its first epoch: there is nothing to compare with"
    if problem:
        hint = f"`{command('study trials', name)}` lists all trials"
        raise UsageError(f"trial {number} of '{name}' {problem}", hint=hint)
    recipe, attrs = stored.recipe, stored.study.get_trials(deepcopy=False)[number].user_attrs
    attempts = stored.store.attempts(stored.record.id, number)
    run = _run_of(attempts, stored.store.runs(stored.record.id))
    start = recipe.start[number] if number < len(recipe.start) else None
    # Older versions did not store seed and epochs. The recipe's are right unless they were changed since.
    epochs = attrs.get("asked_epochs", (start and start.epochs) or recipe.budget.epochs)
    return FinishedTrial(
        study=name,
        trial=trial,
        data=recipe.data,
        objective=recipe.objective,
        precision="bfloat16" if recipe.precision == "bfloat16" else "float32",
        seed=int(attrs.get("seed", trial_seed(recipe.search.seed, number))),
        epochs=max(int(epochs), len(curve)),
        curve=curve,
        devices=list(dict.fromkeys(attempt.device for attempt in attempts if attempt.device)),
        workers=run.workers if run else None,
        environment=stored.record.environment,
        fingerprint=stored.record.data_fingerprint,
    )


def _run_of(attempts: Sequence[Attempt], runs: Sequence[RunRecord]) -> RunRecord | None:
    """Return the run in which the trial ended. If that is unknown, return the latest run."""
    last = attempts[-1] if attempts else None
    candidates = [run for run in runs if last and run.owner == last.owner and run.started <= last.started]
    return next(reversed([*(candidates or runs)]), None)


def train_again(
    finished: FinishedTrial, executor: Executor, folder: Path, on_epoch: OnEpoch = lambda *_: None
) -> RetrainedTrial:
    """Train a trial for as many epochs as are stored.

    Pruner and patience are not applied again: the stored number of epochs is their result.

    Args:
        finished: The trial.
        executor: An executor with one slot that was not started. It is closed at the end.
        folder: Where the model is written. Nothing else is.
        on_epoch: Receives each epoch.

    Raises:
        RunError: If no trainer can start, or it dies.
    """
    executor.start()
    try:
        return _train(finished, executor, folder, on_epoch)
    finally:
        executor.close()


def _train(finished: FinishedTrial, executor: Executor, folder: Path, on_epoch: OnEpoch) -> RetrainedTrial:
    job = TrialJob(
        number=finished.trial.number,
        attempt=0,
        seed=finished.seed,
        hyperparameters=Hyperparameters.from_params(finished.trial.all_params),
        epochs=finished.epochs,
        patience=None,
        model_path=folder / "model.keras",
        checkpoint_seconds=math.inf,
        rungs=(len(finished.curve),),  # so that the trainer waits there, and trains no further epoch
        precision=finished.precision,
    )
    last = Instruction.COMPLETE if finished.trial.state == "complete" else Instruction.PRUNE
    curve: list[Metrics] = []
    device = ""
    while True:
        for event in executor.poll(POLL_SECONDS):
            if isinstance(event, TrainerReady):
                device = event.device
                executor.submit([job])
            elif isinstance(event, EpochEnd) and len(curve) < len(finished.curve):
                curve.append(event.metrics)
                on_epoch(event.epoch, finished.curve[event.epoch], event.metrics)
                if len(curve) == len(finished.curve):
                    executor.instruct(job.number, last)
            elif isinstance(event, TrialEnd):
                reason = event.reason if len(curve) < len(finished.curve) else None
                return RetrainedTrial(curve, device, reason, event.model)
            elif isinstance(event, WorkerLost):
                raise RunError(
                    f"the trainer was lost: {event.reason}",
                    hint="see why: write `tuner --debug study reproduce`, or use --executor inline",
                )
            elif isinstance(event, TrainerUnavailable):
                raise RunError(event.message, hint=event.hint)
