"""What the tests of the store share: its fixtures, one mixin per database, and files as a trainer writes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tuner_storage import Location, Store, locate, open_store
from tuner_storage.copies import StudyRecord

from tuner.events import ModelFile, RefitEnd, TrialEnd
from tuner.files import sha256_of
from tuner.records import Outcome

RECIPE = {"name": "digits", "space": {"units": [64, 32]}, "timeout": None}

StudyMaker = Callable[[str], StudyRecord]


class StoreFixtures:
    """The base of a contract. A test class combines the contract with one of the databases below."""

    @pytest.fixture
    def store(self, location: Location) -> Iterator[Store]:
        """A new, empty store."""
        opened = open_store(location, create=True)
        yield opened
        opened.close()

    @pytest.fixture
    def add(self, store: Store) -> StudyMaker:
        """Make a study in Optuna's tables and in ours."""

        def make(name: str) -> StudyRecord:
            return store.add_study(name, ["minimize"], RECIPE, "f" * 64, {"python": "3.11"})

        return make

    @pytest.fixture
    def study(self, add: StudyMaker) -> StudyRecord:
        """One study."""
        return add("first")


class OnSqlite:
    """The default database."""

    @pytest.fixture
    def location(self, home: Path) -> Location:
        """A database that does not exist yet."""
        return locate(home=home)


class OnPostgres:
    """A team's database."""

    @pytest.fixture
    def location(self, postgres_location: Location) -> Location:
        """A database that does not exist yet."""
        return postgres_location


def keep(store: Store, study_id: int, number: int, model: ModelFile) -> None:
    """Record a complete trial with its model."""
    store.add_result(study_id, TrialEnd(number, Outcome.COMPLETE, model=model), 0, {})


def refit(store: Store, study: StudyRecord, number: int, content: bytes) -> RefitEnd:
    """Write a file as the trainer of a refit does, and return its event."""
    path = store.artifacts.refit_path(study.id, number)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    model = ModelFile(path, sha256_of(path), len(content))
    return RefitEnd(number, {"loss": 0.25, "accuracy": 0.75}, 19, 60000, model, seconds=2.5)


def write_model(store: Store, study: StudyRecord, number: int, content: bytes, attempt: int = 0) -> ModelFile:
    """Write a file as a trainer does."""
    path = store.artifacts.model_path(study.id, number, attempt)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return ModelFile(path, sha256_of(path), len(content))
