"""Reads an image as one raw row: greyscale, in the size and the range of values that the model expects."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tuner.delivery.manifest import InputSpec
from tuner.errors import DataError

_STEPS_16_BIT = 257  # 16-bit values per 8-bit value: 65535 / 255


def read_image(path: Path, spec: InputSpec, *, invert: bool) -> NDArray[Any]:
    """Read a PNG as an array of shape ``(1, *spec.shape)``.

    Colours become grey, transparent pixels become white, and the image is resized to the model's input. ``invert``
    swaps black and white: MNIST digits are white on black, scans usually black on white.

    Raises:
        DataError: If the model does not take greyscale images, or the file is not an image.
    """
    if len(spec.shape) not in {2, 3} or spec.shape[2:] not in {(), (1,)}:
        raise DataError(
            f"the model expects rows of shape {spec.shape}, not greyscale images: {path}", hint="use .npz or .csv"
        )
    height, width = spec.shape[:2]
    try:
        with Image.open(path) as image:
            grey = _greyscale(image).resize((width, height), Image.Resampling.LANCZOS)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(f"{path} cannot be read as an image: {error}", hint="expected a PNG file") from None
    pixels = np.asarray(grey, np.float64)
    if invert:
        pixels = 255 - pixels
    raw = pixels / (255 * spec.scale)  # the model scales white to 1
    return (raw.round() if np.dtype(spec.dtype).kind in "iu" else raw).reshape(1, *spec.shape)


def _greyscale(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16 bits: Pillow would clip them instead of scaling
        return Image.fromarray((np.asarray(image) // _STEPS_16_BIT).astype(np.uint8))
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
    return image.convert("L")
