"""Studies in the database: find, create, compare, summarise, delete."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import optuna
from sqlalchemy.exc import SQLAlchemyError

from storage import Location, Store, open_store
from storage.copies import StudyRecord
from storage.creation_lock import creation_lock
from storage.faults import CommitUnknownError, explain
from storage.opening import has_database
from tuner.config.recipe import Recipe, parse_recipe
from tuner.environment import environment
from tuner.errors import DataError, RecipeError, UsageError, did_you_mean

MAX_NAME = 200


class StoredStudy(NamedTuple):
    """One study in an open database: our store, Optuna's study, our record of it."""

    store: Store
    study: optuna.Study
    record: StudyRecord

    @property
    def recipe(self) -> Recipe:
        """The recipe as it was when the study ran last."""
        return parse_recipe(self.record.recipe, f"the snapshot of '{self.study.study_name}'")


def check_name(name: str) -> str:
    """Return ``name`` if a study may have it: the same rule on every database.

    Raises:
        UsageError: If it is empty, longer than 200 characters, or holds a line break, NUL or broken text.
    """
    if not name.strip():
        raise UsageError("a study's name must not be empty", hint="name it: --name NAME")
    if len(name) > MAX_NAME:
        raise UsageError(f"a study's name has at most {MAX_NAME} characters, got {len(name)}", hint="shorten it")
    if any(character in name for character in "\n\r\0"):
        raise UsageError(f"a study's name must be one line without NUL, got {name!r}", hint="remove it")
    if any("\ud800" <= character <= "\udfff" for character in name):  # bytes of a command line that are no UTF-8
        raise UsageError(f"a study's name must be valid text, got {name!r}", hint="write it in UTF-8")
    return name


@contextmanager
def opened(location: Location, *, create: bool = False) -> Iterator[Store]:
    """Yield the open store.

    Raises:
        StorageError: If the database cannot be used.
    """
    store = open_store(location, create=create)
    try:
        yield store
    except (optuna.exceptions.StorageInternalError, SQLAlchemyError, CommitUnknownError) as error:
        explained = explain(location, error)
        explained.hint = explained.hint or "results that were written are kept; start the study again to go on"
        raise explained from error
    finally:
        store.close()


@contextmanager
def existing(location: Location, name: str) -> Iterator[StoredStudy]:
    """Yield a study that was started before.

    Raises:
        UsageError: If there is none of that name; nothing is created.
    """
    if not has_database(location):
        raise _unknown(check_name(name), [])
    with opened(location) as store:
        found = find(store, name)
        if found is None:
            raise _unknown(check_name(name), optuna.get_all_study_names(store.optuna))
        yield found


def find(store: Store, name: str) -> StoredStudy | None:
    """Return a study, or ``None`` where there is none of that name or it is not one of ours."""
    try:
        study = optuna.load_study(study_name=name, storage=store.optuna)
    except KeyError:
        return None
    record = store.find_study(study._study_id)  # noqa: SLF001 - the only name Optuna has for the row
    return None if record is None else StoredStudy(store, study, record)


def recipe_of(location: Location, name: str) -> Recipe | None:
    """Return the recipe that a study ran with last, or ``None`` where there is none of that name; creates nothing.

    Raises:
        StorageError: If the database cannot be used.
    """
    if not has_database(location):
        return None
    with opened(location) as store:
        found = find(store, name)
        return None if found is None else found.recipe


def create_or_resume(store: Store, name: str, recipe: Recipe, fingerprint: str) -> StoredStudy:
    """Return the study, created if need be.

    Args:
        store: An open store.
        name: The study's name.
        recipe: What is to be searched.
        fingerprint: Of the data as it is now.

    Raises:
        RecipeError: If what is searched changed since the study began: its trials could not be compared.
        DataError: If the data changed since then.
    """
    found = find(store, name)
    if found is None:
        with creation_lock(store.database.location):
            found = find(store, name) or _create(store, name, recipe, fingerprint)
    hint = "use --fresh to begin again, or --name for a study of its own"
    for part in ("data", "validation", "split_seed", "objective", "space"):
        if getattr(found.recipe, part) != getattr(recipe, part):
            raise RecipeError(f"the {part} of '{name}' changed since the study began", hint=hint)
    if fingerprint != found.record.data_fingerprint:
        raise DataError(f"the rows of '{recipe.data}' changed since study '{name}' began", hint=hint)
    return found


def delete(stored: StoredStudy) -> None:
    """Remove a study with its trials and models.

    Raises:
        RunError: If it is being run.
    """
    with stored.store.lease(stored.record.id, stored.study.study_name, to_delete=True):
        stored.store.delete_study(stored.record.id)
        # By number: another run may begin a new study of that name as soon as the lease is gone with our rows.
        stored.store.optuna.delete_study(stored.record.optuna_id)


def _create(store: Store, name: str, recipe: Recipe, fingerprint: str) -> StoredStudy:
    directions = list(recipe.objective.directions)
    study = optuna.create_study(storage=store.optuna, study_name=name, directions=directions, load_if_exists=True)
    # Without trials it was left behind by a run that died here; with trials it is not ours to write to.
    if study.get_trials(deepcopy=False) or [each.name.lower() for each in study.directions] != directions:
        raise UsageError(
            f"Optuna's study '{name}' in {store.database.location} was not made by tuner",
            hint="choose another name: --name NAME",
        )
    record = store.add_study(study._study_id, recipe.model_dump(mode="json"), fingerprint, environment())  # noqa: SLF001
    return StoredStudy(store, study, record)


def _unknown(name: str, known: Sequence[str]) -> UsageError:
    hint = did_you_mean(name, known) if known else "start one: tuner study start digits"
    return UsageError(f"there is no study '{name}'", hint=hint)
