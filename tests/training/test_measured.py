"""What a run stores of the test rows agrees with `tuner evaluate`, for each task."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.houses import houses, houses_csv
from tuner import open_study
from tuner.data.lookup import load_dataset
from tuner.delivery.evaluate import evaluate
from tuner.evaluation.evaluation import Evaluation
from tuner.study import Study

pytestmark = pytest.mark.slow

QUICK = {"pruner": "none", "trials": 1, "epochs": 3, "executor": "inline", "device": "cpu", "timeout": "none"}


def evaluation_of(study: Study) -> Evaluation:
    """Run a study and return its evaluation."""
    study.run(**QUICK)  # type: ignore[arg-type]
    evaluation = study.evaluation()
    assert evaluation is not None
    return evaluation


def test_several_classes_have_a_confusion_matrix(tmp_path: Path) -> None:
    """Its counts and the intervals are those that `tuner evaluate` prints; the model card has the intervals."""
    study, data = open_study("digits", home=tmp_path / ".tuner"), load_dataset("digits")
    evaluation = evaluation_of(study)
    manifest = study.export(tmp_path / "model", formats=("keras",))
    measured = evaluate(tmp_path / "model", data.x_test, data.y_test).measured

    assert evaluation.confusion is not None
    assert evaluation.confusion.counts == measured.confusion
    assert evaluation.metrics.keys() == measured.metrics.keys()
    for name, estimate in evaluation.metrics.items():
        assert estimate.interval == pytest.approx(measured.metrics[name].interval, rel=1e-4)
    assert manifest.intervals == {"accuracy": evaluation.metrics["accuracy"].interval}
    low, high = manifest.intervals["accuracy"]
    assert f"{low:.6g} to {high:.6g}" in (tmp_path / "model" / "MODEL_CARD.md").read_text(encoding="utf-8")


def test_two_classes_have_curves(tmp_path: Path) -> None:
    """And the metrics are those of the trial on the test rows."""
    study = open_study(houses_csv(tmp_path), target="sold", drop=["price"], home=tmp_path / ".tuner")
    evaluation, best = evaluation_of(study), study.best()

    assert evaluation.roc is not None
    assert evaluation.precision_recall is not None
    assert evaluation.confusion is not None
    assert sum(evaluation.confusion.rows) == evaluation.rows
    assert best.test is not None
    assert evaluation.metrics["auc"].value == pytest.approx(best.test["auc"], abs=1e-6)


def test_numbers_have_points(tmp_path: Path) -> None:
    """In units of the target."""
    study = open_study(houses_csv(tmp_path), target="price", drop=["sold"], home=tmp_path / ".tuner")
    evaluation, best = evaluation_of(study), study.best()

    assert evaluation.points is not None
    prices = houses()["price"].to_numpy()
    assert all(np.abs(prices - true).min() < 0.01 for true in evaluation.points.true)
    errors = np.subtract(evaluation.points.predicted, evaluation.points.true)
    assert best.test is not None
    assert np.sqrt(np.mean(errors**2)) == pytest.approx(best.test["rmse"], rel=1e-3)


def test_an_average_of_models_has_an_evaluation_of_its_own(tmp_path: Path) -> None:
    """It is that of the model that is exported."""
    study = open_study(houses_csv(tmp_path), target="price", drop=["sold"], home=tmp_path / ".tuner")
    study.run(**{**QUICK, "trials": 3, "epochs": 40, "seed": 1})  # type: ignore[arg-type]
    assessment = study.assessment()

    assert assessment is not None
    assert assessment.ensemble is not None
    assert study.evaluation() == assessment.ensemble.evaluation
    assert study.evaluation().intervals == assessment.ensemble.intervals  # type: ignore[union-attr]
