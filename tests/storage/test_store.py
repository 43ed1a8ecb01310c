"""Studies, epochs, attempts and transactions: the same promises on every database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import optuna
import pytest
from optuna.trial import TrialState
from sqlalchemy import select
from tuner_storage import Location, Store
from tuner_storage.copies import StudyRecord
from tuner_storage.tables import AttemptRow, EpochRow, StudyRow

from tests.recipes import small_recipe
from tests.storage.contract import RECIPE, OnPostgres, OnSqlite, StoreFixtures, StudyMaker, keep, write_model
from tuner import studies
from tuner.errors import StorageError
from tuner.events import EpochEnd, TrialEnd
from tuner.records import Outcome


class StoreContract(StoreFixtures):
    """Subclassed once per database."""

    def test_a_study_is_found_as_it_was_added(self, store: Store, study: StudyRecord) -> None:
        """It is found by Optuna's id, and its time is in UTC."""
        assert store.find_study(study.optuna_id) == study
        assert (study.recipe, study.data_fingerprint, study.environment) == (RECIPE, "f" * 64, {"python": "3.11"})
        assert abs(study.created - datetime.now(UTC).replace(tzinfo=None)) < timedelta(minutes=1)

    def test_a_study_of_optuna_alone_is_not_ours(self, store: Store, study: StudyRecord) -> None:
        """Other programs may keep studies in the same database."""
        theirs = optuna.create_study(storage=store.optuna, study_name="theirs")

        assert store.find_study(theirs._study_id) is None
        assert studies.find(store, "theirs") is None
        assert studies.find(store, "absent") is None

    def test_a_study_is_added_once(self, store: Store, study: StudyRecord) -> None:
        """A second record for the same study of Optuna is refused, and the first one stays."""
        with pytest.raises(StorageError):
            store.add_study("first", ["minimize"], {}, "0" * 64, {})

        assert store.find_study(study.optuna_id) == study

    def test_the_recipe_of_a_study_can_be_replaced(self, store: Store, add: StudyMaker) -> None:
        """A study that is continued may have a larger budget. Nothing else changes, in this study or in others."""
        study, other = add("first"), add("second")
        store.change_recipe(study.id, {**RECIPE, "timeout": 60})
        changed = store.find_study(study.optuna_id)

        assert changed is not None
        assert changed.recipe == {**RECIPE, "timeout": 60}
        assert (changed.data_fingerprint, changed.created) == (study.data_fingerprint, study.created)
        assert store.find_study(other.optuna_id) == other

    def test_returned_records_are_copies(self, store: Store, study: StudyRecord) -> None:
        """Changing a returned value, also deep inside it, does not change the store."""
        store.start_attempt(study.id, 0, "me")
        store.add_epochs(study.id, [EpochEnd(0, 0, {"loss": 0.5}, 1.0)])
        cast("dict[str, Any]", study.recipe)["space"]["units"].append(16)
        cast("dict[str, Any]", study.environment).clear()
        store.epochs(study.id)[0][0]["loss"] = 9.0
        again = store.find_study(study.optuna_id)

        assert again is not None
        assert (again.recipe, again.environment) == (RECIPE, {"python": "3.11"})
        assert store.epochs(study.id) == {0: [{"loss": 0.5, "seconds": 1.0}]}

    def test_arguments_can_change_afterwards(self, store: Store, study: StudyRecord) -> None:
        """The store keeps a copy of its arguments."""
        store.start_attempt(study.id, 0, "me")
        metrics = {"loss": 0.5}
        store.add_epochs(study.id, [EpochEnd(0, 0, metrics, 1.0)])
        metrics["loss"] = 9.0

        assert store.epochs(study.id)[0][0]["loss"] == 0.5

    def test_epochs_come_back_in_order_by_trial(self, store: Store, add: StudyMaker) -> None:
        """This holds for trials that ran at the same time. Epochs of other studies are left out."""
        study, other = add("first"), add("second")
        for number in (0, 1, 2):
            store.start_attempt(study.id, number, "me")
        for number, epoch in ((1, 0), (0, 0), (0, 1), (2, 0), (1, 1)):
            store.add_epochs(study.id, [EpochEnd(number, epoch, {"loss": number + epoch / 10}, 0.5)])
        store.add_epochs(other.id, [EpochEnd(0, 0, {"loss": 9.0}, 0.5)])

        curves = store.epochs(study.id)
        assert {number: [epoch["loss"] for epoch in curve] for number, curve in curves.items()} == {
            0: [0.0, 0.1],
            1: [1.0, 1.1],
            2: [2.0],
        }
        assert set(store.epochs(study.id, [0, 2, 7])) == {0, 2}
        assert store.epochs(study.id, []) == {}

    def test_an_epoch_is_recorded_once(self, store: Store, study: StudyRecord) -> None:
        """If two processes wrote the same trial, the second would fail here."""
        end = EpochEnd(0, 0, {"loss": 0.5}, 1.0)
        store.add_epochs(study.id, [end])

        with pytest.raises(StorageError):
            store.add_epochs(study.id, [end])

    def test_a_new_attempt_removes_the_epochs_of_the_earlier_one(self, store: Store, study: StudyRecord) -> None:
        """It removes our rows and the reports that Optuna's pruners read. Other trials keep theirs."""
        theirs = optuna.load_study(study_name="first", storage=store.optuna)
        for number in (0, 1):
            trial = theirs.ask()
            store.start_attempt(study.id, number, "me")
            store.add_epochs(study.id, [EpochEnd(number, 0, {"loss": 0.5}, 1.0)])
            trial.report(0.5, 0)
        attempt = store.start_attempt(study.id, 0, "me")

        assert attempt == 1
        assert set(store.epochs(study.id)) == {1}
        assert [trial.intermediate_values for trial in theirs.get_trials()] == [{}, {0: 0.5}]

    def test_attempts_are_numbered_and_have_an_outcome(self, store: Store, study: StudyRecord) -> None:
        """If an attempt was killed, the next attempt records that. Ended attempts stay as they are."""
        assert store.start_attempt(study.id, 0, "me") == 0
        store.add_result(study.id, TrialEnd(0, Outcome.FAILED, "loss is nan"), 0, {})
        assert store.start_attempt(study.id, 0, "me") == 1
        assert store.start_attempt(study.id, 1, "me") == 0
        assert store.start_attempt(study.id, 0, "you") == 2
        store.add_result(study.id, TrialEnd(0, Outcome.COMPLETE), 0, {})

        with store.database.read() as session:
            attempts = session.scalars(select(AttemptRow).order_by(AttemptRow.trial_number, AttemptRow.attempt)).all()
            rows = [(row.trial_number, row.attempt, row.owner, row.outcome, row.reason) for row in attempts]
            times = [(row.started, row.ended) for row in attempts]
        assert rows == [
            (0, 0, "me", "failed", "loss is nan"),
            (0, 1, "me", "interrupted", "killed"),
            (0, 2, "you", "complete", None),
            (1, 0, "me", None, None),
        ]
        assert all((ended is None) or started <= ended for started, ended in times)
        assert times[-1][1] is None

    def test_an_error_in_a_transaction_undoes_all_of_it(self, store: Store, study: StudyRecord) -> None:
        """Everything is written, or nothing is."""

        def fail() -> None:
            with store.database.write() as session:
                session.add(EpochRow(study_id=study.id, trial_number=0, epoch=0, metrics={}, seconds=0.0))
                session.flush()
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            fail()

        assert store.epochs(study.id) == {}

    @pytest.mark.parametrize(
        "name",
        [
            "a/b",
            "../../escape",
            "/etc/passwd",
            'it\'s "quoted" `and` $(more)',
            "'); DROP TABLE tuner_study; --",
            "größe 😀 \N{FAMILY}",
            "--help",
            "%s {0} %(x)s",
            "no\u00a0break",
            "x" * 200,
        ],
    )
    def test_any_line_of_text_can_be_a_name(self, store: Store, home: Path, name: str) -> None:
        """It is stored, found and deleted as it is, and is never part of a path (fault 35)."""
        made = studies.create_or_resume(store, studies.check_name(name), small_recipe(), "0" * 64)
        model = write_model(store, made.record, 0, b"x")
        keep(store, made.record.id, 0, model)
        with store.lease(made.record.id, name):
            assert store.holdings(made.record.id)
        study = studies.find(store, name)

        assert study is not None
        assert (study.study.study_name, study.record) == (name, made.record)
        folder = store.artifacts.folder.name
        assert {path.name for path in home.iterdir()} - {"studies.db"} == {folder}
        assert model.path.relative_to(home).as_posix() == f"{folder}/study-{made.record.id:05d}/trial-00000.keras"

        studies.delete(study)
        assert studies.find(store, name) is None
        assert optuna.get_all_study_names(store.optuna) == []

    def test_everything_is_there_after_opening_again(self, store: Store, location: Location) -> None:
        """Another process reads it while this one still has the database open."""
        made = studies.create_or_resume(store, "first", small_recipe(), "0" * 64)
        store.start_attempt(made.record.id, 0, "me")
        store.add_epochs(made.record.id, [EpochEnd(0, 0, {"loss": 0.5}, 1.0)])
        with studies.existing(location, "first") as again:
            assert again.record == made.record
            assert again.recipe == small_recipe()
            assert again.store.epochs(again.record.id) == {0: [{"loss": 0.5, "seconds": 1.0}]}

    def test_a_reader_does_not_block_a_writer(self, store: Store, location: Location) -> None:
        """Reading a study never stops its run."""
        made = studies.create_or_resume(store, "first", small_recipe(), "0" * 64)
        with studies.existing(location, "first") as other, other.store.database.read() as session:
            assert session.scalars(select(StudyRow)).all()
            session.rollback()
            store.add_epochs(made.record.id, [EpochEnd(0, 0, {}, 1.0)])

        assert set(store.epochs(made.record.id)) == {0}

    def test_optuna_and_tuner_write_one_after_the_other(self, store: Store) -> None:
        """Both have their own connections to the same database."""
        made = studies.create_or_resume(store, "first", small_recipe(), "0" * 64)
        for number in range(3):
            trial = made.study.ask()
            store.start_attempt(made.record.id, number, "me")
            end, attributes = TrialEnd(number, Outcome.COMPLETE), {"val_accuracy": 0.5}
            store.add_result(made.record.id, end, trial._trial_id, attributes)
            made.study.tell(trial, 0.5)

        assert [trial.state for trial in made.study.trials] == [TrialState.COMPLETE] * 3


class TestSqliteStore(StoreContract, OnSqlite):
    """The default database."""


class TestPostgresStore(StoreContract, OnPostgres):
    """A team's database."""
