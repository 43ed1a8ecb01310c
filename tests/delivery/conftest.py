"""A small model, trained once on scikit-learn's digits, and its export in all four formats."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits

from tests.delivery import tables
from tuner.data.schema import DataSchema
from tuner.delivery.checked_files import read_manifest
from tuner.delivery.export import ModelFacts, export_model
from tuner.delivery.manifest import InputSpec, Manifest
from tuner.delivery.readers import ReadOptions, read_batches
from tuner.files import sha256_of

ALL_FORMATS = ("keras", "saved-model", "onnx", "litert")
CLASSES = tuple(str(i) for i in range(10))


def load_rows(paths: Sequence[Path], spec: InputSpec, notes: list[str] | None = None, **options: Any) -> np.ndarray:
    """Return the rows of all files in one array. ``notes`` receives the lines for people."""
    note = (notes if notes is not None else []).append
    return np.concatenate([batch.rows for batch in read_batches(paths, spec, ReadOptions(**options), note)])


@pytest.fixture(scope="session")
def digits() -> tuple[np.ndarray, np.ndarray]:
    """Images (1797, 8, 8) uint8 with values 0 to 16, and labels (1797,)."""
    raw = load_digits()
    return raw.images.astype(np.uint8), raw.target.astype(np.uint8)


def build_model(activation: str = "relu") -> Any:
    """Return an untrained model with the layers of a trial's model, from raw pixels to probabilities."""
    import keras

    keras.utils.set_random_seed(0)
    layers = keras.layers
    inputs = keras.Input((8, 8), dtype="uint8", name="input")
    x = layers.Flatten()(layers.Rescaling(1 / 16)(inputs))
    x = layers.Dense(32, use_bias=False)(layers.Dropout(0.1)(x))
    x = layers.Activation(activation)(layers.BatchNormalization()(x))
    logits = layers.Dense(10)(layers.Dropout(0.2)(x))
    return keras.Model(inputs, layers.Softmax()(logits))


@pytest.fixture(scope="session")
def model_file(digits: tuple[np.ndarray, np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The trained model, compiled and saved as a trainer does it."""
    import keras

    model = build_model()
    model.compile(optimizer=keras.optimizers.Adam(0.01), loss="sparse_categorical_crossentropy")
    model.fit(*digits, epochs=4, batch_size=64, verbose=0)
    path = tmp_path_factory.mktemp("model") / "best.keras"
    model.save(path)
    return path


@pytest.fixture(scope="session")
def facts() -> ModelFacts:
    return ModelFacts(
        task="classification",
        scale=1 / 16,
        class_names=CLASSES,
        study="digits",
        trial=7,
        metric="val_accuracy",
        direction="maximize",
        value=0.97,
        params={"layers": 1, "units_0": 32, "activation": "relu", "batch_norm": True, "learning_rate": 1e-3},
        metrics={"val_accuracy": 0.97, "val_loss": 0.1},
        test={"loss": 0.11, "accuracy": 0.96},
        best_epoch=2,
        parameters=2506,
        data="digits",
        fingerprint="0" * 64,
    )


Exporter = Callable[..., Manifest]


@pytest.fixture(scope="session")
def export(model_file: Path, digits: tuple[np.ndarray, np.ndarray], facts: ModelFacts) -> Exporter:
    """A function that exports the model to a folder; keywords replace the arguments of export_model."""

    def run(folder: Path, **changes: Any) -> Manifest:
        settings = {"formats": ("keras",), "sample": digits[0][:200], "facts": facts, **changes}
        model = settings.pop("model", model_file)
        return export_model(model, settings.pop("sha256", sha256_of(model_file)), folder, **settings)

    return run


@pytest.fixture(scope="session")
def shared_export(export: Exporter, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export with every format, for tests that do not change it."""
    folder = tmp_path_factory.mktemp("export") / "model"
    export(folder, formats=ALL_FORMATS)
    return folder


@pytest.fixture
def exported(shared_export: Path, tmp_path: Path) -> Path:
    """A copy of the export with every format, for tests that change it."""
    return Path(shutil.copytree(shared_export, tmp_path / "model"))


@pytest.fixture
def edit_manifest(exported: Path) -> Callable[[Callable[[dict[str, Any]], object]], None]:
    """A function that applies a change to the manifest of the copy."""

    def edit(change: Callable[[dict[str, Any]], object]) -> None:
        path = exported / "manifest.json"
        raw = json.loads(path.read_text(encoding="utf-8"))
        change(raw)
        path.write_text(json.dumps(raw), encoding="utf-8")

    return edit


@pytest.fixture
def manifest(shared_export: Path) -> Manifest:
    return read_manifest(shared_export)


@pytest.fixture
def rows(digits: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Twenty images."""
    return digits[0][:20]


@pytest.fixture(scope="session")
def schemas() -> dict[str, DataSchema]:
    """The schemas of both kinds of targets."""
    return {"classes": tables.schema(), "number": tables.schema(regression=True)}


@pytest.fixture(scope="session")
def models(schemas: dict[str, DataSchema], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A model for each schema, as a trainer saves it."""
    folder = tmp_path_factory.mktemp("models")
    paths = {name: folder / f"{name}.keras" for name in schemas}
    for name, schema in schemas.items():
        tables.core(schema).save(paths[name])
    return paths


@pytest.fixture(scope="session")
def exports(
    models: dict[str, Path], schemas: dict[str, DataSchema], facts: ModelFacts, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """An export of each model in all formats."""
    folder = tmp_path_factory.mktemp("exports")
    for name, schema in schemas.items():
        tables.write(models[name], schema, folder / name, facts)
    return {name: folder / name for name in schemas}
