"""Train a trial that has ended once more, from its first epoch, and compare every epoch with what is stored.

On the same machine, with the same versions, device and number of threads, the numbers are equal to the last bit.
Threads matter because a sum of floating-point numbers depends on the order in which they are added. Measured: two
threads in place of one changed networks with batch normalisation, after three epochs by 1e-7 on the digits and by 4e-3
on MNIST, and none of the others. So a trial is trained with as many threads as each worker of its run had.
"""

from __future__ import annotations

import math
import shlex
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from storage.copies import Attempt
from storage.runs import RunRecord
from tuner import studies
from tuner.config.hyperparameters import Hyperparameters
from tuner.config.objectives import Objective
from tuner.environment import Change, changes
from tuner.errors import RunError, UsageError
from tuner.executors import Executor
from tuner.executors.local import threads_each
from tuner.jobs import EpochEnd, Instruction, TrainerLost, TrainerReady, TrainerRefused, TrialEnd, TrialJob
from tuner.results.trials import TrialResult
from tuner.search.samplers import trial_seed

TOLERANCE = 1e-4  # in units of the metric: what is nearer counts as reproduced
COMPARED = ("loss", "accuracy", "val_loss", "val_accuracy")
MAX_CORES = 4096  # an imported study may claim anything
TURN = 0.25  # seconds that one look at the trainer waits for events

Metrics = Mapping[str, float]
OnEpoch = Callable[[int, Metrics, Metrics], None]  # 0-based epoch, its metrics then and now


@dataclass(frozen=True, slots=True)
class Finished:
    """A trial as it is stored: what it was asked to do, what came of it, and where.

    ``epochs`` is what it might have taken, ``curve`` holds the metrics of those that it took. ``devices`` are those of
    its attempts, ``workers`` is how many its run had, if that is known.
    """

    study: str
    trial: TrialResult
    objective: Objective
    seed: int
    epochs: int
    curve: Sequence[Metrics]
    devices: Sequence[str]
    workers: int | None
    environment: Mapping[str, Any]
    fingerprint: str

    @property
    def device(self) -> str:
        """Where to train it again, as ``--device`` names it: on the CPU if it was trained there."""
        return "cpu" if set(self.devices) == {"cpu"} else "auto"

    def threads(self, workers: int | None = None) -> int:
        """Return how many threads each of its run's workers had, or would have had with so many ``workers``."""
        noted = str(self.environment.get("cores", ""))
        cores = int(noted) if noted.isdecimal() and 1 <= int(noted) <= MAX_CORES else None
        return threads_each(workers or self.workers or 1, cores)


@dataclass(frozen=True, slots=True)
class Retrained:
    """What came of training it again; ``reason`` says why there are fewer epochs than are stored."""

    curve: Sequence[Metrics]
    device: str
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Compared:
    """A number then and now, and the largest difference in any epoch."""

    then: float | None
    now: float | None
    difference: float | None


@dataclass(frozen=True, slots=True)
class Reproduction:
    """What a comparison found.

    ``verdict`` is ``equal`` to the last bit, ``close`` within ``TOLERANCE`` in every epoch, or ``different``.
    ``value`` is the objective, that of the best epoch of each training; ``metrics`` are those of ``best_epoch``
    (0-based), which was the best then. ``first_difference`` is the first epoch beyond the tolerance, or missing now.
    """

    study: str
    trial: int
    state: str
    label: str | None
    objective: str
    verdict: Literal["equal", "close", "different"]
    value: Compared
    metrics: Mapping[str, Compared]
    best_epoch: int
    epochs: int
    trained: int
    first_difference: int | None
    reason: str | None
    changes: Sequence[Change]

    @property
    def reproduced(self) -> bool:
        """Whether the numbers came again."""
        return self.verdict != "different"

    def as_json(self) -> dict[str, object]:
        """Return plain data for JSON."""
        changed = {each.name: {"then": each.then, "now": each.now} for each in self.changes}
        return {**asdict(self), "reproduced": self.reproduced, "changes": changed}


def recall(found: studies.StoredStudy, trial: TrialResult) -> Finished:
    """Read what training a trial again needs.

    Raises:
        UsageError: If it has not ended, or has no epoch to compare with.
    """
    name, number = found.study.study_name, trial.number
    curve = found.store.epochs(found.record.id, [number]).get(number, [])
    refused = None
    if trial.state not in {"complete", "pruned", "failed"}:
        refused = f"is {trial.state}: only one that has ended can be reproduced"
    elif not curve:
        refused = f"{trial.state} before its first epoch: there is nothing to compare with"
    if refused:
        hint = f"tuner study trials {shlex.quote(name)} lists what there is"
        raise UsageError(f"trial {number} of '{name}' {refused}", hint=hint)
    recipe, attrs = found.recipe, found.study.get_trials(deepcopy=False)[number].user_attrs
    attempts = found.store.attempts(found.record.id, number)
    run = _run_of(attempts, found.store.runs(found.record.id))
    start = recipe.start[number] if number < len(recipe.start) else None
    # Older studies did not note seed and epochs; a recipe whose seed or epochs were changed since gives others.
    epochs = attrs.get("asked_epochs", (start and start.epochs) or recipe.budget.epochs)
    return Finished(
        study=name,
        trial=trial,
        objective=recipe.objective,
        seed=int(attrs.get("seed", trial_seed(recipe.search.seed, number))),
        epochs=max(int(epochs), len(curve)),
        curve=curve,
        devices=list(dict.fromkeys(each.device for each in attempts if each.device)),
        workers=run.workers if run else None,
        environment=found.record.environment,
        fingerprint=found.record.data_fingerprint,
    )


def _run_of(attempts: Sequence[Attempt], runs: Sequence[RunRecord]) -> RunRecord | None:
    """Return the run that ended the trial; the latest one where that is not known."""
    last = attempts[-1] if attempts else None
    of_it = [run for run in runs if last and run.owner == last.owner and run.started <= last.started]
    return next(reversed([*(of_it or runs)]), None)


def train_again(finished: Finished, executor: Executor, on_epoch: OnEpoch = lambda *_: None) -> Retrained:
    """Train a trial for the epochs that are stored of it; nothing but a temporary folder is written.

    Its pruner and its patience are not asked again: they followed from the numbers that are compared.

    Args:
        finished: The trial.
        executor: Has one slot and was not started; it is closed in the end.
        on_epoch: Hears of each epoch.

    Raises:
        RunError: If no trainer can be had, or it dies.
    """
    with tempfile.TemporaryDirectory(prefix="tuner-reproduce-") as folder:
        executor.start()
        try:
            return _train(finished, executor, Path(folder), on_epoch)
        finally:
            executor.close()


def _train(finished: Finished, executor: Executor, folder: Path, on_epoch: OnEpoch) -> Retrained:
    job = TrialJob(
        number=finished.trial.number,
        attempt=0,
        seed=finished.seed,
        hyperparameters=Hyperparameters.from_params(finished.trial.all_params),
        epochs=finished.epochs,  # a cosine schedule falls over all of them, however few are trained
        patience=None,
        model_path=folder / "model.keras",
        checkpoint_seconds=math.inf,
    )
    curve: list[Metrics] = []
    device = ""
    while True:
        for event in executor.poll(TURN):
            if isinstance(event, TrainerReady):
                device = event.device
                executor.submit([job])
            elif isinstance(event, EpochEnd) and len(curve) < len(finished.curve):
                curve.append(event.metrics)
                on_epoch(event.epoch, finished.curve[event.epoch], event.metrics)
                if len(curve) == len(finished.curve):
                    executor.instruct(job.number, Instruction.PRUNE)
            elif isinstance(event, TrialEnd):
                return Retrained(curve, device, event.reason if len(curve) < len(finished.curve) else None)
            elif isinstance(event, TrainerLost):
                raise RunError(f"the trainer {event.reason}", hint="see why with --debug, or with --executor inline")
            elif isinstance(event, TrainerRefused):
                raise RunError(event.message, hint=event.hint)


def compare(finished: Finished, again: Retrained) -> Reproduction:
    """Compare two trainings of one trial, epoch by epoch."""
    trial, pairs = finished.trial, list(zip(finished.curve, again.curve, strict=False))
    apart = [max(abs(then[name] - now[name]) for name in COMPARED) for then, now in pairs]
    first = next((epoch for epoch, gap in enumerate(apart) if gap > TOLERANCE), None)
    if first is None and len(pairs) < len(finished.curve):
        first = len(pairs)
    objective = _objective(finished, again)
    gap = max([*apart, objective.difference or 0.0])
    last = len(finished.curve) - 1
    best = last if trial.best_epoch is None else min(trial.best_epoch, last)
    moved = [Change("device", ", ".join(finished.devices), again.device)] if finished.devices else []
    moved = [change for change in moved if change.then != change.now]
    return Reproduction(
        study=finished.study,
        trial=trial.number,
        state=trial.state,
        label=trial.label,
        objective=finished.objective.metric,
        verdict="different" if first is not None or gap > TOLERANCE else "close" if gap else "equal",
        value=objective,
        metrics={name: _of_metric(name, finished.curve, again.curve, best) for name in COMPARED},
        best_epoch=best,
        epochs=len(finished.curve),
        trained=len(again.curve),
        first_difference=first,
        reason=again.reason,
        changes=[*changes(finished.environment), *moved],
    )


def _objective(finished: Finished, again: Retrained) -> Compared:
    """Compare the values of the best epochs."""
    pick = max if finished.objective.maximize else min
    then, now = finished.trial.value, pick((epoch[finished.objective.metric] for epoch in again.curve), default=None)
    return Compared(then, now, None if then is None or now is None else abs(then - now))


def _of_metric(name: str, then: Sequence[Metrics], now: Sequence[Metrics], best: int) -> Compared:
    gaps = [abs(a[name] - b[name]) for a, b in zip(then, now, strict=False)]
    return Compared(then[best][name], now[best][name] if best < len(now) else None, max(gaps, default=None))
