"""Draws images as training sees them, for people: the code that changes them is that of training."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from tuner.config.hyperparameters import Hyperparameters
from tuner.config.validation_messages import explain
from tuner.data.schema import DataSchema
from tuner.errors import UsageError, did_you_mean
from tuner.images.augmentation import AMOUNTS, Augmentation
from tuner.images.draws import draw
from tuner.images.resample import NUMPY, augmented

if TYPE_CHECKING:
    from PIL.Image import Image

_SIDE = 56  # pixels that a small image gets at least
_GAP = 2  # white pixels between images, before they are enlarged
_COLOURS = 3


def amounts_of(text: str) -> Hyperparameters:
    """Read amounts such as ``shift=1,rotation=10``.

    Raises:
        UsageError: If the text is written otherwise, or names something else.
        RecipeError: If an amount is not possible.
    """
    values = {}
    for part in text.split(","):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals:
            raise UsageError(f"an amount is written NAME=VALUE, got '{part}'", hint="such as shift=1,rotation=10")
        if name not in AMOUNTS:
            raise UsageError(f"there is no augmentation '{name}'", hint=did_you_mean(name, AMOUNTS))
        values[name] = value
    try:
        return Hyperparameters.model_validate(values)
    except ValidationError as error:
        raise explain(error, Hyperparameters, f"'{text}'") from None


def examples(
    images: NDArray[Any], schema: DataSchema, hp: Hyperparameters, copies: int, *, seed: int = 0
) -> NDArray[Any]:
    """Return images with changed copies of each, shape ``(images, 1 + copies, *schema.shape)``.

    Args:
        images: Raw images, shape ``(images, *schema.shape)``.
        schema: Input of the data set.
        hp: The amounts.
        copies: Changed images for each one.
        seed: Seed of the changes.
    """
    kind = Augmentation.of(hp, schema)
    repeated = np.repeat(images, copies, axis=0)
    if kind is not None:
        draws = draw(hp, schema, len(repeated), seed=seed, epoch=0)
        repeated = augmented(NUMPY, repeated.reshape(len(repeated), -1), draws, kind)
    changed = repeated.reshape(len(images), copies, *schema.shape)
    return np.concatenate([images[:, None], changed], axis=1)


def mosaic(images: NDArray[Any]) -> Image:
    """Return images as one picture on a white ground. The first axis goes down, the second across.

    Args:
        images: Raw images, shape ``(down, across, height, width)`` or with channels. The smallest value is black, the
            largest white. Three channels are colours; of another number, the first one is shown.
    """
    from PIL import Image

    lowest, highest = float(images.min()), float(images.max())
    shown = (images.astype(np.float64) - lowest) * (255 / max(highest - lowest, 1e-12))
    colours = shown if shown.shape[4:] == (_COLOURS,) else shown[..., :1] if shown.ndim > 4 else shown[..., None]  # noqa: PLR2004 - two axes, and those of an image
    down, across, height, width, channels = colours.shape
    picture = np.full((down * (height + _GAP) + _GAP, across * (width + _GAP) + _GAP, channels), 255, np.uint8)
    for i in range(down):
        for j in range(across):
            top, left = _GAP + i * (height + _GAP), _GAP + j * (width + _GAP)
            picture[top : top + height, left : left + width] = np.rint(colours[i, j]).astype(np.uint8)
    factor = -(-_SIDE // min(height, width))
    large = picture.repeat(factor, axis=0).repeat(factor, axis=1)
    return Image.fromarray(large if channels == _COLOURS else large[..., 0])


def png(picture: Image) -> bytes:
    """Return a picture as the contents of a PNG file."""
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def data_address(contents: bytes) -> str:
    """Return the contents of a PNG file as an address that a page can show without a request."""
    return f"data:image/png;base64,{base64.b64encode(contents).decode()}"
