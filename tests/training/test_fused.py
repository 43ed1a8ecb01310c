"""A whole epoch in one program trains what an ordinary ``fit`` trains."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner.training.runtime import prepare

prepare("cpu", threads=1)

import keras  # noqa: E402 - after the backend is set up

from tuner.hyperparameters import Hyperparameters  # noqa: E402
from tuner.training.fused import Rows, orders  # noqa: E402
from tuner.training.model import build, compile_model  # noqa: E402

CLASSES = 3


@pytest.fixture(scope="module")
def rows() -> Rows:
    """107 rows, so that the last batch is smaller, in three classes that can be told apart."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, CLASSES, 107).astype(np.int32)
    x = (rng.integers(0, 60, (107, 4, 4)) + 60 * y[:, None, None]).astype(np.uint8)
    return x, y


def make(**settings: Any) -> tuple[Any, Any]:
    """Build and compile one model, the same weights each time."""
    keras.utils.set_random_seed(1)
    hp = Hyperparameters.from_params({"units": 16, "layers": 1, "batch_size": 10, **settings})
    model, predictor = build(hp, input_shape=(4, 4), dtype="uint8", scale=1 / 255, classes=CLASSES)
    compile_model(model, hp, classes=CLASSES, steps=33)
    return model, predictor


@given(rows=st.integers(1, 300), seed=st.integers(0, 2**31))
def test_every_row_is_trained_once_per_epoch(rows: int, seed: int) -> None:
    """No row is lost, whatever the batch size."""
    source = orders(rows, seed)
    for _ in range(2):
        assert sorted(next(source)) == list(range(rows))


def test_epochs_differ_in_their_order_and_repeat_with_the_seed() -> None:
    """Each epoch is shuffled anew, the same way each time."""
    first, second = orders(100, 7), orders(100, 7)
    one, two = next(first), next(first)
    assert one.tolist() != two.tolist()
    assert (next(second).tolist(), next(second).tolist()) == (one.tolist(), two.tolist())


def test_without_a_seed_the_rows_stay_in_order() -> None:
    """Validation needs no shuffle."""
    assert next(orders(5, None)).tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "rmsprop", "sgd"])
def test_fused_epochs_train_what_single_steps_train(rows: Rows, optimizer: str) -> None:
    """Fed the same batches in the same order, an ordinary Keras model ends with the same weights."""
    x, y = rows
    settings: dict[str, Any] = {"weight_decay": 0.01, **({"momentum": 0.5} if optimizer == "sgd" else {})}
    fused, _ = make(optimizer=optimizer, schedule="cosine", learning_rate=0.01, **settings)
    fused.fit_rows(rows, rows, batch_size=10, epochs=3, seed=4)

    model, _ = make()
    plain = keras.Model(model.inputs, model.outputs)
    rate = keras.optimizers.schedules.CosineDecay(0.01, decay_steps=33)
    kinds = {"adam": "Adam", "adamw": "AdamW", "rmsprop": "RMSprop", "sgd": "SGD"}
    plain.compile(
        getattr(keras.optimizers, kinds[optimizer])(rate, **settings),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    source = orders(len(x), 4)
    for _ in range(3):
        order = next(source)
        for start in range(0, len(x), 10):
            batch = order[start : start + 10]
            plain.train_on_batch(x[batch], y[batch])

    for ours, theirs in zip(fused.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=2e-5)


def test_metrics_of_an_epoch_are_those_of_keras(rows: Rows) -> None:
    """Validation loss and accuracy are the means over all rows, the last batch included."""
    model, predictor = make(dropout=0.5)
    history = model.fit_rows(rows, rows, batch_size=10, epochs=2, seed=0).history
    probabilities: npt.NDArray[np.float32] = predictor.predict(rows[0], verbose=0)
    chosen = probabilities[np.arange(len(rows[1])), rows[1]]

    assert history["val_loss"][-1] == pytest.approx(float(-np.log(chosen).mean()), abs=1e-4)
    assert history["val_accuracy"][-1] == pytest.approx(float((probabilities.argmax(1) == rows[1]).mean()), abs=1e-6)


def test_the_validation_loss_knows_no_label_smoothing(rows: Rows) -> None:
    """Trials with different smoothing stay comparable; the training loss is smoothed."""
    model, predictor = make(label_smoothing=0.3)
    history = model.fit_rows(rows, rows, batch_size=107, epochs=1, seed=0).history
    probabilities = predictor.predict(rows[0], verbose=0)
    chosen = probabilities[np.arange(len(rows[1])), rows[1]]

    assert history["val_loss"][-1] == pytest.approx(float(-np.log(chosen).mean()), abs=1e-4)
    assert history["loss"][-1] != pytest.approx(history["val_loss"][-1], abs=1e-3)


def test_standard_callbacks_follow_a_fused_fit(rows: Rows) -> None:
    """`History`, `EarlyStopping`, `ReduceLROnPlateau` and a user's own see ordinary epochs."""
    seen: list[int] = []
    model, _ = make(optimizer="sgd", learning_rate=0.5)
    history = model.fit_rows(
        rows,
        rows,
        batch_size=10,
        epochs=30,
        seed=0,
        callbacks=[
            keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(epoch)),
            keras.callbacks.ReduceLROnPlateau(monitor="val_loss", patience=1, factor=0.1, min_delta=10),
            keras.callbacks.EarlyStopping(monitor="val_loss", patience=3, min_delta=10),
        ],
    )

    assert seen == history.epoch == list(range(4))
    assert history.history["learning_rate"][-1] < history.history["learning_rate"][0]


def test_zero_hidden_layers_is_softmax_regression() -> None:
    """One weight per pixel and class, one bias per class."""
    model, _ = make(layers=0)
    assert model.count_params() == 16 * CLASSES + CLASSES


def test_the_predictor_is_an_ordinary_keras_model_with_the_same_weights(rows: Rows) -> None:
    """It takes raw values, gives probabilities, and follows the training."""
    model, predictor = make(batch_norm=True, dropout=0.2, input_dropout=0.1)
    model.fit_rows(rows, rows, batch_size=10, epochs=1, seed=0)
    probabilities = predictor.predict(rows[0], verbose=0)

    assert type(predictor).__module__.startswith("keras.")
    np.testing.assert_allclose(probabilities.sum(1), 1, atol=1e-5)
    logits = np.asarray(model(rows[0], training=False))
    assert (logits.argmax(1) == probabilities.argmax(1)).all()


def test_a_batch_larger_than_the_data_is_all_of_it(rows: Rows) -> None:
    """A batch size that the sampler drew never makes an epoch without steps."""
    model, _ = make(batch_size=512)
    history = model.fit_rows(rows, rows, batch_size=512, epochs=2, seed=0).history
    assert history["loss"][1] < history["loss"][0]


@pytest.mark.parametrize("shape", [(7, 3), (64, 65)])
def test_dropout_keeps_the_mean_and_drops_its_share(shape: tuple[int, int]) -> None:
    """Values are either 0 or scaled by 1 / (1 - rate); each call draws a new mask; prediction drops nothing."""
    from tuner.training.dropout import TrainingDropout

    layer = TrainingDropout(0.3, seed=1)
    ones = np.ones(shape, np.float32)
    masks = np.stack([np.asarray(layer(ones, training=True)) for _ in range(200)])

    np.testing.assert_allclose(np.unique(masks), [0, 1 / 0.7], rtol=1e-4)
    assert abs(float((masks == 0).mean()) - 0.3) < 0.02
    assert not np.array_equal(masks[0], masks[1])
    np.testing.assert_array_equal(np.asarray(layer(ones, training=False)), ones)


def test_the_kept_model_has_only_layers_of_keras(rows: Rows) -> None:
    """It loads without our code, dropout included."""
    _, predictor = make(dropout=0.3, input_dropout=0.1, batch_norm=True)
    assert {type(layer).__module__.split(".")[0] for layer in predictor.layers} == {"keras"}
    assert sum(type(layer) is keras.layers.Dropout for layer in predictor.layers) == 2
