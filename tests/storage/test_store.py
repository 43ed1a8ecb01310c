"""What a store promises, whatever the database behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import optuna
import pytest
from optuna.trial import TrialState
from sqlalchemy import select

from storage import Location, Store, locate, open_store
from storage.copies import StudyRecord
from storage.tables import AttemptRow, EpochRow, LeaseRow, ModelRow, RefitRow, StudyRow
from tests.recipes import small_recipe
from tuner import studies
from tuner.errors import StorageError
from tuner.files import sha256_of
from tuner.jobs import EpochEnd, ModelFile, RefitEnd, TrialEnd
from tuner.records import Outcome

RECIPE = {"name": "digits", "space": {"units": [64, 32]}, "timeout": None}

StudyMaker = Callable[[str], StudyRecord]


def keep(store: Store, study_id: int, number: int, model: ModelFile) -> None:
    """Record a complete trial with its model."""
    store.add_result(study_id, TrialEnd(number, Outcome.COMPLETE, model=model), 0, {})


class StoreContract:
    """Subclassed once per database, with a fixture ``location`` of a database that does not exist yet."""

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
            study = optuna.create_study(storage=store.optuna, study_name=name)
            return store.add_study(study._study_id, RECIPE, "f" * 64, {"python": "3.11"})

        return make

    @pytest.fixture
    def study(self, add: StudyMaker) -> StudyRecord:
        """One study."""
        return add("first")

    def test_a_study_is_found_as_it_was_added(self, store: Store, study: StudyRecord) -> None:
        """By Optuna's id, with the time in UTC."""
        assert store.find_study(study.optuna_id) == study
        assert (study.recipe, study.data_fingerprint, study.environment) == (RECIPE, "f" * 64, {"python": "3.11"})
        assert abs(study.created - datetime.now(UTC).replace(tzinfo=None)) < timedelta(minutes=1)

    def test_a_study_of_optuna_alone_is_not_ours(self, store: Store, study: StudyRecord) -> None:
        """Somebody may keep others in the same database."""
        theirs = optuna.create_study(storage=store.optuna, study_name="theirs")

        assert store.find_study(theirs._study_id) is None
        assert studies.find(store, "theirs") is None
        assert studies.find(store, "absent") is None

    def test_a_study_is_added_once(self, store: Store, study: StudyRecord) -> None:
        """A second record for the same study of Optuna is an error of storage, and the first one stays."""
        with pytest.raises(StorageError):
            store.add_study(study.optuna_id, {}, "0" * 64, {})

        assert store.find_study(study.optuna_id) == study

    def test_the_recipe_of_a_study_can_be_replaced(self, store: Store, add: StudyMaker) -> None:
        """A resumed study may have a larger budget; nothing else changes, and no other study does."""
        study, other = add("first"), add("second")
        store.change_recipe(study.id, {**RECIPE, "timeout": 60})
        changed = store.find_study(study.optuna_id)

        assert changed is not None
        assert changed.recipe == {**RECIPE, "timeout": 60}
        assert (changed.data_fingerprint, changed.created) == (study.data_fingerprint, study.created)
        assert store.find_study(other.optuna_id) == other

    def test_returned_records_are_copies(self, store: Store, study: StudyRecord) -> None:
        """Changing what the store returned does not change the store, deep inside neither."""
        store.start_attempt(study.id, 0, "me")
        store.add_epoch(study.id, EpochEnd(0, 0, {"loss": 0.5}, 1.0))
        cast("dict[str, Any]", study.recipe)["space"]["units"].append(16)
        cast("dict[str, Any]", study.environment).clear()
        store.epochs(study.id)[0][0]["loss"] = 9.0
        again = store.find_study(study.optuna_id)

        assert again is not None
        assert (again.recipe, again.environment) == (RECIPE, {"python": "3.11"})
        assert store.epochs(study.id) == {0: [{"loss": 0.5, "seconds": 1.0}]}

    def test_what_the_store_was_given_can_change_afterwards(self, store: Store, study: StudyRecord) -> None:
        """It keeps what it was told, not a reference to it."""
        store.start_attempt(study.id, 0, "me")
        metrics = {"loss": 0.5}
        store.add_epoch(study.id, EpochEnd(0, 0, metrics, 1.0))
        metrics["loss"] = 9.0

        assert store.epochs(study.id)[0][0]["loss"] == 0.5

    def test_epochs_come_back_in_order_by_trial(self, store: Store, add: StudyMaker) -> None:
        """Also where trials ran at the same time; those of other studies stay out."""
        study, other = add("first"), add("second")
        for number in (0, 1, 2):
            store.start_attempt(study.id, number, "me")
        for number, epoch in ((1, 0), (0, 0), (0, 1), (2, 0), (1, 1)):
            store.add_epoch(study.id, EpochEnd(number, epoch, {"loss": number + epoch / 10}, 0.5))
        store.add_epoch(other.id, EpochEnd(0, 0, {"loss": 9.0}, 0.5))

        curves = store.epochs(study.id)
        assert {number: [epoch["loss"] for epoch in curve] for number, curve in curves.items()} == {
            0: [0.0, 0.1],
            1: [1.0, 1.1],
            2: [2.0],
        }
        assert set(store.epochs(study.id, [0, 2, 7])) == {0, 2}
        assert store.epochs(study.id, []) == {}

    def test_an_epoch_is_recorded_once(self, store: Store, study: StudyRecord) -> None:
        """Two writers of one trial would be found out here."""
        end = EpochEnd(0, 0, {"loss": 0.5}, 1.0)
        store.add_epoch(study.id, end)

        with pytest.raises(StorageError):
            store.add_epoch(study.id, end)

    def test_a_new_attempt_forgets_the_epochs_of_the_earlier_one(self, store: Store, study: StudyRecord) -> None:
        """Ours and those that Optuna's pruners see; other trials keep theirs."""
        theirs = optuna.load_study(study_name="first", storage=store.optuna)
        for number in (0, 1):
            trial = theirs.ask()
            store.start_attempt(study.id, number, "me")
            store.add_epoch(study.id, EpochEnd(number, 0, {"loss": 0.5}, 1.0))
            trial.report(0.5, 0)
        attempt = store.start_attempt(study.id, 0, "me")

        assert attempt == 1
        assert set(store.epochs(study.id)) == {1}
        assert [trial.intermediate_values for trial in theirs.get_trials()] == [{}, {0: 0.5}]

    def test_attempts_are_counted_and_say_how_they_ended(self, store: Store, study: StudyRecord) -> None:
        """One that never ended was killed, which the next attempt writes down; ended ones stay as they are."""
        assert store.start_attempt(study.id, 0, "me") == 0
        store.add_result(study.id, TrialEnd(0, Outcome.FAILED, "loss is nan"), 0, {})
        assert store.start_attempt(study.id, 0, "me") == 1
        assert store.start_attempt(study.id, 1, "me") == 0
        assert store.start_attempt(study.id, 0, "you") == 2
        store.add_result(study.id, TrialEnd(0, Outcome.COMPLETE), 0, {})

        with store.database.read() as session:
            found = session.scalars(select(AttemptRow).order_by(AttemptRow.trial_number, AttemptRow.attempt)).all()
            rows = [(row.trial_number, row.attempt, row.owner, row.outcome, row.reason) for row in found]
            times = [(row.started, row.ended) for row in found]
        assert rows == [
            (0, 0, "me", "failed", "loss is nan"),
            (0, 1, "me", "interrupted", "killed"),
            (0, 2, "you", "complete", None),
            (1, 0, "me", None, None),
        ]
        assert all((ended is None) or started <= ended for started, ended in times)
        assert times[-1][1] is None

    def test_a_model_is_kept_and_dropped_with_its_file(self, store: Store, study: StudyRecord) -> None:
        """Its row says where the file is and what it holds."""
        file = write_model(store, study, 3, b"weights")
        keep(store, study.id, 3, file)
        kept = store.models(study.id)[3]

        assert store.artifacts.path(kept.path) == file.path
        assert (kept.number, kept.sha256, kept.size, kept.test) == (3, sha256_of(file.path), 7, None)
        assert not Path(kept.path).is_absolute()

        store.drop_model(study.id, kept)
        assert store.models(study.id) == {}
        assert not file.path.exists()
        store.drop_model(study.id, kept)  # again, as after a crash in between

    def test_a_later_attempt_replaces_the_model(self, store: Store, study: StudyRecord) -> None:
        """One model per trial; its test metrics went with the old one."""
        keep(store, study.id, 3, write_model(store, study, 3, b"old"))
        store.set_test(study.id, 3, {"accuracy": 0.5})
        keep(store, study.id, 3, write_model(store, study, 3, b"newer"))

        (kept,) = store.models(study.id).values()
        assert (kept.size, kept.test) == (5, None)

    def test_no_two_attempts_share_a_file(self, store: Store, study: StudyRecord) -> None:
        """The trainer of a run that was taken over may still write its own; that of the attempt before is removed."""
        paths = [store.artifacts.model_path(study.id, 3, attempt) for attempt in range(3)]
        assert len(set(paths)) == 3
        for attempt in (0, 1):
            keep(store, study.id, 3, write_model(store, study, 3, b"x", attempt))

        assert [path.exists() for path in paths] == [False, True, False]
        assert store.artifacts.path(store.models(study.id)[3].path) == paths[1]

    def test_test_metrics_belong_to_one_model(self, store: Store, add: StudyMaker) -> None:
        """They are set once, for one trial of one study."""
        study, other = add("first"), add("second")
        for record, number in ((study, 0), (study, 1), (other, 0)):
            keep(store, record.id, number, write_model(store, record, number, b"x"))
        store.set_test(study.id, 0, {"loss": 0.25, "accuracy": 0.9375})

        assert store.models(study.id)[0].test == {"loss": 0.25, "accuracy": 0.9375}
        assert store.models(study.id)[1].test is None
        assert store.models(other.id)[0].test is None

    def test_a_refit_is_kept_as_it_was_told(self, store: Store, add: StudyMaker) -> None:
        """One per study, beside the kept models; a study without one has none."""
        study, other = add("first"), add("second")
        assert store.refit(study.id) is None
        end = refit(store, study, 4, b"weights")
        store.set_refit(study.id, end)
        kept = store.refit(study.id)

        assert kept is not None
        assert end.model is not None
        assert store.artifacts.path(kept.path) == end.model.path
        assert (kept.number, kept.epochs, kept.rows, kept.seconds) == (4, 19, 60000, 2.5)
        assert (kept.metrics, kept.test) == ({"loss": 0.25, "accuracy": 0.75}, None)
        assert (kept.sha256, kept.size) == (sha256_of(end.model.path), 7)
        assert store.refit(other.id) is None
        assert store.models(study.id) == {}

    def test_test_metrics_of_a_refit_are_its_own(self, store: Store, add: StudyMaker) -> None:
        """They say nothing of the model that was validated, nor of another study."""
        study, other = add("first"), add("second")
        for record in (study, other):
            keep(store, record.id, 4, write_model(store, record, 4, b"x"))
            store.set_refit(record.id, refit(store, record, 4, b"y"))
        store.set_refit_test(study.id, {"loss": 0.125, "accuracy": 0.875})

        found = [store.refit(record.id) for record in (study, other)]
        assert [each and each.test for each in found] == [{"loss": 0.125, "accuracy": 0.875}, None]
        assert store.models(study.id)[4].test is None

    @pytest.mark.parametrize("number", [4, 5])
    def test_a_later_refit_replaces_the_earlier(self, store: Store, study: StudyRecord, number: int) -> None:
        """With its file and its test metrics, be it of the same winner or of another."""
        first, second = refit(store, study, 4, b"old"), refit(store, study, number, b"newer")
        store.set_refit(study.id, first)
        store.set_refit_test(study.id, {"loss": 0.5, "accuracy": 0.5})
        store.set_refit(study.id, second)
        kept = store.refit(study.id)

        assert kept is not None
        assert (kept.number, kept.size, kept.test) == (number, 5, None)
        assert [end.model and end.model.path.exists() for end in (first, second)] == [False, True]

    def test_recording_a_refit_again_keeps_its_file(self, store: Store, study: StudyRecord) -> None:
        """As when the answer to the first writing was lost."""
        end = refit(store, study, 4, b"weights")
        store.set_refit(study.id, end)
        store.set_refit(study.id, end)

        assert end.model is not None
        assert end.model.path.exists()

    def test_a_refit_that_failed_is_not_recorded(self, store: Store, study: StudyRecord) -> None:
        """What is there stays."""
        store.set_refit(study.id, refit(store, study, 4, b"weights"))
        with pytest.raises(ValueError, match="asked to stop"):
            store.set_refit(study.id, RefitEnd(5, reason="asked to stop"))

        kept = store.refit(study.id)
        assert kept is not None
        assert kept.number == 4
        assert store.artifacts.path(kept.path).exists()

    def test_deleting_a_study_leaves_nothing_of_it_and_all_of_the_others(self, store: Store, add: StudyMaker) -> None:
        """Epochs, attempts, models with their files, the lease; also where some are missing."""
        study, other, empty = add("first"), add("second"), add("third")
        for record in (study, other):
            store.start_attempt(record.id, 0, "me")
            store.add_epoch(record.id, EpochEnd(0, 0, {"loss": 0.5}, 1.0))
            keep(store, record.id, 0, write_model(store, record, 0, b"x"))
            store.set_refit(record.id, refit(store, record, 0, b"x"))
            store.lease(record.id, "any").acquire()
        store.delete_study(study.id)
        store.delete_study(empty.id)

        with store.database.read() as session:
            for table in (EpochRow, AttemptRow, ModelRow, RefitRow, LeaseRow):
                assert [row.study_id for row in session.scalars(select(table))] == [other.id]  # type: ignore[attr-defined]
            assert [row.id for row in session.scalars(select(StudyRow))] == [other.id]
        assert store.find_study(study.optuna_id) is None
        assert not store.artifacts.model_path(study.id, 0).parent.exists()
        assert store.artifacts.model_path(other.id, 0).exists()

    def test_an_error_in_a_transaction_undoes_all_of_it(self, store: Store, study: StudyRecord) -> None:
        """Either everything is written or nothing."""

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
            "\t tab",
            "x" * 200,
        ],
    )
    def test_any_line_of_text_is_a_name(self, store: Store, home: Path, name: str) -> None:
        """It is stored, found and deleted as it is, and never becomes a path (fault 35)."""
        made = studies.create_or_resume(store, studies.check_name(name), small_recipe(), "0" * 64)
        model = write_model(store, made.record, 0, b"x")
        keep(store, made.record.id, 0, model)
        with store.lease(made.record.id, name):
            assert store.lease_holder(made.record.id)
        found = studies.find(store, name)

        assert found is not None
        assert (found.study.study_name, found.record) == (name, made.record)
        folder = store.artifacts.folder.name
        assert {path.name for path in home.iterdir()} - {"studies.db"} == {folder}
        assert model.path.relative_to(home).as_posix() == f"{folder}/study-{made.record.id:05d}/trial-00000.keras"

        studies.delete(found)
        assert studies.find(store, name) is None
        assert optuna.get_all_study_names(store.optuna) == []

    def test_everything_is_there_after_opening_again(self, store: Store, location: Location) -> None:
        """Another process sees what was written, while this one still has the database open."""
        made = studies.create_or_resume(store, "first", small_recipe(), "0" * 64)
        store.start_attempt(made.record.id, 0, "me")
        store.add_epoch(made.record.id, EpochEnd(0, 0, {"loss": 0.5}, 1.0))
        with studies.existing(location, "first") as again:
            assert again.record == made.record
            assert again.recipe == small_recipe()
            assert again.store.epochs(again.record.id) == {0: [{"loss": 0.5, "seconds": 1.0}]}

    def test_a_reader_is_not_in_the_way_of_a_writer(self, store: Store, location: Location) -> None:
        """Looking at a study never stops its run."""
        made = studies.create_or_resume(store, "first", small_recipe(), "0" * 64)
        with studies.existing(location, "first") as other, other.store.database.read() as session:
            assert session.scalars(select(StudyRow)).all()
            session.rollback()
            store.add_epoch(made.record.id, EpochEnd(0, 0, {}, 1.0))

        assert set(store.epochs(made.record.id)) == {0}

    def test_optuna_and_we_write_one_after_the_other(self, store: Store) -> None:
        """Both have connections of their own to the same file."""
        made = studies.create_or_resume(store, "first", small_recipe(), "0" * 64)
        for number in range(3):
            trial = made.study.ask()
            store.start_attempt(made.record.id, number, "me")
            made.study.tell(trial, 0.5)
            store.add_result(made.record.id, TrialEnd(number, Outcome.COMPLETE), 0, {})

        assert [trial.state for trial in made.study.trials] == [TrialState.COMPLETE] * 3


class TestSqliteStore(StoreContract):
    """The default database."""

    @pytest.fixture
    def location(self, home: Path) -> Location:
        return locate(home=home)


class TestPostgresStore(StoreContract):
    """A team's database."""

    @pytest.fixture
    def location(self, postgres_location: Location) -> Location:
        return postgres_location


def refit(store: Store, study: StudyRecord, number: int, content: bytes) -> RefitEnd:
    """Write a file where the trainer of a refit would, and return what it would say."""
    path = store.artifacts.refit_path(study.id, number)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    model = ModelFile(path, sha256_of(path), len(content))
    return RefitEnd(number, {"loss": 0.25, "accuracy": 0.75}, 19, 60000, model, seconds=2.5)


def write_model(store: Store, study: StudyRecord, number: int, content: bytes, attempt: int = 0) -> ModelFile:
    """Write a file where a trainer would."""
    path = store.artifacts.model_path(study.id, number, attempt)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return ModelFile(path, sha256_of(path), len(content))
