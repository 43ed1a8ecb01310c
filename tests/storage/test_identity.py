"""A study is recognised whatever other programs do to Optuna's tables: delete, rename, copy, or reuse its id."""

from __future__ import annotations

import optuna
import pytest
from optuna.trial import create_trial
from sqlalchemy import select
from tuner_storage import Location, Store, open_store
from tuner_storage.copies import StudyRecord
from tuner_storage.findings import orphans
from tuner_storage.overview import read_lines
from tuner_storage.tables import StudyRow

from tests.recipes import small_recipe
from tests.storage.contract import OnPostgres, OnSqlite, StoreFixtures, StudyMaker, keep, write_model
from tuner import studies
from tuner.errors import UsageError
from tuner.events import EpochEnd


def copy(store: Store, old: str, new: str) -> None:
    """Copy a study as the Optuna dashboard does."""
    source = optuna.load_study(study_name=old, storage=store.optuna)
    target = optuna.create_study(storage=store.optuna, study_name=new, directions=source.directions)
    target.add_trials(source.get_trials(deepcopy=False))
    for key, value in source.user_attrs.items():
        target.set_user_attr(key, value)


def rename(store: Store, old: str, new: str) -> None:
    """Rename a study as the Optuna dashboard does."""
    copy(store, old, new)
    optuna.delete_study(study_name=old, storage=store.optuna)


def fill(store: Store, study: StudyRecord) -> None:
    """Give a study an epoch and a model."""
    store.start_attempt(study.id, 0, "me")
    store.add_epochs(study.id, [EpochEnd(0, 0, {"loss": 0.5}, 1.0)])
    keep(store, study.id, 0, write_model(store, study, 0, b"x"))


class IdentityContract(StoreFixtures):
    """Subclassed once per database."""

    def test_after_a_deletion_a_study_of_the_same_name_is_a_new_one(self, store: Store, add: StudyMaker) -> None:
        """However often: no row and no file of the deleted study is left, though SQLite gives the same ids again."""
        for _ in range(3):
            fill(store, add("first"))
            optuna.delete_study(study_name="first", storage=store.optuna)
            made = studies.create_or_resume(store, "first", small_recipe(), "0" * 64)

            assert store.epochs(made.record.id) == {}
            assert store.models(made.record.id) == {}
            assert not list(store.artifacts.folder.rglob("*.keras"))
            assert [line.name for line in read_lines(store.database)] == ["first"]
            studies.delete(made)

    def test_a_deleted_study_gives_nothing_to_another_program(self, store: Store, study: StudyRecord) -> None:
        """A study of Optuna alone that gets the same id is not taken for ours."""
        fill(store, study)
        store.optuna.delete_study(study.optuna_id)
        theirs = optuna.create_study(storage=store.optuna, study_name="theirs")

        assert studies.find(store, "theirs") is None
        assert store.find_study(theirs._study_id) is None
        assert read_lines(store.database) == []
        assert orphans(store.database) == [study.id]

    def test_a_renamed_study_is_followed(self, store: Store, add: StudyMaker, location: Location) -> None:
        """The next command finds it under its new name, with its epochs and models. Nothing of it is removed."""
        add("other")
        made = studies.create_or_resume(store, "first", small_recipe(), "0" * 64)
        fill(store, made.record)
        made.study.add_trial(create_trial(value=0.5))
        rename(store, "first", "better")

        assert orphans(store.database) == []
        with studies.existing(location, "better") as found:
            assert found.record.id == made.record.id
            assert found.store.epochs(found.record.id) == {0: [{"loss": 0.5, "seconds": 1.0}]}
            assert store.artifacts.path(found.store.models(found.record.id)[0]).exists()
        assert studies.find(store, "first") is None
        assert [line.name for line in read_lines(store.database)] == ["better", "other"]

    def test_a_copy_of_a_study_is_not_ours_while_its_original_exists(
        self, store: Store, study: StudyRecord, location: Location
    ) -> None:
        """The models belong to one study. If the original is deleted, the copy gets them."""
        fill(store, study)
        optuna.load_study(study_name="first", storage=store.optuna).add_trial(create_trial(value=0.5))
        copy(store, "first", "second")
        with studies.opened(location) as again:
            assert studies.find(again, "second") is None
            assert studies.find(again, "first") is not None
            with pytest.raises(UsageError, match=r"Optuna's study 'second' in .* was not made by tuner"):
                studies.create_or_resume(again, "second", small_recipe(), "0" * 64)
        store.optuna.delete_study(study.optuna_id)
        with studies.existing(location, "second") as found:
            assert found.record.id == study.id

    def test_a_renamed_study_is_not_mistaken_for_an_older_copy(
        self, store: Store, study: StudyRecord, location: Location
    ) -> None:
        """The models follow the study that was copied last, which is the renamed one."""
        fill(store, study)
        copy(store, "first", "backup")
        rename(store, "first", "better")
        with studies.opened(location) as again:
            assert studies.find(again, "backup") is None
            better = studies.find(again, "better")

        assert better is not None
        assert better.record.id == study.id

    def test_the_files_of_a_deleted_study_stay_while_it_runs(self, store: Store, study: StudyRecord) -> None:
        """Its trainers may still write there. A new study may nevertheless get its id in Optuna's tables."""
        fill(store, study)
        with store.lease(study.id, "first", to_delete=True):
            store.optuna.delete_study(study.optuna_id)
            made = studies.create_or_resume(store, "first", small_recipe(), "0" * 64)
            assert made.record.id != study.id
            assert store.models(study.id)
        store.remove_deleted()

        with store.database.read() as session:
            assert list(session.scalars(select(StudyRow.id))) == [made.record.id]
        assert not list(store.artifacts.folder.rglob("*.keras"))

    def test_both_rows_of_a_study_are_made_in_one_transaction(
        self, store: Store, monkeypatch: pytest.MonkeyPatch, location: Location
    ) -> None:
        """A run that fails while it creates a study leaves no half of it."""

        def fail() -> dict[str, object]:
            raise LookupError("no package")

        monkeypatch.setattr("tuner.studies.environment", fail)
        with pytest.raises(LookupError):
            studies.create_or_resume(store, "first", small_recipe(), "0" * 64)
        monkeypatch.undo()
        assert optuna.get_all_study_names(store.optuna) == []

        monkeypatch.setattr("tuner_storage.study_rows.write_identity", lambda *_: fail())
        with pytest.raises(LookupError):
            studies.create_or_resume(store, "first", small_recipe(), "0" * 64)
        with open_store(location).database.read() as session:
            assert list(session.scalars(select(StudyRow))) == []
        assert optuna.get_all_study_names(store.optuna) == []

    def test_half_a_study_of_an_older_tuner_is_healed(self, store: Store, location: Location) -> None:
        """Optuna's half is used by the next start, and a message about it does not suggest its own name."""
        optuna.create_study(storage=store.optuna, study_name="half", direction="maximize")
        with (
            pytest.raises(UsageError, match=r"Optuna's study 'half' in .* was not made by tuner") as caught,
            studies.existing(location, "half"),
        ):
            pytest.fail("it has no row of ours")
        assert "did you mean" not in str(caught.value.hint)
        made = studies.create_or_resume(store, "half", small_recipe(), "0" * 64)

        assert studies.find(store, "half") is not None
        assert optuna.get_all_study_names(store.optuna) == ["half"]
        assert [direction.name for direction in made.study.directions] == ["MAXIMIZE"]


class TestSqlite(IdentityContract, OnSqlite):
    """The default database."""


class TestPostgres(IdentityContract, OnPostgres):
    """A team's database."""
