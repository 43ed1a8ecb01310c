"""The trainer with tables: trials, the refit, the test and checkpoints."""

from __future__ import annotations

import dataclasses
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.schemas import table, table_rows
from tests.training.test_trainer import train
from tuner.config.hyperparameters import Hyperparameters
from tuner.data.schema import DataSchema
from tuner.data.settle import unpack
from tuner.data.training_rows import TrainingRows
from tuner.events import RefitEnd, TestEnd, TrialEnd
from tuner.jobs import Instruction, RefitJob, TestJob, TrainerSetup, TrialJob
from tuner.records import Outcome
from tuner.tables.features import prepare
from tuner.training.model_file import load_model
from tuner.training.trainer import Trainer

pytestmark = pytest.mark.slow

PARAMS: dict[str, Any] = {
    "layers": 2,
    "units": 24,
    "batch_size": 32,
    "learning_rate": 0.1,
    "activation": "mish",
    "parametric_activation": True,
    "input_scale": True,
    "numeric_embedding": "periodic",
    "parametrization": "ntk",
    "schedule": "coslog",
    "dropout": 0.1,
    "dropout_schedule": "flat_cos",
    "use_ema": True,
    "ema_momentum": 0.9,
}


def _trainer(schema: DataSchema, folder: Path) -> Trainer:
    """Return a trainer for 250 rows, of which 50 are validation rows, and 60 test rows."""
    x, y = table_rows(schema, 310)
    parts = np.arange(250, dtype=np.int32)
    assert schema.table is not None
    prepared = prepare(x[:250], schema.table)
    rows = TrainingRows(x[:250], prepared, y[:250], x[250:], y[250:], parts[:200], parts[200:])
    for part in fields(rows):
        np.save(folder / f"{part.name}.npy", getattr(rows, part.name))
    setup = TrainerSetup("table", None, 0.2, 0, "val_loss", maximize=False, device="cpu", schema=schema, rows=folder)
    return Trainer(setup, threads=1)


@pytest.fixture(scope="module")
def number(tmp_path_factory: pytest.TempPathFactory) -> Trainer:
    """A trainer for a table with a numeric target."""
    return _trainer(table(), tmp_path_factory.mktemp("rows"))


@pytest.fixture(scope="module")
def classes(tmp_path_factory: pytest.TempPathFactory) -> Trainer:
    """A trainer for a table with two classes."""
    return _trainer(table(classes=2), tmp_path_factory.mktemp("rows"))


def job(folder: Path, *, epochs: int = 6, **params: Any) -> TrialJob:
    """Return a job with every ingredient of a table."""
    return TrialJob(0, 0, 3, Hyperparameters(**{**PARAMS, **params}), epochs, None, folder / "trial-0.keras")


def test_a_number_is_trained_refitted_and_tested(number: Trainer, tmp_path: Path) -> None:
    """The metrics are those of a regression, and the outputs of the sample are those of the file, in the same units."""
    epochs, end = train(number, job(tmp_path, epochs=15, target_transform="log"))
    refitted = number.execute(
        RefitJob(0, 3, Hyperparameters(**PARAMS), 5, 6, tmp_path / "refit.keras"), lambda _: None, lambda _: None
    )
    assert end.outcome is Outcome.COMPLETE
    assert end.model is not None
    tested = number.execute(TestJob(0, end.model.path, end.model.sha256), lambda _: None, lambda _: None)

    assert set(epochs[0].metrics) == {"loss", "val_loss", "val_rmse", "val_mae", "val_r2", "learning_rate"}
    assert end.metrics["val_r2"] > 0.5
    assert isinstance(refitted, RefitEnd)
    assert refitted.reason is None
    assert (refitted.rows, set(refitted.metrics)) == (250, {"loss"})
    assert isinstance(tested, TestEnd)
    assert set(tested.metrics) == {"loss", "rmse", "mae", "r2"}
    assert tested.metrics["r2"] > 0.5
    assert end.model.outputs is not None
    model = load_model(end.model.path, end.model.sha256)
    np.testing.assert_allclose(model(number._sample), unpack(end.model.outputs, "float32", (1,)), rtol=1e-5)


def test_classes_are_trained_and_tested(classes: Trainer, tmp_path: Path) -> None:
    """The metrics are those of a binary classification, and the latency is measured on an encoded row."""
    timed = dataclasses.replace(job(tmp_path, class_weight="balanced", label_smoothing=0.1), latency=True)
    epochs, end = train(classes, timed)
    assert end.model is not None
    tested = classes.execute(TestJob(0, end.model.path, end.model.sha256), lambda _: None, lambda _: None)

    names = {"loss", "accuracy", "auc", "average_precision", "f1"}
    assert set(epochs[0].metrics) == {"loss", "accuracy", "learning_rate", *(f"val_{name}" for name in names)}
    assert end.latency_ms is not None
    assert isinstance(tested, TestEnd)
    assert set(tested.metrics) == names
    assert np.isfinite(list(tested.metrics.values())).all()


def test_an_interrupted_trial_ends_as_one_that_was_not(number: Trainer, tmp_path: Path) -> None:
    """Weights, averages, slots, schedules and masks continue from the checkpoint."""
    _, whole = train(number, job(tmp_path))
    _, first = train(number, job(tmp_path), {2: Instruction.INTERRUPT})
    assert first.outcome is Outcome.INTERRUPTED
    _, rest = train(number, dataclasses.replace(job(tmp_path), checkpoint=first.checkpoint))

    assert (rest.metrics, rest.best_epoch, rest.epochs) == (whole.metrics, whole.best_epoch, whole.epochs)


def test_a_trial_that_diverges_fails(number: Trainer, tmp_path: Path) -> None:
    """It ends after the epoch in which a metric was no number."""
    params: dict[str, Any] = {
        "learning_rate": 1e30,
        "optimizer": "sgd",
        "parametrization": "standard",
        "schedule": "constant",
    }
    _, end = train(number, job(tmp_path, **params))
    assert isinstance(end, TrialEnd)
    assert (end.outcome, end.infeasible) == (Outcome.FAILED, True)
    assert end.reason is not None
    assert "in epoch 1" in end.reason
