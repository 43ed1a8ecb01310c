"""A run of a study: settle what it does, then hold the lease and search to the end of the budget."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from storage import Location
from storage.network import network_type
from tuner import studies
from tuner.config.recipe import Recipe
from tuner.errors import StorageError
from tuner.executors import Executor
from tuner.run.coordinator import Coordinator, Services
from tuner.run.estimate import plan_run
from tuner.run.final_jobs import FinalJobs
from tuner.run.progress import Progress
from tuner.run.trial_writer import TrialWriter
from tuner.search import warm_start
from tuner.search.ask_tell import AskTell
from tuner.search.samplers import check_sampler
from tuner.search.size_limit import Weights, check_starts, weights_for
from tuner.signals import stop_on_signals

if TYPE_CHECKING:
    from tuner.data.dataset import Dataset


@dataclass(frozen=True, slots=True)
class PreparedRun:
    """What a run does: the recipe with all that the study began with, and what it learns from earlier studies."""

    recipe: Recipe
    weights: Weights
    lessons: warm_start.WarmStart


def settle(
    name: str, location: Location, recipe: Recipe, asked: Mapping[str, Mapping[str, object]], data: Dataset, *,
    fresh: bool,
) -> PreparedRun:  # fmt: skip
    """Bring together what a recipe says, what is asked for in this run, and what the study began with.

    Args:
        name: The study.
        location: Its database.
        recipe: The recipe, with what is asked for.
        asked: The settings of this run alone, by table: see :meth:`tuner.config.recipe.Recipe.changed`. They override
            what is stored.
        data: What trains.
        fresh: Whether the study begins anew.

    Raises:
        RecipeError: If a configuration that is to be tried cannot be, or the sampler does not suit.
        UsageError: If a study to learn from is unknown, or is not one that this one began with.
        StorageError: If the database cannot be read, or would lie where it may be damaged.
    """
    _refuse_network_folder(location)
    before = None if fresh else studies.recipe_of(location, name)
    if before is not None:
        warm_start.check_same(name, before, None if asked["search"]["learn_from"] is None else recipe.search.learn_from)
        recipe = recipe.going_on(before).changed(**asked)
    recipe = recipe.settled(before)
    weights = weights_for(math.prod(data.input_shape), data.classes)
    sources = warm_start.recall(location, name, recipe, begins=before is None)
    lessons = warm_start.WarmStart(sources, data.fingerprint, weights)
    if before is None:
        recipe = lessons.first_of(recipe)
    check_starts(recipe, weights)
    server = str(location) if location.is_server else None
    check_sampler(recipe, server=server, asked=asked["search"]["sampler"] == "cmaes")
    return PreparedRun(recipe, weights, lessons)


def search(
    name: str,
    location: Location,
    settled: PreparedRun,
    data: Dataset,
    trainers: Executor,
    *,
    progress: Progress,
    fresh: bool,
    take_over: bool,
    test_all: bool,
    decorate: Callable[[studies.StoredStudy], None],
) -> str | None:
    """Search until the budget is spent, somebody stops it, or the study has what was wanted.

    Args:
        name: The study.
        location: Its database.
        settled: What is searched.
        data: What trains; the trainers read it themselves.
        trainers: Who trains.
        progress: Hears what goes on.
        fresh: Delete the study first, if it exists.
        take_over: Wait for the lease of another run to run out.
        test_all: Evaluate every kept model on the test split at the end.
        decorate: Brings what the dashboard shows up to date; called at the beginning and at the end.

    Returns:
        Why it ended early, or ``None``.

    Raises:
        RunError: If another run holds the study, no trainer can be had, or every trial fails.
        StorageError: If the database cannot be used.
    """
    recipe = settled.recipe
    with studies.opened(location, create=True) as store:
        old = studies.find(store, name) if fresh else None
        if old is not None:
            studies.delete(old)
        found = studies.create_or_resume(store, name, recipe, data.fingerprint)
        record = found.record
        with store.lease(record.id, name, wait=take_over) as lease, stop_on_signals() as wish:
            store.change_recipe(record.id, recipe.model_dump(mode="json"))
            foreign = settled.lessons.foreign(recipe)
            settled.lessons.note(found.study, recipe, foreign)
            sampling = AskTell(found.study, recipe, weights=settled.weights, foreign=foreign)
            if not sampling.turns.exhausted:
                trainers.warm_up()
            progress.planned(plan_run(name, recipe, sampling.turns.counts(), data, trainers.slots))
            ledger = TrialWriter(store, record, lease, sampling, recipe)
            finale = FinalJobs(store, record, sampling, ledger.leaders, recipe)
            coordinator = Coordinator(name, recipe, Services(ledger, finale, lease, sampling, trainers, progress, wish))
            decorate(found)
            try:
                coordinator.run(test_all=test_all)
            finally:
                decorate(found)
    return coordinator.stopped_by


def _refuse_network_folder(location: Location) -> None:
    """Refuse to write SQLite where locks may not work.

    Raises:
        StorageError: If the database would lie on a network folder.
    """
    kind = None if location.is_server else network_type(location.file)
    if kind is not None:
        raise StorageError(
            f"the database {location} would lie on a network folder ({kind}), where SQLite can be damaged",
            hint="put it on a local disk with --home, or share a PostgreSQL database with --storage postgresql://…",
        )
