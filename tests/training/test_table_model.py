"""Models for tables: what they compute, and that files of them need no code of ours."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuner.training.runtime import prepare as prepare_keras

prepare_keras("cpu", threads=1)

import keras  # noqa: E402 - after the backend is set up

from tests.schemas import table, table_rows  # noqa: E402
from tuner.config.hyperparameters import Hyperparameters  # noqa: E402
from tuner.data.schema import DataSchema  # noqa: E402
from tuner.errors import DataError  # noqa: E402
from tuner.tables.features import prepare  # noqa: E402
from tuner.tables.inputs import NumberInput, TableInput  # noqa: E402
from tuner.training.model import build, build_for  # noqa: E402
from tuner.training.model_file import load_model, save_model  # noqa: E402
from tuner.training.rows import place  # noqa: E402
from tuner.training.table_model import prepared  # noqa: E402

pytestmark = pytest.mark.slow

EMBEDDINGS = ("none", "periodic", "piecewise_linear")
SCHEMAS = {
    f"{name}{'' if embedded else ', one-hot'}": table(classes=classes, embedded=embedded)
    for (name, classes), embedded in itertools.product({"number": 0, "classes": 3}.items(), (True, False))
}
STRANGE = np.array(
    [
        [np.nan, np.nan, np.nan, 0, 0, 0, 0],
        [np.inf, -np.inf, 3e38, -1, 99, np.nan, 1e30],
        [-3e38, 1e-30, np.nan, 2, 12, 4, 10],
        [0.5, 2e4, 50, np.inf, -np.inf, 5, 11],
    ],
    np.float32,
)


def trained(schema: DataSchema, epochs: int = 2, **params: Any) -> tuple[Any, Any]:
    """Return a model that was trained, and its model for prediction."""
    hp = Hyperparameters.from_params({"units": 12, "layers": 2, "batch_size": 16, **params})
    encoded, y = table_rows(schema, 60)
    assert schema.table is not None
    rows = place(prepare(encoded, schema.table), y)
    model, predictor = build_for(schema, hp, rows[0], epochs=epochs, seed=3)
    model.fit_rows(hp, rows, rows, epochs=epochs, seed=3)
    return model, predictor


@settings(max_examples=30)
@given(st.lists(st.lists(st.floats(width=32), min_size=7, max_size=7), min_size=1, max_size=5), st.booleans())
def test_the_model_computes_the_features_that_were_trained(rows: list[list[float]], embedded: bool) -> None:
    """For any values, NaN and infinities included, and for codes that no vocabulary has."""
    described = table(embedded=embedded).table
    assert described is not None
    encoded = np.array(rows, np.float32)
    inputs = keras.Input((7,))
    theirs = np.asarray(keras.Model(inputs, prepared(inputs, described))(encoded))

    np.testing.assert_allclose(theirs, prepare(encoded, described), atol=2e-6)


@pytest.mark.parametrize("embedding", EMBEDDINGS)
@pytest.mark.parametrize("name", SCHEMAS)
def test_predictions_are_what_was_trained(name: str, embedding: str, tmp_path: Path) -> None:
    """Program, Keras model and a file that plain Keras loads agree on rows with missing numbers and unseen codes."""
    schema = SCHEMAS[name]
    model, predictor = trained(schema, numeric_embedding=embedding, parametric_activation=True, input_scale=True)
    rows = np.concatenate([STRANGE, table_rows(schema, 20, seed=9)[0]])
    expected = np.asarray(predictor(rows))

    assert np.isfinite(expected).all()
    np.testing.assert_allclose(model.outputs_of(rows), expected, atol=1e-5)
    file = save_model(predictor, tmp_path / "model.keras")
    np.testing.assert_array_equal(keras.saving.load_model(file.path, compile=False)(rows), expected)
    np.testing.assert_array_equal(load_model(file.path, file.sha256)(rows), expected)


@pytest.mark.parametrize("transform", ["none", "log"])
def test_no_prediction_leaves_the_range_of_the_training_rows(transform: str) -> None:
    """A number is predicted in the units of the target."""
    schema = table()
    _, predictor = build(Hyperparameters(units=8, target_transform=transform), schema, seed=1)
    for bias, limit in ((1e3, 20.0), (-1e3, 0.5)):
        predictor.get_layer("outputs").bias.assign([bias])
        assert np.asarray(predictor(STRANGE)).tolist() == [[limit]] * len(STRANGE)


def test_the_logarithm_of_a_target_that_is_not_positive_is_refused() -> None:
    """The message names the smallest target."""
    schema = table()
    assert schema.numeric is not None
    target = schema.numeric.model_copy(update={"log_mean": None, "smallest": -3.0})
    with pytest.raises(DataError, match="needs a positive target, the smallest is -3"):
        build(Hyperparameters(target_transform="log"), schema.model_copy(update={"numeric": target}), seed=1)


@pytest.mark.parametrize("transform", ["none", "log"])
def test_a_number_is_learned(transform: str) -> None:
    """Most of the variance is explained after a few epochs, with either transform."""
    model, _ = trained(table(), epochs=60, target_transform=transform, learning_rate=0.01, units=32)
    history = model.history.history
    assert set(history) == {"loss", "val_loss", "val_rmse", "val_mae", "val_r2"}
    assert history["val_r2"][-1] > 0.8


def test_the_metrics_of_a_table_are_those_of_its_task() -> None:
    """They are computed from the outputs for all validation rows."""
    schema = table(classes=2)
    model, predictor = trained(schema)
    encoded, y = table_rows(schema, 60)
    logits = np.log(np.asarray(predictor(encoded)))
    expected = schema.task.measure(y, logits, variance=1.0)

    for name, value in expected.items():
        assert model.history.history[f"val_{name}"][-1] == pytest.approx(value, abs=1e-5)


def test_initial_weights_follow_the_training_rows() -> None:
    """With the parametrization ``ntk``, each unit's pre-activation has variance 1 on the training rows."""
    schema = table()
    assert schema.table is not None
    x = prepare(table_rows(schema, 500)[0], schema.table)
    hp = Hyperparameters(layers=2, units=20, parametrization="ntk", activation="mish", numeric_embedding="periodic")
    model, _ = build_for(schema, hp, place(x, np.zeros(500))[0], epochs=1, seed=2)

    for dense, tensor in model.parts.dense:
        read = np.asarray(keras.Model(model.parts.input, tensor)(x))
        reached = read @ np.asarray(dense.kernel)
        np.testing.assert_allclose(reached.std(axis=0), 1, rtol=1e-3)
        bias = -np.asarray(dense.bias)
        assert ((bias >= reached.min(axis=0)) & (bias <= reached.max(axis=0))).all()


def test_numbers_that_go_straight_to_the_first_layer_scale_it() -> None:
    """A table of one number has nothing to embed or to scale before its first layer."""
    number = TableInput(numbers=(NumberInput(column="x", fill=0.0),), center=(0.0,), scale=(1.0,))
    schema = table().model_copy(update={"table": number, "shape": (1,)})
    x = place(np.linspace(-1, 1, 50, dtype=np.float32)[:, None], np.zeros(50))[0]
    model, _ = build_for(schema, Hyperparameters(parametrization="ntk"), x, epochs=1, seed=0)
    assert (x @ model.parts.dense[0][0].kernel).numpy().std(axis=0) == pytest.approx(1, rel=1e-3)


def test_outputs_that_are_no_numbers_give_no_metrics() -> None:
    """A trial whose weights became NaN reports NaN, so that it ends as diverged."""
    model, _ = trained(table(), epochs=3, learning_rate=1e30, optimizer="sgd")
    history = model.history.history
    assert np.isnan(history["val_loss"][-1])
    assert np.isnan(history["val_rmse"][-1])
