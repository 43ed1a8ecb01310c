"""Models, refits and their files: the same promises on every database."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from sqlalchemy import select
from tuner_storage import Store
from tuner_storage.copies import StudyRecord
from tuner_storage.tables import AttemptRow, EpochRow, LeaseRow, ModelRow, RefitRow, StudyRow

from tests.storage.contract import OnPostgres, OnSqlite, StoreFixtures, StudyMaker, keep, refit, write_model
from tuner.events import EpochEnd, RefitEnd
from tuner.files import sha256_of


class KeptFilesContract(StoreFixtures):
    """Subclassed once per database."""

    def test_a_model_is_kept_and_dropped_with_its_file(self, store: Store, study: StudyRecord) -> None:
        """Its row holds the path, the checksum and the size of the file."""
        file = write_model(store, study, 3, b"weights")
        keep(store, study.id, 3, file)
        kept = store.models(study.id)[3]

        assert store.artifacts.path(kept) == file.path
        assert (kept.number, kept.sha256, kept.size, kept.test) == (3, sha256_of(file.path), 7, None)
        assert not Path(kept.path).is_absolute()

        store.drop_model(study.id, kept)
        assert store.models(study.id) == {}
        assert not file.path.exists()
        store.drop_model(study.id, kept)  # again, as after a crash in between

    def test_a_later_attempt_replaces_the_model(self, store: Store, study: StudyRecord) -> None:
        """A trial has one model, and the test metrics of the earlier one are removed with it."""
        keep(store, study.id, 3, write_model(store, study, 3, b"old"))
        store.set_test(study.id, 3, {"accuracy": 0.5})
        keep(store, study.id, 3, write_model(store, study, 3, b"newer"))

        (kept,) = store.models(study.id).values()
        assert (kept.size, kept.test) == (5, None)

    def test_no_two_attempts_share_a_file(self, store: Store, study: StudyRecord) -> None:
        """A trainer of a run that was taken over may still write. The file of the earlier attempt is removed."""
        paths = [store.artifacts.model_path(study.id, 3, attempt) for attempt in range(3)]
        assert len(set(paths)) == 3
        for attempt in (0, 1):
            keep(store, study.id, 3, write_model(store, study, 3, b"x", attempt))

        assert [path.exists() for path in paths] == [False, True, False]
        assert store.artifacts.path(store.models(study.id)[3]) == paths[1]

    def test_test_metrics_belong_to_one_model(self, store: Store, add: StudyMaker) -> None:
        """They are recorded for one trial of one study only."""
        study, other = add("first"), add("second")
        for record, number in ((study, 0), (study, 1), (other, 0)):
            keep(store, record.id, number, write_model(store, record, number, b"x"))
        store.set_test(study.id, 0, {"loss": 0.25, "accuracy": 0.9375})

        assert store.models(study.id)[0].test == {"loss": 0.25, "accuracy": 0.9375}
        assert store.models(study.id)[1].test is None
        assert store.models(other.id)[0].test is None

    def test_an_evaluation_belongs_to_one_model_or_to_the_refit(self, store: Store, study: StudyRecord) -> None:
        """It goes with the test metrics: to a model that was trained again, but not to that of another attempt."""
        for number in (0, 1):
            keep(store, study.id, number, write_model(store, study, number, b"x"))
        store.set_refit(study.id, refit(store, study, 0, b"y"))
        store.set_test(study.id, 0, {"accuracy": 0.5}, {"rows": 7})
        store.set_refit_test(study.id, {"accuracy": 0.6}, {"rows": 8})
        store.restore_model(study.id, 0, write_model(store, study, 0, b"again"))

        assert [store.evaluation(study.id, number) for number in (0, 1, 2)] == [{"rows": 7}, None, None]
        assert store.refit_evaluation(study.id) == {"rows": 8}
        keep(store, study.id, 0, write_model(store, study, 0, b"newer"))
        assert store.evaluation(study.id, 0) is None

    def test_a_refit_is_kept_as_it_was_recorded(self, store: Store, add: StudyMaker) -> None:
        """A study has at most one refit, which is not one of its kept models."""
        study, other = add("first"), add("second")
        assert store.refit(study.id) is None
        end = refit(store, study, 4, b"weights")
        store.set_refit(study.id, end)
        kept = store.refit(study.id)

        assert kept is not None
        assert end.model is not None
        assert store.artifacts.path(kept) == end.model.path
        assert (kept.number, kept.epochs, kept.rows, kept.seconds) == (4, 19, 60000, 2.5)
        assert (kept.metrics, kept.test) == ({"loss": 0.25, "accuracy": 0.75}, None)
        assert (kept.sha256, kept.size) == (sha256_of(end.model.path), 7)
        assert store.refit(other.id) is None
        assert store.models(study.id) == {}

    def test_test_metrics_of_a_refit_are_its_own(self, store: Store, add: StudyMaker) -> None:
        """They belong neither to the kept model of the same trial nor to another study."""
        study, other = add("first"), add("second")
        for record in (study, other):
            keep(store, record.id, 4, write_model(store, record, 4, b"x"))
            store.set_refit(record.id, refit(store, record, 4, b"y"))
        store.set_refit_test(study.id, {"loss": 0.125, "accuracy": 0.875})

        refits = [store.refit(record.id) for record in (study, other)]
        assert [kept and kept.test for kept in refits] == [{"loss": 0.125, "accuracy": 0.875}, None]
        assert store.models(study.id)[4].test is None

    @pytest.mark.parametrize("number", [4, 5])
    def test_a_later_refit_replaces_the_earlier(self, store: Store, study: StudyRecord, number: int) -> None:
        """Its file and its test metrics go too, for the same winner and for another one."""
        first, second = refit(store, study, 4, b"old"), refit(store, study, number, b"newer")
        store.set_refit(study.id, first)
        store.set_refit_test(study.id, {"loss": 0.5, "accuracy": 0.5})
        store.set_refit(study.id, second)
        kept = store.refit(study.id)

        assert kept is not None
        assert (kept.number, kept.size, kept.test) == (number, 5, None)
        assert [end.model and end.model.path.exists() for end in (first, second)] == [False, True]

    def test_recording_a_refit_again_keeps_its_file(self, store: Store, study: StudyRecord) -> None:
        """This happens if the answer to the first commit was lost."""
        end = refit(store, study, 4, b"weights")
        store.set_refit(study.id, end)
        store.set_refit(study.id, end)

        assert end.model is not None
        assert end.model.path.exists()

    def test_a_refit_that_failed_is_not_recorded(self, store: Store, study: StudyRecord) -> None:
        """The earlier refit stays."""
        store.set_refit(study.id, refit(store, study, 4, b"weights"))
        with pytest.raises(ValueError, match="asked to stop"):
            store.set_refit(study.id, RefitEnd(5, reason="asked to stop"))

        kept = store.refit(study.id)
        assert kept is not None
        assert kept.number == 4
        assert store.artifacts.path(kept).exists()

    def test_deleting_a_study_removes_all_of_it_and_nothing_of_others(self, store: Store, add: StudyMaker) -> None:
        """Epochs, attempts, models with their files, and the lease are removed. A study may lack some of them."""
        study, other, empty = add("first"), add("second"), add("third")
        for record in (study, other):
            store.start_attempt(record.id, 0, "me")
            store.add_epochs(record.id, [EpochEnd(0, 0, {"loss": 0.5}, 1.0)])
            keep(store, record.id, 0, write_model(store, record, 0, b"x"))
            store.set_refit(record.id, refit(store, record, 0, b"x"))
            lease = store.lease(record.id, "any")
            lease.owner = f"{socket.gethostname()}:1:never"  # a run that was killed
            lease.acquire()
        for record in (study, empty):
            store.optuna.delete_study(record.optuna_id)
        store.remove_deleted()

        with store.database.read() as session:
            for table in (EpochRow, AttemptRow, ModelRow, RefitRow, LeaseRow):
                assert [row.study_id for row in session.scalars(select(table))] == [other.id]  # type: ignore[attr-defined]
            assert [row.id for row in session.scalars(select(StudyRow))] == [other.id]
        assert store.find_study(study.optuna_id) is None
        assert not store.artifacts.model_path(study.id, 0).parent.exists()
        assert store.artifacts.model_path(other.id, 0).exists()


class TestSqlite(KeptFilesContract, OnSqlite):
    """The default database."""


class TestPostgres(KeptFilesContract, OnPostgres):
    """A team's database."""
