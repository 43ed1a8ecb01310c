"""Training on augmented images: which images the steps see, and that equal seeds give equal numbers."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from tuner.training.runtime import prepare as prepare_keras

prepare_keras("cpu", threads=1)

import keras  # noqa: E402 - after the backend is set up

from tests.schemas import pixels  # noqa: E402
from tuner.config.hyperparameters import Hyperparameters  # noqa: E402
from tuner.images.augmentation import Augmentation  # noqa: E402
from tuner.images.draws import POOLS, draw  # noqa: E402
from tuner.images.resample import NUMPY, augmented  # noqa: E402
from tuner.training.checkpoint import State  # noqa: E402
from tuner.training.model import build_for  # noqa: E402
from tuner.training.program import program_of  # noqa: E402
from tuner.training.rows import Rows, order_of, place  # noqa: E402

pytestmark = pytest.mark.slow

SCHEMA = pixels((6, 5), 3, 1 / 255)
BASE: dict[str, Any] = {"layers": 1, "units": 8, "batch_size": 10, "learning_rate": 0.01}
WHOLE: dict[str, Any] = {"shift": 1, "flip": True}
ALL: dict[str, Any] = {"shift": 1, "rotation": 15.0, "zoom": 0.1, "elastic": 0.7, "flip": True, "noise": 0.05}
PHOTOS = pixels((6, 5, 2), 3, 1 / 255)


@pytest.fixture(scope="module")
def rows() -> Rows:
    """53 images in three classes; the last batch is smaller."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 53).astype(np.int32)
    return (rng.integers(0, 100, (53, 6, 5)) + 70 * y[:, None, None]).astype(np.uint8), y


def trained(rows: Rows, amounts: dict[str, Any], *, epochs: int = 3, state: State | None = None, **options: Any) -> Any:
    """Return a model and its history."""
    hp, placed = Hyperparameters(**BASE, **amounts), place(*rows)
    model, _ = build_for(SCHEMA, hp, placed[0], epochs=3, seed=1)
    history = model.fit_rows(hp, placed, placed, epochs=epochs, seed=4, state=state, **options).history
    return model, history


@pytest.mark.parametrize(
    ("amounts", "schema"),
    [(WHOLE, SCHEMA), ({"noise": 0.1}, SCHEMA), (ALL, SCHEMA), (ALL, PHOTOS)],
    ids=["whole", "noise", "all", "channels"],
)
def test_a_step_sees_the_images_that_were_drawn(rows: Rows, amounts: dict[str, Any], schema: Any) -> None:
    """An ordinary Keras model that trains on images changed with NumPy ends with the same weights."""
    x, y = rows
    x = x if len(schema.shape) == 2 else np.stack([x, 255 - x], axis=3)
    hp = Hyperparameters(**BASE, **amounts)
    kind = Augmentation.of(hp, schema)
    assert kind is not None
    model, _ = build_for(schema, hp, x, epochs=3, seed=1)
    again, _ = build_for(schema, hp, x, epochs=3, seed=1)
    plain = keras.Model(again.inputs, again.outputs)
    plain.compile(keras.optimizers.Adam(0.01), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    placed = place(x, y)
    history = model.fit_rows(hp, placed, placed, epochs=3, seed=4).history

    for epoch in range(3):
        order, draws = order_of(53, 4, epoch), draw(hp, schema, 53, seed=4, epoch=epoch)
        for start in range(0, 53, 10):
            part = slice(start, start + 10)
            drawn = {name: values if name in POOLS else values[part] for name, values in draws.items()}
            flat = x[order[part]].reshape(-1, kind.features)
            images = np.asarray(augmented(NUMPY, flat, drawn, kind)).reshape(-1, *schema.shape)
            plain.train_on_batch(images, y[order[part]])

    # A pixel that lies between two whole numbers may be rounded differently by the two libraries.
    for ours, theirs in zip(model.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=2e-3)
    assert history["val_loss"][-1] == pytest.approx(plain.evaluate(x, y, verbose=0), abs=2e-3)  # of plain images


@pytest.mark.parametrize("amounts", [WHOLE, ALL], ids=["whole", "all"])
def test_equal_seeds_give_equal_numbers(rows: Rows, amounts: dict[str, Any]) -> None:
    """With a program of its own, and with one that other amounts were trained with before."""
    program_of.cache_clear()
    one, first = trained(rows, amounts)
    trained(rows, {name: value if value is True else 2 * value for name, value in amounts.items()})
    other, second = trained(rows, amounts)

    assert first == second
    for ours, theirs in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("amounts", [WHOLE, ALL], ids=["whole", "all"])
def test_a_trial_that_continues_sees_the_images_that_it_would_have_seen(rows: Rows, amounts: dict[str, Any]) -> None:
    """Interrupted after the first epoch and resumed, it ends with the same weights and metrics."""
    whole, history = trained(rows, amounts)
    part, first = trained(rows, amounts, epochs=1)
    weights, optimizer = part.state()
    state = State(weights, optimizer, weights, 0, 0.0, 0, [{name: values[0] for name, values in first.items()}])
    resumed, rest = trained(rows, amounts, state=state)

    assert rest["val_loss"] == history["val_loss"][1:]
    for ours, theirs in zip(resumed.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_amounts_share_a_program(rows: Rows) -> None:
    """Another amount needs no further tracing; another kind of augmentation does."""
    program_of.cache_clear()
    traced = [trained(rows, amounts)[0].traced for amounts in ({"shift": 1}, {"shift": 2}, ALL, {**ALL, "noise": 0.2})]

    assert traced == [True, False, True, False]


def test_the_model_that_is_kept_has_no_augmentation(rows: Rows) -> None:
    """Its layers are those of the same configuration without it."""
    kept = [
        build_for(SCHEMA, Hyperparameters(**BASE, **amounts), rows[0], epochs=3, seed=1)[1] for amounts in ({}, ALL)
    ]

    assert [type(layer) for layer in kept[0].layers] == [type(layer) for layer in kept[1].layers]
    assert not any("Random" in type(layer).__name__ for layer in kept[1].layers)
    assert isinstance(kept[1], keras.Model)


JAX_SCRIPT = """
import numpy as np
from tests.training import test_augmentation as here
rng = np.random.default_rng(0)
y = rng.integers(0, 3, 53).astype(np.int32)
rows = (rng.integers(0, 100, (53, 6, 5)) + 70 * y[:, None, None]).astype(np.uint8), y
assert here.keras.backend.backend() == "jax"
for amounts in (here.WHOLE, here.ALL):
    here.test_a_step_sees_the_images_that_were_drawn(rows, amounts, here.SCHEMA)
    here.test_a_trial_that_continues_sees_the_images_that_it_would_have_seen(rows, amounts)
"""


def test_jax_sees_the_same_images() -> None:
    """The same numbers change the images, and a trial can continue."""
    pytest.importorskip("jax", reason="jax is not installed: pip install 'mlp-tuner[jax]'")
    env = {**os.environ, "KERAS_BACKEND": "jax"}
    done = subprocess.run([sys.executable, "-c", JAX_SCRIPT], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
