"""The kept models of a study are measured at its end, and those that are better together are averaged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from tests.houses import houses, houses_csv
from tuner import open_study
from tuner.cli.main import main
from tuner.delivery.manifest import Manifest
from tuner.delivery.predict import predict
from tuner.errors import UsageError
from tuner.study import Study, load_study

pytestmark = pytest.mark.slow

TRIALS = 3


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A finished study of a table, whose models are too short of training to be alike."""
    folder = tmp_path_factory.mktemp("houses")
    study = open_study(houses_csv(folder), target="price", drop=["sold"], home=folder / ".tuner")
    study.run(trials=TRIALS, epochs=40, seed=1, pruner="none", timeout="none", executor="inline", device="cpu")
    return study


@pytest.fixture(scope="module")
def exported(study: Study, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Manifest]:
    """The ensemble as an export."""
    folder = tmp_path_factory.mktemp("export") / "model"
    return folder, study.export(folder, formats=("keras",))


def test_an_average_is_selected_that_is_better_on_the_validation_rows(study: Study) -> None:
    """The winner is the first candidate, and the weights sum to 1."""
    assessment = study.assessment()

    assert assessment is not None
    assert assessment.candidates[0] == study.best().number
    assert len(assessment.candidates) == TRIALS
    assert assessment.ensemble is not None
    assert sum(member.weight for member in assessment.members) == pytest.approx(1)
    assert assessment.ensemble.validation.metrics["rmse"] < assessment.single.validation.metrics["rmse"]


def test_the_winner_measures_the_same_as_in_its_trial(study: Study) -> None:
    """On validation rows and test rows."""
    assessment, best = study.assessment(), study.best()

    assert assessment is not None
    assert assessment.single.validation.metrics["rmse"] == pytest.approx(best.value, rel=1e-4)
    assert best.test is not None
    assert assessment.single.test["rmse"] == pytest.approx(best.test["rmse"], rel=1e-4)
    assert assessment.single.parameters == best.parameters


def test_the_intervals_of_the_test_metrics_are_those_of_the_bootstrap(
    study: Study, exported: tuple[Path, Manifest], tmp_path: Path
) -> None:
    """As `tuner evaluate` computes them, and the export has them."""
    assessment = study.assessment()
    assert assessment is not None
    assert assessment.ensemble is not None
    manifest = exported[1]
    assert manifest.test is not None
    assert manifest.intervals == assessment.ensemble.intervals
    assert manifest.intervals.keys() == manifest.test.keys()
    single = study.export(tmp_path / "single", formats=("keras",), ensemble=False)
    assert single.intervals == assessment.single.intervals
    for name, (low, high) in manifest.intervals.items():
        assert low < manifest.test[name] < high


def test_simple_models_are_measured_beside_them(study: Study) -> None:
    """On the same rows."""
    assessment = study.assessment()

    assert assessment is not None
    errors = {baseline.name: baseline.test["rmse"] for baseline in assessment.single.validation.baselines}
    assert errors["linear"] < errors["constant"]
    assert errors["gradient_boosting"] < errors["constant"]


def test_the_export_averages_the_members(study: Study, exported: tuple[Path, Manifest], tmp_path: Path) -> None:
    """One model, which takes raw columns."""
    folder, manifest = exported
    rows = houses(50, seed=1)
    parts = []
    for member in manifest.ensemble:
        study.export(tmp_path / str(member.number), trial=member.number, formats=("keras",))
        parts.append(member.weight * predict(tmp_path / str(member.number), rows).probabilities)

    np.testing.assert_allclose(predict(folder, rows).probabilities, sum(parts), rtol=1e-5)


def test_the_manifest_holds_the_metrics_of_the_average(study: Study, exported: tuple[Path, Manifest]) -> None:
    """And what the validation rows say of it."""
    _, manifest = exported
    assessment = study.assessment()

    assert assessment is not None
    assert assessment.ensemble is not None
    assert manifest.ensemble == assessment.members
    assert manifest.test == assessment.ensemble.test
    assert manifest.validation == assessment.ensemble.validation
    assert manifest.objective.value == assessment.ensemble.value
    assert manifest.metrics["val_rmse"] == pytest.approx(assessment.ensemble.value)


def test_a_single_model_is_exported_on_demand(study: Study, tmp_path: Path) -> None:
    """It is smaller."""
    manifest = study.export(tmp_path / "model", formats=("keras",), ensemble=False)

    assert manifest.ensemble == ()
    assert manifest.trial == study.best().number
    assert manifest.validation is not None


def test_an_ensemble_is_neither_a_trial_nor_a_refit(study: Study, tmp_path: Path) -> None:
    """Nothing is written."""
    with pytest.raises(UsageError, match="neither a trial nor a refit"):
        study.export(tmp_path / "model", trial=0, ensemble=True)

    assert not (tmp_path / "model").exists()


def test_nothing_is_measured_twice(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run with nothing to do starts no trainer."""
    monkeypatch.setattr("tuner.executors.inline.InlineExecutor.start", lambda _: pytest.fail("a trainer starts"))

    study.run(trials=TRIALS, executor="inline", device="cpu")


def test_an_archive_carries_the_ensemble(study: Study, exported: tuple[Path, Manifest], tmp_path: Path) -> None:
    """The imported study exports the same average."""
    runner = CliRunner()
    file, home = tmp_path / "houses.tuner", tmp_path / "home"
    written = ["study", "export-archive", "houses", str(file), "--home", str(study.location.file.parent)]
    assert runner.invoke(main, written).exit_code == 0
    read = runner.invoke(main, ["study", "import", str(file), "--home", str(home)])
    assert read.exit_code == 0, read.output

    again = load_study("houses", home=home)

    assert again.assessment() == study.assessment()
    assert again.export(tmp_path / "model", formats=("keras",)).ensemble == exported[1].ensemble
