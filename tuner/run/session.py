"""One run of a study: decide what it does, then take the lease and search until the budget is spent."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tuner_storage import Location, Store
from tuner_storage.lease import StudyGoneError
from tuner_storage.network import network_type
from tuner_storage.persistent import persistent

from tuner import studies
from tuner.config.kept import continuing, describe_not_taken
from tuner.config.recipe import Recipe
from tuner.data.lookup import path_of
from tuner.data.settle import SettledData, settle
from tuner.errors import StorageError
from tuner.executors.base import Executor
from tuner.run.build import build_coordinator
from tuner.run.check import check_metric
from tuner.run.disk_space import disk_space
from tuner.run.estimate import plan_run
from tuner.run.joining import held, joining
from tuner.run.precision import possible_precision
from tuner.run.progress import Progress
from tuner.run.refusal import Overrides, refuse_changes
from tuner.search import warm_start
from tuner.search.kept_starts import keep_starts
from tuner.search.samplers import check_sampler
from tuner.search.size_limit import Weights, check_starts, weights_for
from tuner.signals import stop_on_signals

if TYPE_CHECKING:
    from tuner.data.dataset import Dataset
    from tuner.data.table_dataset import TableDataset

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PreparedRun:
    """What a run does: its complete recipe, what it learns from earlier studies, and what is stored of its data.

    It refers to no rows: the trainers read them, and a run keeps none in memory.
    """

    recipe: Recipe
    weights: Weights
    warm_start: warm_start.WarmStart
    data: SettledData
    fingerprint: str  # of the data set
    train_rows: int  # for training and validation


def prepare(
    name: str,
    location: Location,
    recipe: Recipe,
    overrides: Overrides,
    data: Dataset | TableDataset,
    *,
    search: str,
    fresh: bool,
) -> PreparedRun:
    """Combine the recipe, the settings of this run and what the study keeps, and check all of it. Writes nothing.

    Args:
        name: The study.
        location: Its database.
        recipe: The recipe, with the settings of this run applied.
        overrides: The settings of this run alone, by table: see :meth:`tuner.config.recipe.Recipe.changed`. They also
            override what is stored.
        data: The data set.
        search: What the study was opened by, for hints.
        fresh: Whether an existing study of this name is deleted first.

    Raises:
        RecipeError: If the objective is no metric of the task, a start configuration is too large, the sampler cannot
            be used here, or a setting that all trials of the study must share differs.
        DataError: If the rows cannot be split, or differ from those that the study began with.
        UsageError: If a study to learn from is unknown.
        RunError: If other runs work on the study with other settings that all must share.
        StorageError: If the database cannot be read, or would lie where it may be damaged.
    """
    _refuse_network_folder(location)
    before = kept = None
    if not fresh:
        with studies.looked_up(location, name) as stored:
            if stored is not None and stored.has_trials:  # without a trial, the study takes any settings
                before, kept = stored.recipe, studies.data_of(stored)
                recipe = _continued(stored, recipe, overrides)
                refuse_changes(stored, recipe, data.fingerprint, search, overrides)
                others = [holding.owner for holding in stored.store.holdings(stored.record.id)]
                if others and location.is_server:
                    recipe = joining(recipe, before, overrides, name, others)
    recipe = recipe.with_sampler_chosen(before)
    settled = kept or settle(data, recipe.validation, recipe.split_seed, standardise=before is None)
    weights = weights_for(settled.schema)
    earlier = warm_start.read_earlier(location, name, recipe, is_new=before is None)
    standardised = settled.schema.standard is not None
    warm = warm_start.WarmStart(earlier, data.fingerprint, weights, standardised=standardised)
    if before is None:
        recipe = warm.with_start_configurations(recipe)
    check_metric(recipe, settled.schema)
    check_starts(recipe, weights)
    check_sampler(recipe)
    precision = possible_precision(recipe.precision, settled.schema)
    recipe = recipe.model_copy(update={"data": path_of(recipe.data, data), "precision": precision})
    return PreparedRun(recipe, weights, warm, settled, data.fingerprint, data.train_rows)


def _continued(stored: studies.StoredStudy, recipe: Recipe, overrides: Overrides) -> Recipe:
    """Return the recipe with what the study keeps, and name the settings of the search that are not taken."""
    before = stored.recipe
    continued = continuing(recipe, before, overrides)
    if continued.not_taken:
        _log.warning("%s", describe_not_taken(stored.study.study_name, recipe, before, continued.not_taken))
    return continued.recipe


def run_search(
    name: str,
    location: Location,
    prepared: PreparedRun,
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
        executor: Runs the jobs; not started yet.
        progress: Shows the run.
        fresh: Delete the study first, if it exists.
        take_over: Wait until the lease of another run expires.
        test_all: Evaluate every kept model on the test split at the end.
        decorate: Updates what the dashboard shows; called when the trainers start, now and then, and at the end.

    Returns:
        Why the run ended early, or ``None``.

    Raises:
        RecipeError, DataError: If the search or the data differ from those of the existing study.
        RunError: If another run holds the study, no trainer can start, or too many trials fail.
        StorageError: If the database cannot be used.
    """
    recipe = prepared.recipe
    with studies.opened(location, create=True) as store, _leaving_nothing_of_deleted(store):
        old = studies.find(store, name)
        if old is not None and fresh:
            _log.warning("--fresh deletes study '%s' with %s", name, studies.contents(old))
        if old is not None and (fresh or studies.is_obsolete(old, recipe, prepared.fingerprint)):
            studies.delete(old)
        stored = studies.create_or_resume(store, name, recipe, prepared.fingerprint, prepared.data)
        record = stored.record
        with held(store, record.id, name, wait=take_over) as (lease, others), stop_on_signals() as stop_requested:
            keep_starts(stored.study, stored.recipe)
            if not others:  # else theirs is there, possibly with a precision that they have chosen meanwhile
                persistent(store).change_recipe(record.id, recipe.model_dump(mode="json"))
            kept = studies.kept_data(prepared.data)
            if persistent(store).data(record.id) != kept:  # the study began with an older version
                persistent(store).set_data(record.id, kept)
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
                decorate=lambda: decorate(stored),
            )
            if not coordinator.queue.exhausted:
                executor.warm_up()
            schema = prepared.data.schema
            disk = store.database.retry(lambda: disk_space(store, name, recipe, prepared.weights, executor.slots))
            plan = plan_run(
                name,
                recipe,
                coordinator.queue.counts(),
                rows=prepared.train_rows,
                schema=schema,
                workers=executor.slots,
                disk=disk,
            )
            progress.planned(plan)
            try:
                coordinator.run(test_all=test_all)
            finally:
                decorate(stored)
    return coordinator.stopped_by


@contextmanager
def _leaving_nothing_of_deleted(store: Store) -> Iterator[None]:
    """If another program deletes the study during the run, remove its files and our rows at the end."""
    try:
        yield
    except StudyGoneError:
        studies.remove_deleted(store)
        raise


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
