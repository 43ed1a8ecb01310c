"""Finds, creates, checks and deletes studies in the database."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple, cast

import optuna
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial
from sqlalchemy.exc import SQLAlchemyError
from tuner_storage import Location, Store, open_store
from tuner_storage.copies import KeptData, StudyRecord
from tuner_storage.creation_lock import creation_lock
from tuner_storage.faults import CommitUnknownError, explain
from tuner_storage.opening import has_database
from tuner_storage.overview import read_lines
from tuner_storage.persistent import persistent

from tuner.command_line import command
from tuner.config.kept import changed_settings
from tuner.config.recipe import Recipe, parse_recipe
from tuner.data.settle import SettledData, pack_sample, settled
from tuner.environment import environment
from tuner.errors import DataError, RecipeError, UsageError, did_you_mean
from tuner.evaluation.assessment import Assessment
from tuner.own_results import OwnResults
from tuner.printable import check_printable

MAX_NAME = 200


class StoredStudy(NamedTuple):
    """One study in an open database: our store, Optuna's study, and our record of it.

    A trial of the study that another program completed has failed: see :mod:`tuner.own_results`.
    """

    store: Store
    study: optuna.Study
    record: StudyRecord

    @property
    def is_gone(self) -> bool:
        """Whether another program has deleted or renamed the study."""
        return persistent(self.store).find_study(self.record.optuna_id) is None

    @property
    def recipe(self) -> Recipe:
        """The recipe of the study's last run."""
        return _recipe(self.record, self.study.study_name)

    @property
    def assessment(self) -> Assessment | None:
        """What was measured of the winner and of the ensemble, or ``None`` if nothing was."""
        facts = self.store.assessment(self.record.id)
        return None if facts is None else Assessment.model_validate(facts)

    def trials(self, numbers: Collection[int] | None = None) -> list[FrozenTrial]:
        """Read the trials, all or those in ``numbers``, in order: see :meth:`tuner.own_results.OwnResults.read`."""
        return OwnResults(self.store, self.record).read(numbers)

    @property
    def has_trials(self) -> bool:
        """Whether the study has a trial, in any state."""
        return bool(self.study.get_trials(deepcopy=False))


def check_name(name: str) -> str:
    """Return ``name`` if it can be the name of a study. The rule is the same for every database.

    Raises:
        UsageError: If the name is empty, has more than 200 characters, or is not one line of printable text.
    """
    if not name.strip():
        raise UsageError("a study's name must not be empty", hint="name it: --name NAME")
    if len(name) > MAX_NAME:
        raise UsageError(f"a study's name has at most {MAX_NAME} characters, got {len(name)}", hint="shorten it")
    return check_printable(name, "a study's name", UsageError)


@contextmanager
def opened(location: Location, *, create: bool = False) -> Iterator[Store]:
    """Open a database, yield the store, and close it.

    Raises:
        StorageError: If the database cannot be used.
    """
    store = open_store(location, create=create)
    try:
        yield store
    except (optuna.exceptions.StorageInternalError, SQLAlchemyError, CommitUnknownError) as error:
        explained = explain(location, error)
        explained.hint = explained.hint or "results that were written are kept; start the study again to continue it"
        raise explained from error
    finally:
        store.close()


@contextmanager
def existing(location: Location, name: str) -> Iterator[StoredStudy]:
    """Open a database and yield a study in it. Creates nothing.

    Raises:
        UsageError: If there is no study of this name.
    """
    if not has_database(location):
        raise _no_study(check_name(name), [])
    with opened(location) as store:
        stored = find(store, name)
        if stored is None:
            if name in optuna.get_all_study_names(store.optuna):
                raise _not_ours(store, name, "see the studies that were: tuner study list")
            raise _no_study(check_name(name), [line.name for line in read_lines(store.database)])
        yield stored


def existing_recipe(location: Location, name: str) -> Recipe:
    """Return the recipe of a study's last run. Creates nothing. Optuna's storage is opened only if there is an error.

    Raises:
        UsageError: If there is no study of this name.
    """
    if has_database(location):
        with opened(location) as store:
            record = store.find_named(name)
        if record is not None:
            return _recipe(record, name)
    with existing(location, name) as stored:  # which raises
        return stored.recipe


def names(location: Location) -> list[str]:
    """Return the names of all studies; an empty list if there is no database. Creates nothing.

    Raises:
        StorageError: If the database cannot be used.
    """
    if not has_database(location):
        return []
    with opened(location) as store:
        return optuna.get_all_study_names(store.optuna)


def find(store: Store, name: str) -> StoredStudy | None:
    """Return a study, or ``None`` if there is no study of this name that was made by tuner."""
    try:
        study = optuna.load_study(study_name=name, storage=store.optuna)
    except KeyError:
        return None
    record = store.find_study(study._study_id)  # noqa: SLF001 - Optuna has no public name for it
    return None if record is None else _stored(store, name, record)


@contextmanager
def looked_up(location: Location, name: str) -> Iterator[StoredStudy | None]:
    """Open a database and yield a study in it, or ``None`` if there is no such database or study. Creates nothing.

    Raises:
        StorageError: If the database cannot be used.
    """
    if not has_database(location):
        yield None
        return
    with opened(location) as store:
        yield find(store, name)


class KnownData(NamedTuple):
    """The data of a study that exists: where they were last, and the fingerprint of their rows."""

    path: str
    fingerprint: str


def known_data(location: Location, name: str) -> KnownData | None:
    """Return the data of a study, or ``None`` if there is no such study or it has no trial. Creates nothing.

    Raises:
        StorageError: If the database cannot be used.
    """
    with looked_up(location, name) as stored:
        if stored is None or not stored.has_trials:
            return None
        return KnownData(stored.recipe.data, stored.record.data_fingerprint)


def recipe_of(location: Location, name: str) -> Recipe | None:
    """Return the recipe of a study's last run, or ``None`` if there is no such study. Creates nothing.

    Raises:
        StorageError: If the database cannot be used.
    """
    with looked_up(location, name) as stored:
        return None if stored is None else stored.recipe


def data_of(stored: StoredStudy) -> SettledData | None:
    """Return what a study stores of its data, or ``None`` if it began with a version that stored nothing."""
    kept = stored.store.data(stored.record.id)
    return None if kept is None else settled(kept.description, kept.sample)


def kept_data(data: SettledData) -> KeptData:
    """Return what a study stores of its data, as the store writes it."""
    return KeptData(data.schema.model_dump(mode="json"), pack_sample(data))


def create_or_resume(
    store: Store, name: str, recipe: Recipe, fingerprint: str, data: SettledData | None = None
) -> StoredStudy:
    """Return the study, and create it first if there is no study of this name.

    Args:
        store: An open store.
        name: The study's name.
        recipe: The search.
        fingerprint: The fingerprint of the data set now.
        data: What a new study stores of its data.

    Raises:
        RecipeError: If a setting that all trials must share has changed since the study began.
        DataError: If the data has changed since then.
        UsageError: If Optuna has a study of this name that was not made by tuner.
    """
    stored = find(store, name)
    if stored is None:
        with creation_lock(store.database.location):
            stored = find(store, name) or _create(store, name, recipe, fingerprint, data)
    check_same(stored, recipe, fingerprint)
    return stored


def check_same(stored: StoredStudy, recipe: Recipe, fingerprint: str, hint: str | None = None) -> None:
    """Check that the trials of a study can be compared with new ones.

    Raises:
        RecipeError: If a setting that all trials must share differs.
        DataError: If the data has changed since the study began.
    """
    name, before = stored.study.study_name, stored.recipe
    for setting in changed_settings(recipe, before):  # first: other columns are other rows, too
        raise RecipeError(
            f"the {setting.name} of '{name}' changed since the study began: {setting.difference(before, recipe)}",
            hint=hint,
        )
    if fingerprint != stored.record.data_fingerprint:
        raise DataError(f"the rows of '{recipe.data}' changed since study '{name}' began", hint=hint)


def is_obsolete(stored: StoredStudy, recipe: Recipe, fingerprint: str) -> bool:
    """Return whether a study has no trial, and began with other data or other settings than these.

    Nothing is lost if it is deleted and created again, so a mistake in the first settings can be corrected.
    """
    differs = fingerprint != stored.record.data_fingerprint or changed_settings(recipe, stored.recipe)
    return bool(differs) and not stored.has_trials


def contents(stored: StoredStudy) -> str:
    """Return how many trials and models a study has, as text."""
    trials = len(stored.study.get_trials(deepcopy=False))
    models = len(stored.store.models(stored.record.id))
    return f"{trials} {'trial' if trials == 1 else 'trials'} and {models} {'model' if models == 1 else 'models'}"


def delete(stored: StoredStudy) -> None:
    """Delete a study with its trials and models.

    Raises:
        RunError: If a run holds the study's lease.
    """
    store = stored.store
    with store.lease(stored.record.id, stored.study.study_name, to_delete=True):
        # First: if this process is killed here, our rows are recognised as those of a deleted study.
        store.optuna.delete_study(stored.record.optuna_id)
    remove_deleted(store)


def remove_deleted(store: Store) -> None:
    """Remove our rows and the files of all studies that are no longer in Optuna's tables."""
    with creation_lock(store.database.location):
        store.remove_deleted()


def _create(store: Store, name: str, recipe: Recipe, fingerprint: str, data: SettledData | None) -> StoredStudy:
    directions = list(recipe.objective.directions)
    if name in optuna.get_all_study_names(store.optuna):
        study = optuna.load_study(study_name=name, storage=store.optuna)
        # One without trials may be left over from an older tuner that died after it had made Optuna's part of a study.
        if study.get_trials(deepcopy=False) or [direction.name.lower() for direction in study.directions] != directions:
            raise _not_ours(store, name, "choose another name: --name NAME")
    store.remove_deleted()
    kept = None if data is None else kept_data(data)
    record = store.add_study(name, directions, recipe.model_dump(mode="json"), fingerprint, environment(), data=kept)
    return _stored(store, name, record)


def _recipe(record: StudyRecord, name: str) -> Recipe:
    """Return the recipe that a study keeps. Studies of older versions were trained in float32."""
    return parse_recipe({"precision": "float32", **record.recipe}, f"the snapshot of '{name}'")


def _stored(store: Store, name: str, record: StudyRecord) -> StoredStudy:
    storage = cast("BaseStorage", OwnResults(store, record))
    return StoredStudy(store, optuna.load_study(study_name=name, storage=storage), record)


def _not_ours(store: Store, name: str, hint: str) -> UsageError:
    return UsageError(f"Optuna's study '{name}' in {store.database.location} was not made by tuner", hint=hint)


def _no_study(name: str, names: Sequence[str]) -> UsageError:
    hint = did_you_mean(name, names) if names else f"start one: {command('study start', 'digits')}"
    return UsageError(f"there is no study '{name}'", hint=hint)
