"""One run of a study: decide what it does, then take the lease and search until the budget is spent."""

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
from tuner.run.build import build_coordinator
from tuner.run.estimate import plan_run
from tuner.run.progress import Progress
from tuner.search import warm_start
from tuner.search.samplers import check_sampler
from tuner.search.size_limit import Weights, check_starts, weights_for
from tuner.signals import stop_on_signals

if TYPE_CHECKING:
    from tuner.data.dataset import Dataset


@dataclass(frozen=True, slots=True)
class PreparedRun:
    """What a run does: its complete recipe, and what it learns from earlier studies."""

    recipe: Recipe
    weights: Weights
    warm_start: warm_start.WarmStart


def prepare(
    name: str, location: Location, recipe: Recipe, overrides: Mapping[str, Mapping[str, object]], data: Dataset, *,
    fresh: bool,
) -> PreparedRun:  # fmt: skip
    """Combine the recipe, the settings of this run and the recipe of the study's last run, if there was one.

    Args:
        name: The study.
        location: Its database.
        recipe: The recipe, with the settings of this run applied.
        overrides: The settings of this run alone, by table: see :meth:`tuner.config.recipe.Recipe.changed`. They also
            override what is stored.
        data: The data set.
        fresh: Whether an existing study of this name is deleted first.

    Raises:
        RecipeError: If a start configuration is too large, or the sampler cannot be used here.
        UsageError: If a study to learn from is unknown, or the study began with other ones.
        StorageError: If the database cannot be read, or would lie where it may be damaged.
    """
    _refuse_network_folder(location)
    before = None if fresh else studies.recipe_of(location, name)
    if before is not None:
        learn_from = None if overrides["search"]["learn_from"] is None else recipe.search.learn_from
        warm_start.check_same(name, before, learn_from)
        recipe = recipe.continuing(before).changed(**overrides)
    recipe = recipe.with_sampler_chosen(before)
    weights = weights_for(math.prod(data.input_shape), data.classes)
    earlier = warm_start.read_earlier(location, name, recipe, is_new=before is None)
    warm = warm_start.WarmStart(earlier, data.fingerprint, weights)
    if before is None:
        recipe = warm.with_start_configurations(recipe)
    check_starts(recipe, weights)
    server = str(location) if location.is_server else None
    check_sampler(recipe, server=server, requested=overrides["search"]["sampler"] == "cmaes")
    return PreparedRun(recipe, weights, warm)


def run_search(
    name: str,
    location: Location,
    prepared: PreparedRun,
    data: Dataset,
    executor: Executor,
    *,
    progress: Progress,
    fresh: bool,
    take_over: bool,
    test_all: bool,
    decorate: Callable[[studies.StoredStudy], None],
) -> str | None:
    """Search until the budget is spent, the run is asked to stop, or the study reaches its target or a plateau.

    Args:
        name: The study.
        location: Its database.
        prepared: What the run does.
        data: The data set, for the estimate and the fingerprint. The trainers read it themselves.
        executor: Runs the jobs; not started yet.
        progress: Shows the run.
        fresh: Delete the study first, if it exists.
        take_over: Wait until the lease of another run expires.
        test_all: Evaluate every kept model on the test split at the end.
        decorate: Updates what the dashboard shows; called at the beginning and at the end.

    Returns:
        Why the run ended early, or ``None``.

    Raises:
        RecipeError, DataError: If the search or the data differ from those of the existing study.
        RunError: If another run holds the study, no trainer can start, or too many trials fail.
        StorageError: If the database cannot be used.
    """
    recipe = prepared.recipe
    with studies.opened(location, create=True) as store:
        old = studies.find(store, name) if fresh else None
        if old is not None:
            studies.delete(old)
        stored = studies.create_or_resume(store, name, recipe, data.fingerprint)
        record = stored.record
        with store.lease(record.id, name, wait=take_over) as lease, stop_on_signals() as stop_requested:
            store.change_recipe(record.id, recipe.model_dump(mode="json"))
            foreign = prepared.warm_start.earlier_trials(recipe)
            prepared.warm_start.write_origins(stored.study, recipe, foreign)
            coordinator = build_coordinator(
                stored,
                recipe,
                lease,
                executor,
                progress,
                stop_requested=stop_requested,
                weights=prepared.weights,
                foreign=foreign,
            )
            if not coordinator.queue.exhausted:
                executor.warm_up()
            progress.planned(plan_run(name, recipe, coordinator.queue.counts(), data, executor.slots))
            decorate(stored)
            try:
                coordinator.run(test_all=test_all)
            finally:
                decorate(stored)
    return coordinator.stopped_by


def _refuse_network_folder(location: Location) -> None:
    """Refuse to write SQLite where file locks may not work.

    Raises:
        StorageError: If the database would lie on a network folder.
    """
    kind = None if location.is_server else network_type(location.file)
    if kind is not None:
        raise StorageError(
            f"the database {location} would lie on a network folder ({kind}), where SQLite can be damaged",
            hint="put it on a local disk with --home, or share a PostgreSQL database with --storage postgresql://…",
        )
