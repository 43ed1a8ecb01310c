"""Exports of tables without this package, and with another backend."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.delivery import tables
from tuner.delivery.checked_files import read_manifest
from tuner.delivery.export import ModelFacts
from tuner.delivery.fronts.cells import cells_of
from tuner.delivery.fronts.columns import raw_columns, table_of

pytestmark = pytest.mark.slow

_WITHOUT_TUNER = """
import json, sys
sys.modules["tuner"] = None
import keras, numpy as np, onnxruntime, tensorflow as tf
folder, texts, seconds = sys.argv[1], json.loads(sys.argv[2]), json.loads(sys.argv[3])
floats = lambda cells: {k: np.array(v, np.float32) if isinstance(v[0], float) else v for k, v in cells.items()}
model = keras.saving.load_model(folder + "/model.keras")
given = {k: tf.constant(v, tf.int64 if isinstance(v[0], int) else None)[:, None] for k, v in floats(seconds).items()}
outputs = [np.asarray(model(given))]
model = tf.saved_model.load(folder + "/saved_model")
served = model.signatures["serving_default"](**{k: tf.constant(v) for k, v in floats(texts).items()})
outputs.append(served["probabilities"].numpy())
session = onnxruntime.InferenceSession(folder + "/model.onnx")
columns = {k: np.array(v, object if isinstance(v[0], str) else None)[:, None] for k, v in floats(seconds).items()}
outputs.append(session.run(["probabilities"], columns)[0])
print(json.dumps([rows.tolist() for rows in outputs]))
"""

_WITH_JAX = """
import sys, pathlib
from tests.delivery.test_table_runtimes import export_with_jax
export_with_jax(pathlib.Path(sys.argv[1]))
"""


def run_python(code: str, *arguments: object, **environment: str) -> str:
    """Run a program and return what it prints."""
    settings = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), **environment}
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True, env=settings, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def plain(cells: Any) -> Any:
    """Return cells as JSON has them."""
    return {name: values if isinstance(values, list) else values.tolist() for name, values in cells.items()}


def test_the_files_predict_where_tuner_is_not_installed(exports: dict[str, Path]) -> None:
    """Keras, TensorFlow and ONNX Runtime alone give the same probabilities from raw columns."""
    schema = tables.schema()
    table = table_of(schema)
    texts, seconds = (
        json.dumps(plain(cells_of(tables.frame().to_dict(), raw_columns(table), table, iso=iso)))
        for iso in (True, False)
    )

    keras, saved_model, onnx = json.loads(run_python(_WITHOUT_TUNER, exports["classes"], texts, seconds))

    np.testing.assert_allclose(saved_model, keras, atol=1e-5)
    np.testing.assert_allclose(onnx, keras, atol=1e-5)


def export_with_jax(folder: Path) -> None:
    """Export a model for a table; called in a process with this backend."""
    schema = tables.schema()
    tables.core(schema).save(folder / "m.keras")
    facts = ModelFacts(
        task="binary", scale=1.0, class_names=schema.classes, study="s", trial=0, metric="val_loss",
        direction="minimize", value=0.1, params={}, metrics={}, test=None, best_epoch=0, parameters=1,
        data="d", fingerprint="0",
    )  # fmt: skip
    tables.write(folder / "m.keras", schema, folder / "model", facts, formats=("keras", "saved-model"))


@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="jax is not installed")
def test_jax_exports_what_it_can(tmp_path: Path) -> None:
    """A SavedModel takes raw columns. The Keras file takes encoded rows: Keras looks up texts with TensorFlow only."""
    run_python(_WITH_JAX, tmp_path, KERAS_BACKEND="jax")

    formats = read_manifest(tmp_path / "model").formats
    assert formats["keras"].path == formats["keras"].encoded == "core.keras"
    assert formats["saved-model"].max_difference <= 1e-5
    assert tables.sample_of(tables.schema()).columns.keys() == tables.ROWS.keys()
