"""Writes attempts, epochs, results and models of trials, in an order in which a crash never loses a result."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from tuner_storage import Store
from tuner_storage.copies import StudyRecord
from tuner_storage.lease import Lease
from tuner_storage.persistent import persistent
from tuner_storage.runs import Run
from tuner_storage.trial_attributes import CONFIRMS, INFEASIBLE, PAUSED, PROMOTED, START

from tuner.config.objectives import LATENCY
from tuner.config.recipe import Recipe
from tuner.events import EpochEnd, ModelFile, TrialEnd
from tuner.jobs import CheckpointFile, TrialJob, TrialSpec
from tuner.records import Outcome
from tuner.run.epoch_batch import EpochBatch
from tuner.run.precision import StudyPrecision


class TrialWriter:
    """Writes one study to our tables and to Optuna's rows, and removes files that are no longer needed.

    It decides nothing.

    Args:
        store: Our tables and the artifacts.
        record: The study.
        lease: The right to write it.
        recipe: The objective and the patience of a trial.
        precision: The precision of a trial.

    Attributes:
        epochs: The finished epochs that are not written yet.
    """

    def __init__(
        self, store: Store, record: StudyRecord, lease: Lease, recipe: Recipe, precision: StudyPrecision
    ) -> None:
        self._store = persistent(store)
        self._study_id = record.id
        self._lease = lease
        self._recipe = recipe
        self._precision = precision
        self.epochs = EpochBatch(self._store, record.id)
        self._earlier: dict[int, list[dict[str, float]]] = {}  # epochs before the checkpoint of a running attempt

    @property
    def artifacts(self) -> Path:
        """The folder of models and checkpoints on this machine."""
        return self._store.artifacts.folder

    def begin_run(self, workers: int) -> Run:
        """Record that a run begins."""
        return self._store.run(self._study_id, self._lease.owner, workers)

    def begin_attempt(self, spec: TrialSpec, device: str | None = None) -> tuple[TrialJob, list[float]]:
        """Record that an attempt at a trial begins, from its newest intact checkpoint if it has one.

        Returns:
            The job for a trainer, and the objective after each epoch before the checkpoint.
        """
        number = spec.number
        checkpoint = self._intact_checkpoint(number)
        first = checkpoint.epochs if checkpoint else 0
        earlier = self._store.epochs(self._study_id, [number]).get(number, [])[:first] if first else []
        self._earlier[number] = earlier
        attempt = self._store.start_attempt(
            self._study_id, number, self._lease.owner, device=device, first_epoch=first, promoted=spec.promoted
        )
        job = TrialJob(
            number=number,
            attempt=attempt,
            seed=spec.seed,
            hyperparameters=spec.hyperparameters,
            epochs=spec.epochs,
            patience=self._recipe.budget.patience or None,
            model_path=self._store.artifacts.model_path(self._study_id, number, attempt),
            checkpoint=checkpoint,
            rungs=spec.rungs,
            latency=LATENCY in self._recipe.objective.names,
            precision=self._precision.of_jobs,
        )
        return job, [epoch[self._recipe.objective.metric] for epoch in earlier]

    def keep(self, *files: ModelFile | CheckpointFile | None) -> None:
        """Store files for which a row will be written. Other coordinators should not have to wait for that."""
        for file in files:
            if file is not None:
                self._store.artifacts.keep(file)

    def write_epoch(self, event: EpochEnd, trial_id: int, *, at_once: bool) -> float:
        """Write the metrics of an epoch, and report its objective to Optuna's trial; returns the objective.

        Args:
            event: The epoch.
            trial_id: Optuna's row of the trial.
            at_once: Write it now, in the current turn, instead of together with others.
        """
        value = event.metrics[self._recipe.objective.metric]
        report = trial_id, event.epoch, value
        if at_once:
            self._store.add_epochs(self._study_id, [event], [report])
        else:
            self.epochs.add(event, report)
        return value

    def write_result(self, spec: TrialSpec, end: TrialEnd, trial_id: int) -> dict[str, Any]:
        """Write a result or a pause together with its model or checkpoint; returns what was written to the trial."""
        earlier = sum(epoch["seconds"] for epoch in self._earlier.get(end.number, []))
        attributes = _attributes(spec, end, end.seconds + earlier)
        self._store.add_result(self._study_id, end, trial_id, attributes)
        return attributes

    def write_given_up(self, number: int, attributes: Mapping[str, object], trial_id: int) -> None:
        """Write the end of a paused trial that is pruned because it cannot be promoted any more."""
        kept = {name: value for name, value in attributes.items() if name != PAUSED}
        self._store.add_result(self._study_id, self.pruned(number), trial_id, kept)

    def pruned(self, number: int) -> TrialEnd:
        """Return the end of a trial that is pruned now, from its epochs."""
        self.epochs.write()
        epochs = self._store.epochs(self._study_id, [number])[number]
        self._earlier[number] = []  # they are part of these epochs
        metric = self._recipe.objective.metric
        pick = max if self._recipe.objective.maximize else min
        best = pick(range(len(epochs)), key=lambda epoch: epochs[epoch][metric])
        metrics = {name: value for name, value in epochs[best].items() if name != "seconds"}
        seconds = sum(epoch["seconds"] for epoch in epochs)
        return TrialEnd(number, Outcome.PRUNED, None, metrics, best, len(epochs), seconds=seconds)

    def interrupt(self, number: int, reason: str, checkpoint: CheckpointFile | None = None) -> None:
        """End an attempt without a result, and keep the checkpoint that it left."""
        self._store.interrupt_attempt(self._study_id, number, reason, checkpoint)

    def drop_models(self, superfluous: Callable[[Iterable[int]], Iterable[int]]) -> None:
        """Remove models that need not be kept.

        Args:
            superfluous: Given the trials that have a model, returns those whose model is to be removed.
        """
        models = self._store.models(self._study_id)
        for number in superfluous(models):
            self._store.drop_model(self._study_id, models[number])

    def last_outcome(self, number: int) -> Outcome:
        """Return how the last attempt at a trial ended; one that was killed counts as interrupted."""
        attempts = self._store.attempts(self._study_id, number)
        return Outcome((attempts[-1].outcome if attempts else None) or Outcome.INTERRUPTED)

    def drop_checkpoints(self, numbers: Iterable[int]) -> None:
        """Remove the checkpoints of trials. Those that have none are left out."""
        for number in self._store.checkpointed(self._study_id).intersection(numbers):
            self._store.forget_checkpoints(self._study_id, number)

    def _intact_checkpoint(self, number: int) -> CheckpointFile | None:
        for kept in self._store.checkpoints(self._study_id, number):  # the newest first
            if path := self._store.artifacts.intact(kept):
                return CheckpointFile(kept.epochs, path, kept.sha256, kept.size)
        return None


def _attributes(spec: TrialSpec, end: TrialEnd, seconds: float) -> dict[str, Any]:
    """Return the attributes of a trial with a result: what is kept and what the dashboard shows."""
    attributes = {
        START: None if spec.start is None else spec.start.as_attribute(),
        "label": spec.label,
        "repeats": spec.repeats,
        CONFIRMS: spec.confirms,
        "seed": spec.seed,
        "asked_epochs": spec.epochs,
        "parameters": end.parameters,
        LATENCY: end.latency_ms,
        "epochs": end.epochs,
        "best_epoch": end.best_epoch,
        "seconds": round(seconds, 3),
        "reason": end.reason,
        INFEASIBLE: end.infeasible or None,
        PROMOTED: spec.promoted,
        PAUSED: end.epochs if end.outcome is Outcome.PAUSED else None,
        **end.metrics,
    }
    return {name: value for name, value in attributes.items() if value is not None}
