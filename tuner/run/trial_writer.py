"""What is written about trials, and in which order, so that a crash between two writes never loses a result."""

from __future__ import annotations

from pathlib import Path

from storage import Store
from storage.copies import StudyRecord
from storage.lease import Lease
from storage.persistent import persistent
from storage.runs import Run
from storage.trial_attributes import CONFIRMS, PAUSED, PROMOTED
from tuner.config.objectives import LATENCY
from tuner.config.recipe import Recipe
from tuner.files import is_whole
from tuner.jobs import CheckpointFile, EpochEnd, Instruction, TrialEnd, TrialJob, TrialSpec
from tuner.records import Outcome
from tuner.run.incumbents import Incumbents
from tuner.search.ask_tell import AskTell


class TrialWriter:
    """Writes one study's attempts, epochs, results and models to Optuna's tables and ours.

    Args:
        store: Our tables and the artifact folder.
        record: The study.
        lease: Proof that this process may write it.
        sampling: Optuna's side of the study.
        recipe: The objective, and how many models are kept.

    Attributes:
        leaders: The complete trials, and which of them lead.
    """

    def __init__(self, store: Store, record: StudyRecord, lease: Lease, sampling: AskTell, recipe: Recipe) -> None:
        self._store = persistent(store)
        self._study_id = record.id
        self._lease = lease
        self._sampling = sampling
        self._recipe = recipe
        self._before: dict[int, list[dict[str, float]]] = {}
        self.leaders = Incumbents(recipe, sampling.confirms)
        for number, values in sampling.values().items():
            self._count(number, values)

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

    def begin(self, asked: TrialSpec, device: str | None = None) -> TrialJob:
        """Begin an attempt at a trial, from its newest sound checkpoint if it has one, and return the job for it."""
        files = self._store.checkpoints(self._study_id, asked.number)
        sound = next((each for each in files if is_whole(each.path, size=each.size, sha256=each.sha256)), None)
        checkpoint = None if sound is None else CheckpointFile(sound.epochs, sound.path, sound.sha256, sound.size)
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
            hyperparameters=asked.hyperparameters,
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

    def epoch(self, event: EpochEnd) -> Instruction | None:
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

    def end(self, asked: TrialSpec, end: TrialEnd) -> float | None:
        """Write a result or a pause down, with its model or checkpoint: neither is ever without. Returns its value."""
        earlier = sum(epoch["seconds"] for epoch in self._before.pop(end.number, []))
        facts = _facts(asked, end, end.seconds + earlier)
        values = self._recipe.objective.values(facts) if end.outcome is Outcome.COMPLETE else None
        self._store.add_result(self._study_id, end, self._sampling.trial_id(end.number), facts)
        self._sampling.tell(end.number, end.outcome, values)
        if values is not None:
            self._count(end.number, values)
            self._drop_models()
        self.give_up_hopeless()
        return None if values is None else values[0]

    def _count(self, number: int, values: tuple[float, ...]) -> None:
        self.leaders.add(number, values, float(self._sampling.facts(number).get("seconds", 0.0)))

    def give_up_hopeless(self) -> None:
        """End as pruned the paused trials that nothing can promote any more."""
        for number in self._sampling.turns.hopeless():
            facts = self._sampling.give_up(number)
            facts.pop(PAUSED, None)
            self._store.add_result(self._study_id, self.pruned(number), self._sampling.trial_id(number), facts)

    def interrupt(self, number: int, reason: str, checkpoint: CheckpointFile | None = None) -> None:
        """End an attempt without a result; the trial waits in the queue again, with the state that it left."""
        self._store.interrupt_attempt(self._study_id, number, reason, checkpoint)
        self._sampling.tell(number, Outcome.INTERRUPTED, None)

    def end_attempt(self, number: int, reason: str) -> None:
        """End an attempt without a result; the trial is tried again by this run."""
        self._store.interrupt_attempt(self._study_id, number, reason)

    def _drop_models(self) -> None:
        models = self._store.models(self._study_id)
        for number in self.leaders.superfluous(models):
            self._store.drop_model(self._study_id, models[number])


def _facts(asked: TrialSpec, end: TrialEnd, seconds: float) -> dict[str, object]:
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
