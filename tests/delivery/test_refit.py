"""Export of a study with a refit: the refit or the validated model. Trains real models on the digits."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import update
from tuner_storage import locate
from tuner_storage.tables import RefitRow

from tuner import open_study, studies
from tuner.config.hyperparameters import Hyperparameters
from tuner.data.lookup import load_dataset
from tuner.delivery.checked_files import read_manifest
from tuner.delivery.evaluate import evaluate
from tuner.errors import UsageError
from tuner.events import RefitEnd
from tuner.jobs import RefitJob, TestJob, TrainerSetup
from tuner.study import Study
from tuner.training.trainer import Trainer

SETUP = TrainerSetup("digits", None, 0.2, 0, "val_accuracy", maximize=True, device="cpu")


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A finished study without a refit."""
    study = open_study("digits", home=tmp_path_factory.mktemp("plain") / ".tuner")
    study.run(pruner="none", trials=2, epochs=1, executor="inline", device="cpu")
    return study


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A finished study with a refit of its best trial."""
    home = tmp_path_factory.mktemp("refit") / ".tuner"
    study = open_study("digits", home=home)
    study.run(pruner="none", trials=2, epochs=2, executor="inline", device="cpu")
    best, trainer = study.best(), Trainer(SETUP, threads=1)
    with studies.existing(locate(home=home), "digits") as (store, _, record):
        path = store.artifacts.refit_path(record.id, best.number)
        job = RefitJob(
            best.number, 0, Hyperparameters.from_params(best.all_params), epochs=3, schedule_epochs=3, model_path=path
        )
        end = trainer.execute(job, lambda _: None, lambda _: None)
        assert isinstance(end, RefitEnd)
        assert end.model is not None
        store.set_refit(record.id, end)
        store.set_refit_test(record.id, trainer.test(TestJob(best.number, path, end.model.sha256)).metrics)
    return study


def test_the_refit_of_the_best_trial_is_what_is_exported(study: Study, tmp_path: Path) -> None:
    """The manifest names the refit and holds its test metrics, and the objective of the trial."""
    best, data = study.best(), load_dataset("digits")
    manifest = study.export(tmp_path / "model", formats=("keras",))
    measured = evaluate(tmp_path / "model", data.x_test, data.y_test)

    assert manifest == read_manifest(tmp_path / "model")
    assert manifest.trial == best.number
    assert manifest.refit is not None
    assert (manifest.refit.epochs, manifest.refit.rows) == (3, len(data.y_train))
    assert manifest.objective.value == best.value
    assert manifest.test is not None
    assert manifest.test["accuracy"] == pytest.approx(measured.accuracy, abs=1e-6)
    assert manifest.test["loss"] == pytest.approx(measured.loss, abs=1e-4)
    assert best.test is not None
    assert manifest.test["loss"] != best.test["loss"]


def test_the_model_that_was_validated_can_be_exported_all_the_same(study: Study, tmp_path: Path) -> None:
    """The validated model is exported if ``refit`` is false, or if a trial is named."""
    best = study.best()
    without = study.export(tmp_path / "without", formats=("keras",), refit=False)
    named = study.export(tmp_path / "named", formats=("keras",), trial=best.number)

    for manifest in (without, named):
        assert manifest.refit is None
        assert manifest.test is not None
        assert manifest.test == best.test
    again = study.export(tmp_path / "again", formats=("keras",), trial=best.number, refit=True)
    assert again.refit is not None


def test_a_refit_that_is_not_there_is_refused(study: Study, plain: Study, tmp_path: Path) -> None:
    """Nothing is written, and the message names the refit that exists; by default, the validated model is exported."""
    best = study.best().number
    with pytest.raises(UsageError, match=rf"trial {1 - best} was not trained again on all rows, trial {best} was"):
        study.export(tmp_path / "model", trial=1 - best, refit=True)
    with pytest.raises(UsageError, match="no trial of 'digits' was trained again on all rows") as caught:
        plain.export(tmp_path / "model", refit=True)
    assert caught.value.hint == "tuner study start digits --refit"
    assert not (tmp_path / "model").exists()

    assert plain.export(tmp_path / "model", formats=("keras",)).refit is None


def test_a_refit_of_another_trial_than_the_best_is_not_the_default(study: Study, tmp_path: Path) -> None:
    """If a continued search finds a better trial, the refit of the earlier one is not exported by default."""
    with studies.existing(study.location, "digits") as (store, _, record):
        before = store.refit(record.id)
        assert before is not None
        with store.database.write() as session:
            session.execute(update(RefitRow).values(trial_number=1 - before.number))
    try:
        assert study.export(tmp_path / "model", formats=("keras",)).refit is None
    finally:
        with studies.existing(study.location, "digits") as (store, _, record), store.database.write() as session:
            session.execute(update(RefitRow).values(trial_number=before.number))
