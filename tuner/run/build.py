"""Puts the parts of a run together."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from optuna.trial import FrozenTrial
from tuner_storage.lease import Lease
from tuner_storage.turns import Turns

from tuner.config.recipe import Recipe, parse_recipe
from tuner.config.tables import Precision
from tuner.executors.base import Executor
from tuner.run.coordinator import Coordinator
from tuner.run.final_jobs import FinalJobs
from tuner.run.incumbents import Incumbents
from tuner.run.precision import StudyPrecision
from tuner.run.progress import Progress
from tuner.run.sharing import Alone, Shared, Sharing
from tuner.run.trial_writer import TrialWriter
from tuner.search.ask_tell import AskTell
from tuner.search.size_limit import Weights
from tuner.studies import StoredStudy


def build_coordinator(
    stored: StoredStudy,
    recipe: Recipe,
    lease: Lease,
    executor: Executor,
    progress: Progress,
    *,
    stop_requested: Callable[[], str | None] = lambda: None,
    weights: Weights | None = None,
    foreign: Sequence[FrozenTrial] = (),
    decorate: Callable[[], None] = lambda: None,
) -> Coordinator:
    """Return a coordinator that is ready to run.

    Args:
        stored: The study, in an open store.
        recipe: The search.
        lease: The lease of the study, which this process holds. If it is shared, other coordinators may work too.
        executor: Runs the jobs; not started yet.
        progress: Shows the run.
        stop_requested: Called in every turn; returns why to stop at once, or ``None``.
        weights: Counts the weights of a configuration. If it is ``None``, no configuration is refused for its size.
        foreign: Trials of earlier studies that samplers learn from.
        decorate: Updates what the dashboard shows; called now and then.
    """
    turns = Turns(stored.store, stored.record.id, lease.owner) if lease.shared else None  # before the trials are read
    ask_tell = AskTell(stored.study, recipe, weights=weights, foreign=foreign)
    incumbents = Incumbents(recipe, ask_tell.state)
    sharing: Sharing = (
        Shared(stored.store, turns, ask_tell, incumbents, lease.owner)
        if turns
        else Alone(stored.store, ask_tell, incumbents)
    )

    def settle(chosen: Precision) -> Precision:
        record = stored.store.find_study(stored.record.optuna_id)
        before = "auto" if record is None else parse_recipe(record.recipe, "the snapshot of the study").precision
        if before != "auto":  # another coordinator was first
            return before
        settled = recipe.model_copy(update={"precision": chosen})
        stored.store.change_recipe(stored.record.id, settled.model_dump(mode="json"))
        return chosen

    precision = StudyPrecision(recipe.precision, lambda chosen: sharing.turn(lambda: settle(chosen)))
    writer = TrialWriter(stored.store, stored.record, lease, recipe, precision)
    sharing.epochs = writer.epochs
    return Coordinator(
        stored.study.study_name,
        recipe,
        ask_tell=ask_tell,
        writer=writer,
        final_jobs=FinalJobs(stored, ask_tell, incumbents, recipe, precision),
        incumbents=incumbents,
        lease=lease,
        sharing=sharing,
        executor=executor,
        precision=precision,
        progress=progress,
        stop_requested=stop_requested,
        decorate=decorate,
    )
