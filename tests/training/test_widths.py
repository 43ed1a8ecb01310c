"""Hidden layers of critical widths are trained with some more units, which change nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner.training.runtime import prepare

prepare("cpu", threads=1)

import keras  # noqa: E402 - after the backend is set up

from tests.schemas import pixels  # noqa: E402
from tests.training.test_fused import CLASSES, Made  # noqa: E402
from tuner.config.hyperparameters import Hyperparameters  # noqa: E402
from tuner.config.tables import Precision  # noqa: E402
from tuner.training.checkpoint import State  # noqa: E402
from tuner.training.forward import Forward  # noqa: E402
from tuner.training.rows import Rows  # noqa: E402
from tuner.training.structure import Structure  # noqa: E402
from tuner.training.widths import fast_width, fitted, keeps_zero  # noqa: E402

EXTRA = 3


@pytest.fixture(scope="module")
def rows() -> Rows:
    """60 rows in three classes that a model can separate."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, CLASSES, 60).astype(np.int32)
    return (rng.integers(0, 60, (60, 4, 4)) + 60 * y[:, None, None]).astype(np.uint8), y


@pytest.fixture
def widened(monkeypatch: pytest.MonkeyPatch) -> None:
    """Layers of 16 units count as slow ones."""
    monkeypatch.setattr("tuner.training.widths._CRITICAL", 16)
    monkeypatch.setattr("tuner.training.widths._EXTRA", EXTRA)


@given(st.integers(0, 5000))
def test_only_multiples_of_256_get_more_units(units: int) -> None:
    """At most a cache line more, and a width that is fast stays as it is."""
    wide = fast_width(units)
    assert wide == (units + 16 if units and units % 256 == 0 else units)
    assert fast_width(wide) == wide


@given(st.lists(st.tuples(st.integers(1, 6), st.integers(0, 3)), min_size=1, max_size=3))
def test_an_array_that_is_extended_and_cut_again_is_the_same(axes: list[tuple[int, int]]) -> None:
    """What is added is 0."""
    small, large = [size for size, _ in axes], [size + more for size, more in axes]
    values = np.random.default_rng(0).normal(size=small).astype(np.float32)
    whole = fitted(values, large)
    assert whole.shape == tuple(large)
    assert fitted(whole, small).tolist() == values.tolist()
    assert np.count_nonzero(whole) == np.count_nonzero(values)


def test_which_activations_keep_zero() -> None:
    """Of the others, a unit more would have an output."""
    names = ("relu", "tanh", "silu", "mish", "selu", "sigmoid", "softplus")
    assert [name for name in names if not keeps_zero(name)] == ["sigmoid", "softplus"]


SETTINGS: list[dict[str, Any]] = [
    {"optimizer": "adam", "weight_decay": 0.01, "layers": 2},
    {"optimizer": "rmsprop", "l1": 0.001, "l2": 0.01},
    {"optimizer": "adadelta", "learning_rate": 1.0, "activation": "tanh"},
    {"optimizer": "sgd", "momentum": 0.0},
    {"optimizer": "sgd", "momentum": 0.5, "clip_norm": 0.1, "activation": "selu"},
    {"batch_norm": True, "layers": 3, "max_norm": 0.5},
    {"use_ema": True, "ema_momentum": 0.8, "parametric_activation": True, "activation": "mish"},
    {"parametrization": "ntk", "input_scale": True, "layers": 2},
]


@pytest.mark.slow
@pytest.mark.parametrize("settings", SETTINGS, ids=lambda settings: "-".join(map(str, settings)))
def test_more_units_change_nothing(rows: Rows, settings: dict[str, Any], request: pytest.FixtureRequest) -> None:
    """The weights and the metrics of every epoch are those of the same training without them."""
    plain = Made(**settings)
    expected = plain.fit(rows, epochs=3).history
    request.getfixturevalue("widened")
    wide = Made(**settings)
    history = wide.fit(rows, epochs=3).history

    kernel = wide.model._program.forward.network.variables[-2]
    assert kernel.read_value().shape == (16 + EXTRA, CLASSES)
    assert np.count_nonzero(kernel.numpy()[16:]) == 0
    assert history["loss"] == pytest.approx(expected["loss"], abs=1e-5)
    assert history["val_loss"] == pytest.approx(expected["val_loss"], abs=1e-5)
    for ours, theirs in zip(wide.model.get_weights(), plain.model.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=5e-5)


@pytest.mark.slow
@pytest.mark.usefixtures("widened")
@pytest.mark.parametrize(
    "settings", [*SETTINGS, {"dropout": 0.3, "layers": 2}], ids=lambda settings: "-".join(map(str, settings))
)
def test_a_state_has_the_shapes_of_the_model_and_training_goes_on_from_it(rows: Rows, settings: dict[str, Any]) -> None:
    """The weights after two epochs and one more are exactly those after three."""
    whole, part = Made(**settings), Made(**settings)
    states: list[State] = []

    class Keep(keras.callbacks.Callback):  # type: ignore[misc]
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            if epoch == 1:
                weights, optimizer = self.model.state()
                states.append(State(weights, optimizer, weights, 1, 0.0, 0, [{}, {}]))

    whole.fit(rows, epochs=3, callbacks=[Keep()])
    part.fit(rows, epochs=3, state=states[0])

    shapes = {weights.shape for weights in whole.model.get_weights()}
    assert {values.shape for values in [*states[0].weights, *states[0].optimizer]} == shapes
    for ours, theirs in zip(part.model.get_weights(), whole.model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.slow
@pytest.mark.usefixtures("widened")
def test_layers_whose_activation_of_zero_is_not_zero_stay_as_they_are(rows: Rows) -> None:
    """Their outputs would train the weights of the next layer."""
    made = Made(activation="sigmoid")
    made.fit(rows, epochs=1)
    assert made.model._program.forward.network.variables[-2].read_value().shape == (16, CLASSES)


@pytest.mark.slow
def test_an_output_for_each_of_256_classes_stays_as_it_is() -> None:
    """A further class would take a share of the probabilities."""
    rng = np.random.default_rng(0)
    made = Made(pixels((4, 4), 256, 1 / 255), units=256)
    made.fit((rng.integers(0, 255, (60, 4, 4)).astype(np.uint8), rng.integers(0, 256, 60).astype(np.int32)), epochs=1)
    forward = made.model._program.forward
    assert [tuple(variable.read_value().shape) for variable in forward.weights] == [
        (16, 272),
        (272,),
        (272, 256),
        (256,),
    ]
    assert [values.shape for values in forward.values()] == [(16, 256), (256,), (256, 256), (256,)]


@pytest.mark.parametrize(("widens", "precision"), [(False, "float32"), (True, "bfloat16")])
def test_layers_are_not_padded_on_a_gpu_or_in_bfloat16(widens: bool, precision: Precision) -> None:
    """Their products are computed in another way."""
    hp = Hyperparameters(layers=1, units=256, batch_size=256)
    forward = Forward(Structure.of(hp, pixels((28, 28), 3), precision), widens=widens)
    shapes = [(784, 256), (256,), (256, 3), (3,)]
    forward.load([np.zeros(shape, np.float32) for shape in shapes])
    assert [tuple(variable.read_value().shape) for variable in forward.weights] == shapes


@pytest.mark.slow
def test_a_layer_of_256_units_is_trained_with_272(rows: Rows) -> None:
    """The model has 256, and predicts what was trained."""
    made = Made(units=256)
    history = made.fit(rows, epochs=2).history
    assert made.model._program.forward.network.variables[-2].read_value().shape == (272, CLASSES)
    assert made.kept.layers[-2].get_weights()[0].shape[0] == 256
    found = np.argmax(made.kept.predict(rows[0], verbose=0), axis=1)
    assert np.mean(found == rows[1]) == pytest.approx(history["val_accuracy"][-1])
