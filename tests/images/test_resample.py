"""What the numbers of an epoch do to an image."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.schemas import numbers, pixels
from tuner.config.hyperparameters import Hyperparameters
from tuner.data.schema import DataSchema
from tuner.images.augmentation import Augmentation
from tuner.images.draws import draw
from tuner.images.resample import NUMPY, augmented

PIXELS = pixels((7, 5), 3, 1 / 255)


def changed(image: NDArray[Any], schema: DataSchema = PIXELS, *, copies: int = 200, **amounts: Any) -> NDArray[Any]:
    """Return augmented copies of one image, shape ``(copies, *image.shape)``."""
    hp = Hyperparameters(**amounts)
    kind = Augmentation.of(hp, schema)
    assert kind is not None
    flat = np.repeat(image.reshape(1, -1), copies, axis=0)
    draws = draw(hp, schema, copies, seed=0, epoch=0)
    return np.asarray(augmented(NUMPY, flat, draws, kind)).reshape(copies, *image.shape)


@pytest.fixture
def image() -> NDArray[np.uint8]:
    """A random image of 7 x 5 pixels."""
    return np.random.default_rng(0).integers(0, 256, (7, 5)).astype(np.uint8)


def test_a_shift_moves_whole_pixels_in_all_directions(image: NDArray[np.uint8]) -> None:
    """Each of the nine shifts by at most one pixel occurs, and what enters the image is its edge."""
    padded = np.pad(image, 1, mode="edge")
    expected = {padded[y : y + 7, x : x + 5].tobytes() for y in range(3) for x in range(3)}

    assert {copy.tobytes() for copy in changed(image, shift=1)} == expected


def test_half_of_the_images_are_mirrored(image: NDArray[np.uint8]) -> None:
    """Left and right change places, and nothing else happens."""
    copies = changed(image, flip=True)
    mirrored = [np.array_equal(copy, image[:, ::-1]) for copy in copies]

    assert all(np.array_equal(copy, image) for copy, flipped in zip(copies, mirrored, strict=True) if not flipped)
    assert 60 < sum(mirrored) < 140


def test_a_quarter_turn_is_exact() -> None:
    """A turn by 90 degrees of a square image lands on its pixels."""
    image = np.random.default_rng(0).integers(0, 256, (6, 6)).astype(np.uint8)
    hp, schema = Hyperparameters(rotation=90.0), pixels((6, 6), 3, 1 / 255)
    kind, centre = Augmentation.of(hp, schema), 2.5
    assert kind is not None
    turn = np.array([[[0, -1, 2 * centre], [1, 0, 0]]], np.float32)

    (turned,) = augmented(NUMPY, image.reshape(1, -1), {"moves": turn}, kind)

    # The last row and column are sampled a thousandth of a pixel inside of the image.
    assert np.abs(turned.reshape(6, 6).astype(int) - np.rot90(image, 1).astype(int)).max() <= 1


def test_a_place_between_pixels_is_interpolated() -> None:
    """Half a pixel to the right in a ramp from 0 to 40 is the mean of two neighbours."""
    image, kind = np.tile(np.arange(5, dtype=np.uint8) * 10, (7, 1)), Augmentation.of(Hyperparameters(zoom=0.1), PIXELS)
    assert kind is not None
    moves = np.array([[[1, 0, 0.5], [0, 1, 0.5]]], np.float32)

    (moved,) = augmented(NUMPY, image.reshape(1, -1), {"moves": moves}, kind)

    assert moved.reshape(7, 5)[2].tolist() == [5, 15, 25, 35, 40]


def test_a_zoom_keeps_the_centre_and_its_limits(image: NDArray[np.uint8]) -> None:
    """The pixel in the middle of an image of odd sides stays; the matrices stretch by at most the share."""
    assert {int(copy[3, 2]) for copy in changed(image, zoom=0.3)} <= set(range(image[3, 2] - 1, image[3, 2] + 2))
    moves = draw(Hyperparameters(zoom=0.3), PIXELS, 5000, seed=0, epoch=0)["moves"]
    stretch = 1 / moves[:, 0, 0]
    assert 1 / 1.3 <= stretch.min() < 0.78
    assert 1.29 < stretch.max() <= 1.3 + 1e-6


def test_fields_are_smooth_and_as_strong_as_asked() -> None:
    """Displacements have the deviation ``elastic`` at every pixel, and neighbours move together."""
    fields = draw(Hyperparameters(elastic=1.5), pixels((28, 28), 3, 1 / 255), 1000, seed=0, epoch=0)["fields"]
    each = fields.reshape(-1, 28, 28)

    assert np.allclose(each.std(axis=0), 1.5, rtol=0.12)
    assert np.abs(np.diff(each, axis=2)).std() < 0.35


def test_noise_stays_among_the_pixels(image: NDArray[np.uint8]) -> None:
    """Pixels with noise are whole numbers from 0 to 255; the share of the largest pixel is the deviation."""
    copies = changed(np.full_like(image, 128), noise=0.1)

    assert copies.dtype == np.uint8
    assert copies.astype(float).std() == pytest.approx(25.5, rel=0.05)
    assert changed(np.full_like(image, 255), noise=0.1).max() == 255


def test_channels_stay_together() -> None:
    """All values of a pixel go to the same place."""
    schema = pixels((7, 5, 3), 3, 1 / 255)
    grey = np.random.default_rng(0).integers(0, 100, (7, 5, 1)).astype(np.uint8)

    for amounts in ({"shift": 2}, {"shift": 1, "rotation": 20.0, "elastic": 1.0}):
        copies = changed(np.concatenate([grey, grey + 100, grey + 50], axis=2), schema, **amounts).astype(int)
        assert np.abs(copies[..., 1] - copies[..., 0] - 100).max() <= 1
        assert np.abs(copies[..., 2] - copies[..., 0] - 50).max() <= 1


def test_numbers_are_interpolated_without_rounding() -> None:
    """Images of any numbers keep their type, and whole shifts keep their values."""
    image = np.random.default_rng(0).normal(size=(7, 5)).astype(np.float32)

    assert set(changed(image, numbers((7, 5), 3), shift=1).ravel()) <= set(image.ravel())
    turned = changed(image, numbers((7, 5), 3), rotation=10.0)
    assert turned.dtype == np.float32
    assert image.min() <= turned.min() < turned.max() <= image.max()


def test_data_that_are_not_images_ignore_it() -> None:
    """As they ignore the other parameters that belong to other data."""
    for shape in ((784,), (4, 4, 4, 4), (1, 28)):
        assert Augmentation.of(Hyperparameters(shift=1, noise=0.1), numbers(shape, 3)) is None
        assert draw(Hyperparameters(shift=1), numbers(shape, 3), 10, seed=0, epoch=0) == {}


def test_the_numbers_follow_from_seed_and_epoch_alone() -> None:
    """Other augmentations do not change them; epochs and seeds do."""
    one, more = Hyperparameters(rotation=10.0), Hyperparameters(rotation=10.0, elastic=1.0, noise=0.1)
    moves = draw(one, PIXELS, 50, seed=1, epoch=2)["moves"]

    assert np.array_equal(draw(more, PIXELS, 50, seed=1, epoch=2)["moves"], moves)
    assert not np.array_equal(draw(one, PIXELS, 50, seed=1, epoch=3)["moves"], moves)
    assert not np.array_equal(draw(one, PIXELS, 50, seed=2, epoch=2)["moves"], moves)
