"""A whole epoch in one program gives the same result as an ordinary ``fit``."""

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

from tests.schemas import names, pixels  # noqa: E402
from tuner.config.hyperparameters import Hyperparameters  # noqa: E402
from tuner.data.dataset import Dataset  # noqa: E402
from tuner.data.schema import DataSchema, schema_of  # noqa: E402
from tuner.training.model import build, compile_model  # noqa: E402
from tuner.training.rows import Rows, order_of, place  # noqa: E402

pytestmark = pytest.mark.slow

CLASSES = 3
NAMES = names(CLASSES)
PIXELS = pixels((4, 4), CLASSES, 1 / 255)


@pytest.fixture(scope="module")
def rows() -> Rows:
    """107 rows, so that the last batch is smaller, in three classes that a model can separate."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, CLASSES, 107).astype(np.int32)
    x = (rng.integers(0, 60, (107, 4, 4)) + 60 * y[:, None, None]).astype(np.uint8)
    return x, y


class Made:
    """A model for training and its model for prediction."""

    def __init__(self, schema: DataSchema = PIXELS, /, **settings: Any) -> None:
        self.hp = Hyperparameters.from_params({"units": 16, "layers": 1, "batch_size": 10, **settings})
        self.schema = schema
        self.model, self.kept = build(self.hp, schema, seed=1)
        compile_model(self.model, self.hp, steps=33)

    def fit(self, rows: Rows, *, epochs: int, seed: int = 0, **options: Any) -> Any:
        """Train and return the history."""
        placed = place(*rows)
        return self.model.fit_rows(self.hp, placed, placed, epochs=epochs, seed=seed, **options)


@pytest.fixture(scope="module")
def still() -> Made:
    """A model that training does not change: its learning rate is too small for float32."""
    return Made(optimizer="sgd", learning_rate=1e-30, schedule="constant")


def plain_of(made: Made) -> Any:
    """Return an ordinary Keras model with the same initial weights, for training with Keras' own code."""
    model, hp = Made(made.schema, **made.hp.as_params()).model, made.hp
    plain = keras.Model(model.inputs, model.outputs)
    rate = hp.learning_rate
    if hp.schedule == "cosine":
        rate = keras.optimizers.schedules.CosineDecay(rate, decay_steps=33)
    kinds = {"adam": "Adam", "adamw": "AdamW", "rmsprop": "RMSprop", "adadelta": "Adadelta", "sgd": "SGD"}
    settings: dict[str, Any] = {"momentum": hp.momentum} if hp.optimizer == "sgd" else {}
    plain.compile(
        getattr(keras.optimizers, kinds[hp.optimizer])(rate, weight_decay=hp.weight_decay or None, **settings),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return plain


@given(count=st.integers(1, 107), batch=st.integers(1, 120), seed=st.integers(0, 2**31))
def test_every_row_is_trained_once_per_epoch(rows: Rows, still: Made, count: int, batch: int, seed: int) -> None:
    """While the weights stay the same, an epoch's training metrics are the means over all rows, each counted once."""
    part = place(rows[0][:count], rows[1][:count])
    hp = still.hp.model_copy(update={"batch_size": batch})
    history = still.model.fit_rows(hp, part, part, epochs=2, seed=seed).history

    assert history["loss"] == pytest.approx(history["val_loss"], rel=1e-5)
    assert history["accuracy"] == pytest.approx(history["val_accuracy"], abs=1e-6)


def test_epochs_differ_in_their_order_and_repeat_with_the_seed() -> None:
    """The order depends only on seed and epoch, not on earlier calls."""
    one, two = order_of(100, 7, 0), order_of(100, 7, 1)
    assert one.tolist() != two.tolist()
    assert order_of(100, 7, 1).tolist() == two.tolist()
    assert order_of(100, 8, 1).tolist() != two.tolist()


@pytest.mark.parametrize(
    "settings",
    [
        {"optimizer": "adam", "weight_decay": 0.01},
        {"optimizer": "adamw", "weight_decay": 0.01, "layers": 3},
        {"optimizer": "rmsprop", "weight_decay": 0.01},
        {"optimizer": "adadelta", "weight_decay": 0.01, "learning_rate": 1.0},
        {"optimizer": "sgd", "momentum": 0.5, "weight_decay": 0.01},
        {"optimizer": "sgd", "schedule": "constant"},
        {"batch_norm": True, "layers": 2},
        {"layers": 0, "batch_size": 64},
        *(
            {"activation": name}
            for name in ("elu", "selu", "tanh", "silu", "leaky_relu", "sigmoid", "softplus", "mish")
        ),
    ],
    ids=lambda settings: "-".join(str(value) for value in settings.values()),
)
def test_a_program_trains_what_keras_trains(rows: Rows, settings: dict[str, Any]) -> None:
    """With the same batches in the same order, an ordinary Keras model ends with the same weights and metrics."""
    x, y = rows
    made = Made(**{"schedule": "cosine", "learning_rate": 0.01, **settings})
    plain = plain_of(made)
    history = made.fit(rows, epochs=3, seed=4).history
    for epoch in range(3):
        order = order_of(len(x), 4, epoch)
        for start in range(0, len(x), made.hp.batch_size):
            batch = order[start : start + made.hp.batch_size]
            plain.train_on_batch(x[batch], y[batch])

    for ours, theirs in zip(made.model.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=5e-5)
    loss, accuracy = plain.evaluate(x, y, verbose=0)
    assert history["val_loss"][-1] == pytest.approx(loss, abs=1e-4)
    assert history["val_accuracy"][-1] == pytest.approx(accuracy, abs=1e-6)


def test_a_program_standardises_as_keras_layers_do(rows: Rows) -> None:
    """Raw numbers of any size are trained by the program as an ordinary Keras model trains them.

    What is far from the mean has a limit.
    """
    sizes = np.float32(10.0) ** np.linspace(-20, 30, 16, dtype=np.float32).reshape(4, 4)
    x, y = rows[0].astype(np.float32) * sizes + sizes, rows[1]
    data = Dataset("big", x, y, x, y, NAMES, "big")
    made = Made(schema_of(data, np.arange(len(x), dtype=np.int32)), learning_rate=0.01, batch_size=len(x))
    plain = plain_of(made)
    history = made.fit((x, y), epochs=3).history
    for epoch in range(3):
        order = order_of(len(x), 0, epoch)
        plain.train_on_batch(x[order], y[order])

    for ours, theirs in zip(made.model.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=5e-5)
    assert history["val_loss"][-1] == pytest.approx(plain.evaluate(x, y, verbose=0)[0], abs=1e-4)
    far, farther = x[:9] + 100 * sizes * 255, x[:9] + 1000 * sizes * 255
    for part in (x[:9], far, farther):
        np.testing.assert_allclose(made.model.outputs_of(part), made.kept(part), atol=1e-5)
    np.testing.assert_array_equal(made.kept(far), made.kept(farther))  # both are beyond the limit


def test_trials_of_one_structure_share_a_program_whatever_their_numbers(rows: Rows) -> None:
    """Another width, rate or batch size needs no new trace; another number of layers does."""
    one, two, other = Made(units=9, dropout=0.1), Made(units=30, dropout=0.4, batch_size=7), Made(layers=2, dropout=0.1)
    for made in (one, two, other):
        made.fit(rows, epochs=1)
    programs = [made.model._program for made in (one, two, other)]
    assert programs[0] is programs[1] is not programs[2]
    assert not two.model.traced


def test_programs_that_differ_only_in_training_share_weights_and_evaluation(rows: Rows) -> None:
    """The optimizer, dropout and penalties change neither. A trial between two others does not disturb them."""
    settings: dict[str, Any] = {"units": 12, "activation": "tanh", "batch_norm": True}
    first = Made(**settings, optimizer="sgd").fit(rows, epochs=2, seed=5).history
    adam = Made(**settings, optimizer="adam", dropout=0.3, l2=0.01)
    adam.fit(rows, epochs=1)
    again = Made(**settings, optimizer="sgd")

    assert again.fit(rows, epochs=2, seed=5).history == first
    programs = again.model._program, adam.model._program
    assert programs[0] is not programs[1]
    assert programs[0].forward is programs[1].forward


def test_what_counts_only_in_hidden_layers_makes_no_second_program_without_them(rows: Rows) -> None:
    """Such as the activation function, batch normalisation and dropout."""
    plain = Made(layers=0)
    other = Made(layers=0, activation="tanh", batch_norm=True, dropout=0.4, dropout_schedule="flat_cos", max_norm=1.0)
    histories = [made.fit(rows, epochs=2, seed=5).history for made in (plain, other)]

    assert histories[0] == histories[1]
    assert plain.model._program is other.model._program


def test_an_equal_constant_is_traced_once() -> None:
    """Within one traced function; outside, each is a tensor of its own."""
    import tensorflow as tf

    from tuner.training.constants import constant

    @tf.function(autograph=False)  # type: ignore[untyped-decorator]
    def add() -> Any:
        assert constant(2.0) is constant(2.0)
        return constant(2.0) + constant(2.0) + constant(3.0)

    operations = [operation.type for operation in add.get_concrete_function().graph.get_operations()]
    assert operations.count("Const") == 2
    assert (float(add()), float(constant(2.0))) == (7.0, 2.0)


def test_a_trial_does_not_depend_on_those_before_it(rows: Rows) -> None:
    """Weights, optimizer slots and masks of an earlier trial do not affect a shared program."""
    settings: dict[str, Any] = {"dropout": 0.3, "input_dropout": 0.1, "batch_norm": True, "units": 12}
    first = Made(**settings).fit(rows, epochs=2, seed=5).history
    for width in (40, 3):
        Made(**{**settings, "units": width, "dropout": 0.5}).fit(rows, epochs=1, seed=width)

    assert Made(**settings).fit(rows, epochs=2, seed=5).history == first
    assert Made(**settings).fit(rows, epochs=2, seed=6).history != first


def test_metrics_of_an_epoch_are_those_of_keras(rows: Rows) -> None:
    """Validation loss and accuracy are the means over all rows, the last batch included."""
    made = Made(dropout=0.5)
    history = made.fit(rows, epochs=2).history
    probabilities: npt.NDArray[np.float32] = made.kept.predict(rows[0], verbose=0)
    chosen = probabilities[np.arange(len(rows[1])), rows[1]]

    assert history["val_loss"][-1] == pytest.approx(float(-np.log(chosen).mean()), abs=1e-4)
    assert history["val_accuracy"][-1] == pytest.approx(float((probabilities.argmax(1) == rows[1]).mean()), abs=1e-6)


def test_the_validation_loss_has_no_label_smoothing(rows: Rows) -> None:
    """Trials with different smoothing can be compared. The training loss is smoothed."""
    made = Made(label_smoothing=0.3, batch_size=107)
    history = made.fit(rows, epochs=1).history
    probabilities = made.kept.predict(rows[0], verbose=0)
    chosen = probabilities[np.arange(len(rows[1])), rows[1]]

    assert history["val_loss"][-1] == pytest.approx(float(-np.log(chosen).mean()), abs=1e-4)
    assert history["loss"][-1] != pytest.approx(history["val_loss"][-1], abs=1e-3)


def test_standard_callbacks_follow_a_fused_fit(rows: Rows) -> None:
    """`History`, `EarlyStopping`, `ReduceLROnPlateau` and a user's callback work as with `fit`."""
    seen: list[int] = []
    history = Made(optimizer="sgd", learning_rate=0.5).fit(
        rows,
        epochs=30,
        callbacks=[
            keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(epoch)),
            keras.callbacks.ReduceLROnPlateau(monitor="val_loss", patience=1, factor=0.1, min_delta=10),
            keras.callbacks.EarlyStopping(monitor="val_loss", patience=3, min_delta=10),
        ],
    )

    assert seen == history.epoch == list(range(4))
    assert history.history["learning_rate"][-1] < history.history["learning_rate"][0]


@pytest.mark.parametrize("learned", [False, True])
def test_mish_and_its_gradient_are_those_of_keras(learned: bool) -> None:
    """For small, large and huge pre-activations, also as a parametric activation."""
    import tensorflow as tf

    from tuner.training.activations import activate

    x = tf.constant(np.concatenate([np.linspace(-30, 30, 241), [-1e20, -200, 200, 1e20]])[:, None], tf.float32)
    share = tf.constant([0.7])
    results = []
    for own in (True, False):
        with tf.GradientTape() as tape:
            tape.watch([x, share])
            if own:
                y = activate("mish", x, share if learned else None)
            else:
                active = keras.activations.mish(x)
                y = x + share * (active - x) if learned else active
            total = tf.reduce_sum(y[1:-1])  # its gradient to the share is a sum, in which huge values hide all others
        results.append([y, *tape.gradient(total, [x, share] if learned else [x])])
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=3e-6)


def test_zero_hidden_layers_is_softmax_regression() -> None:
    """One weight per pixel and class, one bias per class."""
    assert Made(layers=0).model.count_params() == 16 * CLASSES + CLASSES


def test_the_predictor_is_an_ordinary_keras_model_with_the_same_weights(rows: Rows) -> None:
    """It maps raw values to probabilities with the trained weights."""
    made = Made(batch_norm=True, dropout=0.2, input_dropout=0.1)
    made.fit(rows, epochs=1)
    probabilities = made.kept.predict(rows[0], verbose=0)

    assert type(made.kept).__module__.startswith("keras.")
    np.testing.assert_allclose(probabilities.sum(1), 1, atol=1e-5)
    logits = np.asarray(made.model(rows[0], training=False))
    assert (logits.argmax(1) == probabilities.argmax(1)).all()


def test_a_batch_larger_than_the_data_is_all_of_it(rows: Rows) -> None:
    """A large batch size never causes an epoch without steps."""
    history = Made(batch_size=512).fit(rows, epochs=2).history
    assert history["loss"][1] < history["loss"][0]


@pytest.mark.parametrize("shape", [(7, 3), (64, 65)])
def test_dropout_keeps_the_mean_and_drops_its_share(shape: tuple[int, int]) -> None:
    """Values are 0 or scaled by 1 / (1 - rate). Each step and layer has its own mask, which is reproducible."""
    import tensorflow as tf

    from tuner.training.masks import Dropout, Keys

    def mask(step: int, layer: int = 0) -> npt.NDArray[np.float32]:
        key = Keys(tf.constant(1, tf.int64), tf.constant(step, tf.int64)).of(layer)
        return np.asarray(Dropout(tf.constant(0.3))(tf.ones(shape), key))

    masks = np.stack([mask(step) for step in range(200)])
    np.testing.assert_allclose(np.unique(masks), [0, 1 / 0.7], rtol=1e-4)
    assert abs(float((masks == 0).mean()) - 0.3) < 0.02
    assert not np.array_equal(masks[0], masks[1])
    assert not np.array_equal(masks[0], mask(0, layer=1))
    np.testing.assert_array_equal(masks[0], mask(0))


def test_the_kept_model_has_only_layers_of_keras(rows: Rows) -> None:
    """It loads without our code, also with dropout."""
    layers = Made(dropout=0.3, input_dropout=0.1, batch_norm=True).kept.layers
    assert {type(layer).__module__.split(".")[0] for layer in layers} == {"keras"}
    assert sum(type(layer) is keras.layers.Dropout for layer in layers) == 2
