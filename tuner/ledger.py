"""What is written about trials, and in which order, so that a crash between two writes never loses a result."""

from __future__ import annotations

import math
from pathlib import Path
from statistics import fmean

from storage import Store
from storage.copies import KeptModel, StudyRecord
from storage.lease import Lease
from storage.retry import persistent
from storage.runs import Run
from tuner.files import is_intact
from tuner.front import pareto_front
from tuner.objectives import LATENCY
from tuner.recipe import Recipe
from tuner.records import (
    CONFIRMS,
    PAUSED,
    PROMOTED,
    CheckpointFile,
    EpochEnd,
    Outcome,
    RefitEnd,
    RefitJob,
    TestEnd,
    TestJob,
    TrialEnd,
    TrialJob,
    Verdict,
)
from tuner.sampling import Asked, Sampling
from tuner.winner import Standing, standings


class Ledger:
    """Writes one study's attempts, epochs, results and models to Optuna's tables and ours.

    Args:
        store: Our tables and the artifact folder.
        record: The study.
        lease: Proof that this process may write it.
        sampling: Optuna's side of the study.
        recipe: The objective, and how many models are kept.
    """

    def __init__(self, store: Store, record: StudyRecord, lease: Lease, sampling: Sampling, recipe: Recipe) -> None:
        self._store = persistent(store)
        self._study_id = record.id
        self._lease = lease
        self._sampling = sampling
        self._recipe = recipe
        objectives = sampling.values()
        self._values = {number: values[0] for number, values in objectives.items()}
        self._front: dict[int, tuple[float, ...]] = {}  # of several objectives
        for number, values in objectives.items():
            self._join_front(number, values)
        self._before: dict[int, list[dict[str, float]]] = {}
        self._best = min(self._values, key=self._rank, default=None)
        self._seconds = {number: float(sampling.facts(number).get("seconds", 0.0)) for number in self._values}

    @property
    def artifacts(self) -> Path:
        """The folder of models and checkpoints."""
        return self._store.artifacts.folder

    def take_up(self) -> None:
        """Put trials that a dead run left running back into the queue, but for those whose result was written."""
        for number in self._store.checkpointed(self._study_id):
            if self._sampling.is_over(number):  # the run died between the end and the removal
                self._store.forget_checkpoints(self._study_id, number)
        for number in self._sampling.left_behind():
            attempts = self._store.attempts(self._study_id, number)
            ended = attempts[-1].outcome if attempts else None
            values = self._sampling.settle(number, Outcome(ended or Outcome.INTERRUPTED))
            if values is not None:
                self._count(number, values)

    def begin_run(self, workers: int) -> Run:
        """Note that a run begins."""
        return self._store.run(self._study_id, self._lease.owner, workers)

    def begin(self, asked: Asked, device: str | None = None) -> TrialJob:
        """Begin an attempt at a trial, from its newest sound checkpoint if it has one, and return the job for it."""
        sound = (file for file in self._store.checkpoints(self._study_id, asked.number) if _is_sound(file))
        checkpoint = next(sound, None)
        first = checkpoint.epochs if checkpoint else 0
        before = self._store.epochs(self._study_id, [asked.number]).get(asked.number, [])[:first] if first else []
        self._before[asked.number] = before
        self._sampling.restart(asked.number, self.values_before(asked.number))
        attempt = self._store.start_attempt(
            self._study_id,
            asked.number,
            self._lease.owner,
            device=device,
            first_epoch=first,
            promoted=asked.promoted,
        )
        return TrialJob(
            number=asked.number,
            attempt=attempt,
            seed=asked.seed,
            params=asked.params,
            epochs=asked.epochs,
            patience=self._recipe.budget.patience or None,
            model_path=self._store.artifacts.model_path(self._study_id, asked.number, attempt),
            checkpoint=checkpoint,
            rungs=asked.rungs,
            latency=LATENCY in self._recipe.objective.names,
        )

    def values_before(self, number: int) -> list[float]:
        """Return the objective after each epoch of earlier attempts that the running one goes on from."""
        return [epoch[self._recipe.objective.metric] for epoch in self._before[number]]

    def epoch(self, event: EpochEnd) -> Verdict | None:
        """Write one epoch down and say what becomes of the trial."""
        value = event.metrics[self._recipe.objective.metric]
        self._store.add_epoch(self._study_id, event, (self._sampling.trial_id(event.number), value))
        return self._sampling.judge(event.number, event.epoch, value)

    def pruned(self, number: int) -> TrialEnd:
        """Return the end of a trial that is pruned now, from the epochs written so far."""
        epochs = self._store.epochs(self._study_id, [number])[number]
        self._before.pop(number, None)  # they are among them
        metric = self._recipe.objective.metric
        pick = max if self._recipe.objective.maximize else min
        best = pick(range(len(epochs)), key=lambda epoch: epochs[epoch][metric])
        metrics = {name: value for name, value in epochs[best].items() if name != "seconds"}
        seconds = sum(epoch["seconds"] for epoch in epochs)
        return TrialEnd(number, Outcome.PRUNED, None, metrics, best, len(epochs), seconds=seconds)

    def end(self, asked: Asked, end: TrialEnd) -> float | None:
        """Write a result or a pause down, with its model or checkpoint: neither is ever without. Returns its value."""
        earlier = sum(epoch["seconds"] for epoch in self._before.pop(end.number, []))
        facts = _facts(asked, end, end.seconds + earlier)
        values = self._recipe.objective.values(facts) if end.outcome is Outcome.COMPLETE else None
        self._store.add_result(self._study_id, end, self._sampling.trial_id(end.number), facts)
        self._sampling.tell(end.number, end.outcome, values)
        if values is not None:
            self._seconds[end.number] = end.seconds + earlier
            self._count(end.number, values)
            self._drop_models()
        self.give_up_hopeless()
        return None if values is None else values[0]

    def give_up_hopeless(self) -> None:
        """End as pruned the paused trials that nothing can promote any more."""
        for number in self._sampling.hopeless():
            facts = self._sampling.give_up(number)
            facts.pop(PAUSED, None)
            self._store.add_result(self._study_id, self.pruned(number), self._sampling.trial_id(number), facts)

    def _count(self, number: int, values: tuple[float, ...]) -> None:
        self._values[number] = values[0]
        self._join_front(number, values)
        if self._best is None or self._rank(number) < self._rank(self._best):
            self._best = number

    def _join_front(self, number: int, values: tuple[float, ...]) -> None:
        """Let a complete trial compete with those that nothing so far is better than."""
        objective = self._recipe.objective
        if objective.several:
            candidates = {**self._front, number: values}
            self._front = {each: candidates[each] for each in pareto_front(candidates, objective.larger_is_better)}

    def interrupt(self, number: int, reason: str, checkpoint: CheckpointFile | None = None) -> None:
        """End an attempt without a result; the trial waits in the queue again, with the state that it left."""
        self._store.interrupt_attempt(self._study_id, number, reason, checkpoint)
        self._sampling.tell(number, Outcome.INTERRUPTED, None)

    def end_attempt(self, number: int, reason: str) -> None:
        """End an attempt without a result; the trial is tried again by this run."""
        self._store.interrupt_attempt(self._study_id, number, reason)

    def best(self) -> tuple[int, float] | None:
        """Return number and value of the best complete trial; the earlier of equals."""
        return None if self._best is None else (self._best, self._values[self._best])

    def seconds_of_best(self) -> list[float]:
        """Return what the best complete trials took, those that may have to be trained again."""
        best = sorted(self._values, key=self._rank)[: self._recipe.winner.confirm or 1]
        return [self._seconds[number] for number in best if number in self._seconds]

    def winner(self) -> int | None:
        """Return the trial whose model is the best: of the configuration with the best mean, where any was confirmed.

        See :mod:`tuner.winner`.
        """
        found = self._standings()
        return found[0].representative if found else self._best

    def _standings(self) -> list[Standing]:
        return standings(self._values, self._sampling.confirms, maximize=self._recipe.objective.maximize)

    def refit_job(self) -> RefitJob | None:
        """Return the job that trains the winner on all rows, where that is wanted and not done.

        It trains for as many epochs as were best on the mean of all seeds of the winner.
        """
        number = self.winner()
        done = self._store.refit(self._study_id)
        if not self._recipe.winner.refit or number is None or (done is not None and done.number == number):
            return None
        found = self._standings()
        seeds = {found[0].trial, *found[0].seeds} if found else {number}
        best = [int(self._sampling.facts(seed)["best_epoch"]) + 1 for seed in sorted(seeds)]
        asked = self._sampling.trained(number)
        return RefitJob(
            number=number,
            seed=asked.seed,
            params=asked.params,
            epochs=round(fmean(best)),
            schedule_epochs=asked.epochs,
            model_path=self._store.artifacts.refit_path(self._study_id, number),
        )

    def refitted(self, end: RefitEnd) -> None:
        """Write down that the winner was trained on all rows."""
        self._store.set_refit(self._study_id, end)

    def untested(self, *, test_all: bool = False) -> list[TestJob]:
        """Return the jobs that evaluate the winner, or all kept models, on the test split, but for those done.

        Of a winner that was trained on all rows, that model is the one to evaluate: it is the one that is handed over.
        """
        models = self._models()
        winner = self.winner()
        refit = self._store.refit(self._study_id)
        if refit is not None and refit.number == winner and self._recipe.winner.refit and not test_all:
            path = self._store.artifacts.path(refit.path)
            return [] if refit.test else [TestJob(refit.number, path, refit.sha256)]
        numbers = sorted(models) if test_all else [winner]
        return [
            TestJob(number, self._store.artifacts.path(models[number].path), models[number].sha256)
            for number in numbers
            if number in models and models[number].test is None
        ]

    def tested(self, end: TestEnd) -> None:
        """Write the one evaluation on the test split down."""
        refit = self._store.refit(self._study_id)
        if self._recipe.winner.refit and refit is not None and refit.number == end.number and not refit.test:
            self._store.set_refit_test(self._study_id, end.metrics)
        else:
            self._store.set_test(self._study_id, end.number, end.metrics)

    def _drop_models(self) -> None:
        """Keep the best few models on disk, those that may be the winner's, and those on the Pareto front."""
        models = self._models()
        needed = {*self._sampling.confirms.values(), *(each.representative for each in self._standings()), *self._front}
        for number in sorted(models, key=self._rank)[max(self._recipe.budget.keep, self._recipe.winner.confirm) :]:
            if number not in needed:
                self._store.drop_model(self._study_id, models[number])

    def _models(self) -> dict[int, KeptModel]:
        return self._store.models(self._study_id)

    def _rank(self, number: int) -> tuple[float, int]:
        """Order trials, the best first; one without a value, of an attempt that is gone, comes last."""
        value = self._values.get(number)
        if value is None:
            return (math.inf, number)
        return (-value if self._recipe.objective.maximize else value, number)


def _is_sound(file: CheckpointFile) -> bool:
    try:
        return is_intact(file.path, size=file.size, sha256=file.sha256)
    except OSError:
        return False


def _facts(asked: Asked, end: TrialEnd, seconds: float) -> dict[str, object]:
    """Return what is kept, and what the dashboard shows, beside a trial's parameters."""
    facts = {
        "label": asked.label,
        "repeats": asked.repeats,
        CONFIRMS: asked.confirms,
        "seed": asked.seed,
        "asked_epochs": asked.epochs,
        "parameters": end.parameters,
        LATENCY: end.latency_ms,
        "epochs": end.epochs,
        "best_epoch": end.best_epoch,
        "seconds": round(seconds, 3),
        "reason": end.reason,
        PROMOTED: asked.promoted,
        PAUSED: end.epochs if end.outcome is Outcome.PAUSED else None,
        **end.metrics,
    }
    return {name: fact for name, fact in facts.items() if fact is not None}
