"""Finds, creates, checks and deletes studies in the database."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import optuna
from sqlalchemy.exc import SQLAlchemyError

import search_spaces
from storage import Location, Store, open_store
from storage.copies import StudyRecord
from storage.creation_lock import creation_lock
from storage.faults import CommitUnknownError, explain
from storage.opening import has_database
from tuner.config.recipe import Recipe, load_recipe, parse_recipe
from tuner.environment import environment
from tuner.errors import DataError, RecipeError, UsageError, did_you_mean

MAX_NAME = 200
COMPARABLE = ("data", "validation", "split_seed", "objective", "space")  # parts of a recipe that all trials must share


class StoredStudy(NamedTuple):
    """One study in an open database: our store, Optuna's study, and our record of it."""

    store: Store
    study: optuna.Study
    record: StudyRecord

    @property
    def recipe(self) -> Recipe:
        """The recipe of the study's last run."""
        return parse_recipe(self.record.recipe, f"the snapshot of '{self.study.study_name}'")


def check_name(name: str) -> str:
    """Return ``name`` if it can be the name of a study. The rule is the same for every database.

    Raises:
        UsageError: If the name is empty, has more than 200 characters, or contains a line break, NUL or invalid text.
    """
    if not name.strip():
        raise UsageError("a study's name must not be empty", hint="name it: --name NAME")
    if len(name) > MAX_NAME:
        raise UsageError(f"a study's name has at most {MAX_NAME} characters, got {len(name)}", hint="shorten it")
    if any(character in name for character in "\n\r\0"):
        raise UsageError(
            f"a study's name must be one line without NUL, got {name!r}", hint="remove the line break or NUL"
        )
    if any("\ud800" <= character <= "\udfff" for character in name):  # bytes of a command line that are not UTF-8
        raise UsageError(f"a study's name must be valid text, got {name!r}", hint="write it in UTF-8")
    return name


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
            raise _no_study(check_name(name), optuna.get_all_study_names(store.optuna))
        yield stored


def find(store: Store, name: str) -> StoredStudy | None:
    """Return a study, or ``None`` if there is no study of this name that was made by tuner."""
    try:
        study = optuna.load_study(study_name=name, storage=store.optuna)
    except KeyError:
        return None
    record = store.find_study(study._study_id)  # noqa: SLF001 - Optuna has no public name for it
    return None if record is None else StoredStudy(store, study, record)


def recipe_of(location: Location, name: str) -> Recipe | None:
    """Return the recipe of a study's last run, or ``None`` if there is no such study. Creates nothing.

    Raises:
        StorageError: If the database cannot be used.
    """
    if not has_database(location):
        return None
    with opened(location) as store:
        stored = find(store, name)
        return None if stored is None else stored.recipe


def resolve(location: Location, search: str, name: str | None) -> tuple[str, Recipe]:
    """Return the study's name and the recipe of a search. Creates nothing.

    Args:
        location: The database, where ``search`` may be a study.
        search: A built-in search, a TOML file, or the name of a study that exists.
        name: Name of the study; ``None`` takes the recipe's.

    Raises:
        RecipeError: If there is no such search, or its recipe is wrong.
        UsageError: If ``name`` cannot be the name of a study.
    """
    if search.endswith(".toml") or search in search_spaces.names():
        recipe = load_recipe(search)
        return check_name(recipe.name if name is None else name), recipe
    stored_recipe = recipe_of(location, search)
    if stored_recipe is None:
        raise RecipeError(f"there is no search or study '{search}'", hint=did_you_mean(search, search_spaces.names()))
    return check_name(name or search), stored_recipe


def create_or_resume(store: Store, name: str, recipe: Recipe, fingerprint: str) -> StoredStudy:
    """Return the study, and create it first if there is no study of this name.

    Args:
        store: An open store.
        name: The study's name.
        recipe: The search.
        fingerprint: The fingerprint of the data set now.

    Raises:
        RecipeError: If a part of the recipe that all trials must share has changed since the study began.
        DataError: If the data has changed since then.
        UsageError: If Optuna has a study of this name that was not made by tuner.
    """
    stored = find(store, name)
    if stored is None:
        with creation_lock(store.database.location):
            stored = find(store, name) or _create(store, name, recipe, fingerprint)
    hint = "use --fresh to begin again, or --name for a study of its own"
    for part in COMPARABLE:
        if getattr(stored.recipe, part) != getattr(recipe, part):
            raise RecipeError(f"the {part} of '{name}' changed since the study began", hint=hint)
    if fingerprint != stored.record.data_fingerprint:
        raise DataError(f"the rows of '{recipe.data}' changed since study '{name}' began", hint=hint)
    return stored


def delete(stored: StoredStudy) -> None:
    """Delete a study with its trials and models.

    Raises:
        RunError: If a run holds the study's lease.
    """
    with stored.store.lease(stored.record.id, stored.study.study_name, to_delete=True):
        stored.store.delete_study(stored.record.id)
        # By id, not by name: once our rows and the lease are gone, another run may begin a study of the same name.
        stored.store.optuna.delete_study(stored.record.optuna_id)


def _create(store: Store, name: str, recipe: Recipe, fingerprint: str) -> StoredStudy:
    directions = list(recipe.objective.directions)
    study = optuna.create_study(storage=store.optuna, study_name=name, directions=directions, load_if_exists=True)
    stored_directions = [direction.name.lower() for direction in study.directions]
    # A study without trials may be left over from a run that died at this point. One with trials is not ours.
    if study.get_trials(deepcopy=False) or stored_directions != directions:
        raise UsageError(
            f"Optuna's study '{name}' in {store.database.location} was not made by tuner",
            hint="choose another name: --name NAME",
        )
    record = store.add_study(study._study_id, recipe.model_dump(mode="json"), fingerprint, environment())  # noqa: SLF001
    return StoredStudy(store, study, record)


def _no_study(name: str, names: Sequence[str]) -> UsageError:
    hint = did_you_mean(name, names) if names else "start one: tuner study start digits"
    return UsageError(f"there is no study '{name}'", hint=hint)
