"""A program trains a table as Keras' own layers and optimizers do."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from tuner.training.runtime import prepare as prepare_keras

prepare_keras("cpu", threads=1)

import keras  # noqa: E402 - after the backend is set up
import tensorflow as tf  # noqa: E402

from tests.schemas import pixels, table, table_rows  # noqa: E402
from tuner.config.hyperparameters import Hyperparameters  # noqa: E402
from tuner.data.schema import DataSchema  # noqa: E402
from tuner.tables.features import prepare  # noqa: E402
from tuner.training import layers  # noqa: E402
from tuner.training.model import build_for  # noqa: E402
from tuner.training.rows import Rows, order_of, place  # noqa: E402

pytestmark = pytest.mark.slow

ROWS, EPOCHS = 53, 3
EVERYTHING = {"parametric_activation": True, "input_scale": True, "activation": "mish", "beta_2": 0.95}


def _rows(schema: DataSchema) -> Rows:
    if schema.table is None:
        rng = np.random.default_rng(0)
        return rng.integers(0, 256, (ROWS, *schema.shape)).astype(np.uint8), rng.integers(0, 3, ROWS)
    encoded, y = table_rows(schema, ROWS)
    return prepare(encoded, schema.table), y


def _role_factors(name: str, kernel: Any, *, ntk: bool) -> tuple[float, float]:
    """Return the factor of the rate and that of the decay, as written down in docs/search-spaces.md."""
    layer, kind = name.split("/")[-2:]
    if layer == "input_scale":
        return 6.0, 36.0
    if not ntk:
        return 1.0, 1.0
    if layer.startswith("alpha") or layer in {"combined_waves", "combined_bins", "linear", "waves"}:
        return (0.1 * 2 * math.pi if (layer, kind) == ("waves", "kernel") else 0.1), 0.01
    if kind in {"bias", "beta"}:
        return 0.1, 0.0
    return (1 / math.sqrt(kernel.shape[0]) if layer.startswith(("dense", "outputs", "logits")) else 1.0), 1.0


@pytest.mark.parametrize("embedding", ["none", "periodic", "piecewise_linear"])
@pytest.mark.parametrize("classes", [0, 3])
@pytest.mark.parametrize(
    "params",
    [
        {},
        EVERYTHING,
        {**EVERYTHING, "parametrization": "ntk", "schedule": "coslog", "learning_rate": 0.1},
        {**EVERYTHING, "parametrization": "ntk", "weight_decay": 0.05, "weight_decay_schedule": "flat_cos"},
    ],
    ids=["plain", "everything", "ntk", "ntk with decay"],
)
def test_a_table_is_trained_as_keras_trains_it(
    params: dict[str, Any], classes: int, embedding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Weights and losses are those of a loop over Keras' layers and one Keras optimizer for each variable."""
    _compare(table(classes=classes), {**params, "numeric_embedding": embedding}, monkeypatch)


@pytest.mark.parametrize("embedding", ["none", "periodic", "piecewise_linear"])
def test_layers_of_a_table_that_are_padded_are_trained_as_keras_trains_them(
    embedding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With rates that depend on the number of inputs, which does not count the padding."""
    monkeypatch.setattr("tuner.training.widths._CRITICAL", 8)
    _compare(table(), {**EVERYTHING, "parametrization": "ntk", "numeric_embedding": embedding}, monkeypatch)


def test_a_table_is_normalised_as_keras_does_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batch normalisation and weight decay go with everything else.

    Numbers are not embedded here: normalisation cancels the biases of embeddings, so only rounding decides their way.
    """
    _compare(table(), {**EVERYTHING, "batch_norm": True, "weight_decay": 0.01}, monkeypatch)


@pytest.mark.parametrize("params", [EVERYTHING, {**EVERYTHING, "parametrization": "ntk", "weight_decay": 0.02}])
def test_images_can_use_the_same_ingredients(params: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Parametric activations, learned scales and rates of their own are not only for tables."""
    _compare(pixels((3, 3), 3, 1 / 255), params, monkeypatch)


def _compare(schema: DataSchema, params: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layers, "UNSEEN_SHARE", 0.0)
    hp = Hyperparameters(**{"layers": 2, "units": 8, "batch_size": 10, "learning_rate": 0.01, **params})
    x, y = _rows(schema)
    placed = place(x, y)
    model, _ = build_for(schema, hp, placed[0], epochs=EPOCHS, seed=1)
    plain, _ = build_for(schema, hp, placed[0], epochs=EPOCHS, seed=1)
    # The share of unseen codes is part of the traced program: no other test may use this one.
    from tuner.training.program import program_of

    program_of.cache_clear()
    history = model.fit_rows(hp, placed, placed, epochs=EPOCHS, seed=4).history
    program_of.cache_clear()
    losses = _train_with_keras(plain, hp, x, y)

    np.testing.assert_allclose(history["loss"], losses, rtol=1e-3)
    for ours, theirs in zip(model.variables, plain.variables, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=2e-3 if hp.parametrization == "ntk" else 2e-4, err_msg=ours.path)


def _train_with_keras(plain: Any, hp: Hyperparameters, x: Any, y: Any) -> list[float]:
    """Train with one Adam for each variable, and return the mean loss of each epoch."""
    steps = math.ceil(ROWS / hp.batch_size) * EPOCHS
    variables = plain.trainable_variables
    optimizers = [keras.optimizers.Adam(1.0, beta_2=hp.beta_2) for _ in variables]
    for optimizer, variable in zip(optimizers, variables, strict=True):
        optimizer.build([variable])
    target = plain.parts.target.standardise(y)[:, None] if plain.parts.target else y
    step, losses = 0, []
    for epoch in range(EPOCHS):
        order, total = order_of(ROWS, 4, epoch), 0.0
        for start in range(0, ROWS, hp.batch_size):
            chosen = order[start : start + hp.batch_size]
            with tf.GradientTape() as tape:
                outputs = plain(tf.gather(x, chosen), training=True)
                loss = plain.compute_loss(y=tf.gather(target, chosen), y_pred=outputs)
            rate = float(plain.schedule(step)) if plain.schedule else hp.learning_rate
            late = max(1, 2 * step / steps) - 1
            decay = hp.weight_decay * (
                0.5 * (1 + math.cos(math.pi * late)) if "flat" in hp.weight_decay_schedule else 1
            )
            gradients = tape.gradient(loss, variables)
            for optimizer, variable, gradient in zip(optimizers, variables, gradients, strict=True):
                factor, shrink = _role_factors(variable.path, variable, ntk=hp.parametrization == "ntk")
                variable.assign(variable * (1 - rate * decay * shrink))
                optimizer.learning_rate = rate * factor
                optimizer.apply_gradients([(tf.convert_to_tensor(gradient), variable)])
            step, total = step + 1, total + float(loss) * len(chosen)
        losses.append(total / ROWS)
    return losses


def test_some_codes_count_as_unseen_in_training() -> None:
    """So the vector of unseen codes is trained although no training row has one."""
    schema = table(classes=2)
    assert schema.table is not None
    encoded, y = table_rows(schema, 2000)
    encoded[:, 3:] = np.maximum(encoded[:, 3:], 1)
    placed = place(prepare(encoded, schema.table), y)
    hp = Hyperparameters(units=4, layers=1)
    model, predictor = build_for(schema, hp, placed[0], epochs=1, seed=1)
    before = np.array(predictor.get_layer("vectors").embeddings)
    model.fit_rows(hp, placed, None, epochs=1, seed=1)
    after = np.array(predictor.get_layer("vectors").embeddings)

    assert not np.allclose(before[0], after[0])
    assert not np.allclose(before[schema.table.offsets[1]], after[schema.table.offsets[1]])
