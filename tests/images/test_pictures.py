"""Pictures of augmented images."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from tests.schemas import numbers, pixels
from tuner.config.hyperparameters import Hyperparameters
from tuner.errors import RecipeError, UsageError
from tuner.images.pictures import amounts_of, examples, mosaic, png


def test_amounts_are_read_as_parameters() -> None:
    """Whole numbers, shares and truth values."""
    hp = amounts_of("shift=1, zoom=0.1,flip=true")

    assert (hp.shift, hp.zoom, hp.flip, hp.rotation) == (1, 0.1, True, 0.0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("shift", "an amount is written NAME=VALUE, got 'shift'"),
        ("units=5", "there is no augmentation 'units'"),
        ("rotation=200", "rotation"),
        ("shift=0.5", "shift"),
    ],
)
def test_a_wrong_amount_is_named(text: str, message: str) -> None:
    """The message has the amount."""
    with pytest.raises((UsageError, RecipeError), match=message):
        amounts_of(text)


def test_each_image_is_followed_by_its_copies() -> None:
    """Without amounts, the copies are the image itself; with amounts, they differ."""
    images = np.random.default_rng(0).integers(0, 256, (3, 6, 5)).astype(np.uint8)
    same = examples(images, pixels((6, 5), 3, 1 / 255), Hyperparameters(), 2)
    moved = examples(images, pixels((6, 5), 3, 1 / 255), Hyperparameters(shift=2), 2)

    assert (same == images[:, None]).all()
    assert moved.shape == (3, 3, 6, 5)
    assert (moved[:, 0] == images).all()
    assert not (moved == same).all()


@pytest.mark.parametrize(("shape", "mode"), [((6, 5), "L"), ((6, 5, 3), "RGB"), ((6, 5, 2), "L")])
def test_a_mosaic_is_a_png(shape: tuple[int, ...], mode: str) -> None:
    """Small images are enlarged; numbers become grey from the smallest to the largest."""
    images = np.random.default_rng(0).normal(size=(2, *shape)).astype(np.float32)
    shown = examples(images, numbers(shape, 3), Hyperparameters(rotation=10.0), 3)
    picture = Image.open(io.BytesIO(png(mosaic(shown))))

    assert picture.mode == mode
    assert picture.size == (12 * (4 * 7 + 2), 12 * (2 * 8 + 2))
    assert picture.getpixel((0, 0)) in {255, (255, 255, 255)}
