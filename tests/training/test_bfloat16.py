"""Training in bfloat16: the products of large layers are rounded, and nothing else changes."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from tuner.training.runtime import prepare

prepare("cpu", threads=1)

import tensorflow as tf  # noqa: E402

from tests.schemas import pixels, table  # noqa: E402
from tuner.config.hyperparameters import Hyperparameters  # noqa: E402
from tuner.config.tables import Precision  # noqa: E402
from tuner.training import precision as measurement  # noqa: E402
from tuner.training.checkpoint import State  # noqa: E402
from tuner.training.model import build, compile_model  # noqa: E402
from tuner.training.products import rounded_product, scaled_product  # noqa: E402
from tuner.training.rows import Rows, order_of, place  # noqa: E402
from tuner.training.structure import Structure  # noqa: E402

CLASSES = 3
PIXELS = pixels((16, 16), CLASSES, 1 / 255)
BATCH, EPOCHS = 64, 2
SETTINGS: dict[str, Any] = {
    "units": 256, "layers": 2, "batch_size": BATCH, "optimizer": "sgd", "schedule": "constant", "learning_rate": 0.1,
}  # fmt: skip


@pytest.fixture(scope="module")
def rows() -> Rows:
    """200 rows, so that the last batch is smaller, in three classes that a model can separate."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, CLASSES, 200).astype(np.int32)
    x = (rng.integers(0, 60, (200, 16, 16)) + 60 * y[:, None, None]).astype(np.uint8)
    return x, y


def made(**settings: Any) -> tuple[Any, Any, Hyperparameters]:
    """Return a model for training, its model for prediction, and their configuration."""
    hp = Hyperparameters.from_params({**SETTINGS, **settings})
    model, kept = build(hp, PIXELS, seed=1)
    compile_model(model, hp, steps=8)
    return model, kept, hp


def trained(
    rows: Rows, precision: Precision, *, epochs: int = EPOCHS, state: State | None = None, **settings: Any
) -> Any:
    """Return a model after some epochs."""
    model, _, hp = made(**settings)
    placed = place(*rows)
    model.fit_rows(hp, placed, placed, epochs=epochs, seed=4, state=state, precision=precision)
    return model


def rounded(values: Any) -> Any:
    """Return the nearest numbers that bfloat16 has, as float32."""
    return tf.cast(tf.cast(values, tf.bfloat16), tf.float32)


def short_product(x: Any, kernel: Any) -> Any:
    """Return the product as this processor computes it in bfloat16: some add up in float32, others round between."""
    return tf.cast(tf.cast(x, tf.bfloat16) @ tf.cast(kernel, tf.bfloat16), tf.float32)


@tf.custom_gradient  # type: ignore[untyped-decorator]
def reference_product(x: Any, kernel: Any) -> tuple[Any, Any]:
    """Return the product of rounded factors, with the gradients written out."""

    def backward(upstream: Any) -> tuple[Any, Any]:
        return short_product(upstream, tf.transpose(kernel)), short_product(tf.transpose(x), upstream)

    return short_product(x, kernel), backward


def reference(rows: Rows) -> list[npt.NDArray[np.float32]]:
    """Return the weights after a training that is written out, with nothing but the products in bfloat16."""
    weights = [tf.Variable(value) for value in made()[0].get_weights()]
    for epoch in range(EPOCHS):
        order = order_of(len(rows[0]), 4, epoch)
        for start in range(0, len(order), BATCH):
            batch = order[start : start + BATCH]
            x, y = rows[0][batch].reshape(len(batch), -1).astype(np.float32), rows[1][batch]
            with tf.GradientTape() as tape:
                first = reference_product(x, weights[0]) / 255 + weights[1]
                second = reference_product(tf.nn.relu(first), weights[2]) + weights[3]
                logits = tf.nn.relu(second) @ weights[4] + weights[5]
                loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits))
            for weight, gradient in zip(weights, tape.gradient(loss, weights), strict=True):
                weight.assign_sub(0.1 * gradient)
    return [weight.numpy() for weight in weights]


def distance(one: Any, other: Any) -> float:
    """Return how far two lists of weights are apart."""
    return float(np.sqrt(sum(np.square(a - b).sum() for a, b in zip(one, other, strict=True))))


def test_products_and_their_gradients_are_those_of_rounded_factors() -> None:
    """Each is computed from factors that were rounded once."""
    rng = np.random.default_rng(0)
    x, kernel, upstream = (tf.constant(rng.standard_normal(s), tf.float32) for s in ((70, 90), (90, 80), (70, 80)))
    results = []
    for product in (rounded_product, reference_product):
        with tf.GradientTape() as tape:
            tape.watch([x, kernel])
            y = product(x, kernel)
        results.append([y, *tape.gradient(y, [x, kernel], output_gradients=upstream)])

    for ours, expected in zip(*results, strict=True):
        assert ours.dtype == tf.float32
        np.testing.assert_allclose(ours, expected, rtol=2**-7, atol=2**-7)


def test_raw_pixels_are_multiplied_exactly_and_scaled_afterwards() -> None:
    """The product with the scale is that of scaled pixels, also in its gradient."""
    rng = np.random.default_rng(0)
    raw = tf.constant(rng.integers(0, 256, (70, 90)), tf.float32)
    kernel, factor = tf.constant(rng.standard_normal((90, 80)), tf.float32), tf.constant([1 / 255])
    gradients, products = [], []
    for short in (True, False):
        with tf.GradientTape() as tape:
            tape.watch(kernel)
            y = scaled_product(tf.cast(raw, tf.bfloat16), kernel, factor) if short else (raw / 255) @ rounded(kernel)
        products.append(y)
        gradients.append(tape.gradient(y, kernel))

    np.testing.assert_allclose(products[0], products[1], rtol=2**-7, atol=2**-7)
    np.testing.assert_allclose(gradients[0], gradients[1], rtol=2**-6, atol=2**-6)


def test_a_program_trains_what_the_reference_trains(rows: Rows) -> None:
    """With the same batches, the weights are those of arithmetic with rounded factors, not those of float32."""
    expected, begin = reference(rows), made()[0].get_weights()
    ours, exact = (trained(rows, precision).get_weights() for precision in ("bfloat16", "float32"))

    way = distance(begin, exact)
    assert 0 < distance(ours, exact) < 0.1 * way
    assert distance(ours, expected) < 0.3 * distance(exact, expected)


@pytest.mark.slow
def test_a_resumed_trial_equals_one_that_ran_through(rows: Rows) -> None:
    """In bfloat16 as in float32: weights and optimizer are float32, so a checkpoint holds all of them."""
    settings: dict[str, Any] = {"optimizer": "adam", "learning_rate": 0.001, "dropout": 0.2, "batch_norm": True}
    whole = trained(rows, "bfloat16", epochs=4, **settings)
    first = trained(rows, "bfloat16", **settings)
    weights, optimizer = first.state()
    state = State(weights, optimizer, weights, 0, 0.0, 0, history=[{}] * EPOCHS)
    rest = trained(rows, "bfloat16", epochs=4, state=state, **settings)

    for one, other in zip(whole.get_weights(), rest.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.slow
def test_a_trial_does_not_depend_on_those_before_it(rows: Rows) -> None:
    """A program that trained another width trains as a new one does."""
    first = trained(rows, "bfloat16", dropout=0.3).get_weights()
    trained(rows, "bfloat16", dropout=0.5, units=300)

    for one, other in zip(trained(rows, "bfloat16", dropout=0.3).get_weights(), first, strict=True):
        np.testing.assert_array_equal(one, other)


def test_validation_and_the_kept_model_are_float32(rows: Rows) -> None:
    """The metrics of an epoch are those of the model that is exported."""
    model, kept, hp = made()
    placed = place(*rows)
    history = model.fit_rows(hp, placed, placed, epochs=1, seed=4, precision="bfloat16").history
    probabilities = kept.predict(rows[0], verbose=0)
    chosen = probabilities[np.arange(len(rows[1])), rows[1]]

    assert {weight.dtype for weight in model.get_weights()} == {np.dtype(np.float32)}
    assert history["val_loss"][-1] == pytest.approx(float(-np.log(chosen).mean()), abs=1e-5)
    np.testing.assert_allclose(model.outputs_of(rows[0]), probabilities, atol=1e-5)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"units": 256, "batch_size": 256}, (True, True)),
        ({"units": 64, "batch_size": 256}, (True, False)),
        ({"units": 32, "batch_size": 256}, (False, False)),
        ({"units": 512, "batch_size": 32}, (False, False)),
    ],
)
def test_only_layers_that_gain_are_trained_in_bfloat16(settings: dict[str, Any], expected: tuple[bool, ...]) -> None:
    """Small products and small batches stay in float32, since the conversions would take longer than they save."""
    hp = Hyperparameters.from_params({**SETTINGS, **settings})
    assert Structure.of(hp, PIXELS, "bfloat16").bfloat16 == expected
    assert Structure.of(hp, PIXELS, "float32").bfloat16 == (False, False)


def test_inputs_that_are_changed_before_the_first_layer_are_not_read_raw() -> None:
    """Dropout of the inputs comes after their scale. The rows of a table are not whole numbers."""
    hp = Hyperparameters.from_params({**SETTINGS, "batch_size": 256})
    assert Structure.of(hp, PIXELS, "bfloat16").reads_raw
    assert not Structure.of(hp.model_copy(update={"input_dropout": 0.1}), PIXELS, "bfloat16").reads_raw
    assert not Structure.of(hp, PIXELS, "float32").reads_raw
    assert Structure.of(hp, table(), "bfloat16").dtype == "float32"


def test_a_cpu_without_the_instructions_trains_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is measured there."""
    monkeypatch.setattr(measurement, "has_bfloat16", lambda: False)
    monkeypatch.setattr(measurement, "_step_of_tensorflow", lambda: pytest.fail("it was measured"))
    assert not measurement.bfloat16_is_faster("cpu")


@pytest.mark.parametrize(("seconds", "faster"), [((3.0, 1.0), True), ((1.0, 0.95), False), ((1.0, 3.0), False)])
def test_bfloat16_is_chosen_only_if_it_is_clearly_faster(
    monkeypatch: pytest.MonkeyPatch, seconds: tuple[float, float], faster: bool
) -> None:
    """It must take less than nine tenths of the time."""
    monkeypatch.setattr(measurement, "has_bfloat16", lambda: True)
    monkeypatch.setattr(measurement, "_step_of_tensorflow", lambda: lambda _: None)
    monkeypatch.setattr(measurement, "_seconds", lambda _, precision, __: seconds[precision == "bfloat16"])
    assert measurement.bfloat16_is_faster("cpu") is faster


@pytest.mark.slow
def test_oneDNN_without_bfloat16_is_measured_as_not_faster() -> None:  # noqa: N802 - its name
    """With its instruction set limited, the same processor trains in float32."""
    code = """
from tuner.training.runtime import prepare
device = prepare("cpu", 1)
from tuner.training.precision import bfloat16_is_faster
print(bfloat16_is_faster(device))"""
    limited = {**os.environ, "ONEDNN_MAX_CPU_ISA": "AVX512_CORE"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=limited, check=True)
    assert done.stdout.strip() == "False"
