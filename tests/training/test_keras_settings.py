"""The defaults of Keras, which a user can change for all programs, change neither trials nor models."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.schemas import pixels
from tests.training.test_trainer import job, train
from tuner.events import TestEnd
from tuner.jobs import TestJob, TrainerSetup
from tuner.training.trainer import Trainer

HOSTILE = {"floatx": "float16", "epsilon": 0.05, "image_data_format": "channels_first"}


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A data set of small images whose classes are told apart by rows and columns."""
    random = np.random.default_rng(0)
    x, y = random.integers(0, 256, (400, 4, 6, 2), np.uint8), np.arange(400) % 4
    for label in range(4):
        x[y == label, label, :, 0] //= 8
    path = tmp_path / "images.npz"
    np.savez(path, x_train=x[:300], y_train=y[:300], x_test=x[300:], y_test=y[300:])
    return path


@pytest.fixture
def hostile_settings() -> Iterator[None]:
    """Settings of Keras as in a user's ``~/.keras/keras.json``."""
    import keras

    config = keras.config
    before = config.floatx(), config.epsilon(), config.image_data_format(), config.dtype_policy()
    config.set_floatx(HOSTILE["floatx"])
    config.set_epsilon(HOSTILE["epsilon"])
    config.set_image_data_format(HOSTILE["image_data_format"])
    config.set_dtype_policy("mixed_float16")
    yield
    for change, value in zip(
        (config.set_floatx, config.set_epsilon, config.set_image_data_format, config.set_dtype_policy),
        before,
        strict=True,
    ):
        change(value)


def result_of(images: Path, folder: Path, **params: Any) -> dict[str, float]:
    """Train a trial and test its model; returns all metrics."""
    trainer = Trainer(TrainerSetup(str(images), None, 0.25, 0, "val_accuracy", maximize=True, device="cpu"), threads=1)
    params = {"batch_norm": True, "dropout": 0.1, "label_smoothing": 0.1, "schedule": "cosine", **params}
    _, end = train(trainer, job(folder, epochs=8, **params))
    assert end.model is not None, end
    test = trainer.execute(TestJob(0, end.model.path, end.model.sha256), lambda _: None, lambda _: None)
    assert isinstance(test, TestEnd)
    return {**end.metrics, **{f"test_{name}": value for name, value in test.metrics.items()}}


@pytest.fixture
def expected(images: Path, tmp_path: Path) -> dict[str, float]:
    """The metrics of the trial with the defaults of Keras."""
    (tmp_path / "expected").mkdir()
    metrics = result_of(images, tmp_path / "expected")
    assert metrics["val_accuracy"] > 0.9
    assert metrics["test_accuracy"] > 0.9
    return metrics


def test_the_settings_of_the_user_change_no_metric(
    images: Path, tmp_path: Path, expected: dict[str, float], hostile_settings: None
) -> None:
    """All metrics are equal to the last bit, and the settings are still those of the user afterwards."""
    import keras

    assert result_of(images, tmp_path) == expected
    assert keras.config.floatx() == "float16"
    assert keras.config.epsilon() == 0.05
    assert keras.config.image_data_format() == "channels_first"
    assert keras.config.dtype_policy().name == "mixed_float16"


def test_a_user_with_other_settings_gets_the_same_predictions_from_the_file(
    images: Path, tmp_path: Path, expected: dict[str, float], hostile_settings: None
) -> None:
    """The file names every setting that the model relies on. It is loaded here without any code of this package."""
    import keras

    model = keras.saving.load_model(tmp_path / "expected" / "trial-0.keras", compile=False)
    with np.load(images) as arrays:
        predicted = model.predict(arrays["x_test"], verbose=0)
        accuracy = (predicted.argmax(1) == arrays["y_test"]).mean()

    assert predicted.dtype == np.float32
    assert float(accuracy) == pytest.approx(expected["test_accuracy"], abs=1e-6)


def test_every_layer_names_the_settings_that_it_relies_on(tmp_path: Path, hostile_settings: None) -> None:
    """Also if a model is built outside the trainer, no layer takes a setting of the user."""
    from tuner.training.model import build

    hp = job(tmp_path, batch_norm=True, dropout=0.1, input_dropout=0.1).hyperparameters
    _, predictor = build(hp, pixels((4, 6, 2), classes=4), seed=0)
    configs = [layer.get_config() for layer in predictor.layers[1:]]

    assert {config["dtype"]["config"]["name"] for config in configs} == {"float32"}
    assert {config["data_format"] for config in configs if "data_format" in config} <= {"channels_last"}


SCRIPT = """
import json, sys
from pathlib import Path
from tuner.training.runtime import restrict_process
restrict_process("cpu", threads=5)
from tests.training.test_keras_settings import result_of
metrics = result_of(Path(sys.argv[1]), Path(sys.argv[2]))
names = [path.read_text().strip() for path in Path("/proc/self/task").glob("*/comm")]
print(json.dumps([metrics, sum(name.startswith("tf_XLA") for name in names)]))
"""


def run_script(images: Path, folder: Path, backend: str) -> tuple[dict[str, float], int]:
    """Train in a process whose Keras has hostile settings; returns the metrics and the number of threads of XLA."""
    folder.mkdir()
    (folder / "keras.json").write_text(json.dumps({**HOSTILE, "backend": backend}))
    env = {name: value for name, value in os.environ.items() if name not in {"KERAS_BACKEND", "NPROC"}}
    env |= {"KERAS_HOME": str(folder), "KERAS_MAX_EPOCHS": "3", "KERAS_MAX_STEPS_PER_EPOCH": "1"}
    command = [sys.executable, "-c", SCRIPT, str(images), str(folder)]
    env["PYTHONPATH"] = os.pathsep.join(sys.path)
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    metrics, threads = json.loads(done.stdout)
    return metrics, threads


@pytest.mark.slow
def test_the_settings_file_of_keras_changes_no_metric(images: Path, tmp_path: Path, expected: dict[str, float]) -> None:
    """Keras reads it when it is imported."""
    metrics, _ = run_script(images, tmp_path / "keras", "tensorflow")
    assert metrics == expected


@pytest.mark.slow
def test_jax_trains_all_epochs_with_the_threads_of_its_worker(images: Path, tmp_path: Path) -> None:
    """Variables of Keras that shorten every training have no effect. As on TensorFlow, workers share the cores."""
    pytest.importorskip("jax", reason="jax is not installed: pip install 'mlp-tuner[jax]'")
    metrics, threads = run_script(images, tmp_path / "keras", "jax")

    assert metrics["val_accuracy"] > 0.9
    assert metrics["test_accuracy"] > 0.9
    assert threads == 5
