"""Reads an image as one raw row: greyscale, in the size and the range of values that the model expects."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tuner.delivery.manifest import InputSpec
from tuner.errors import DataError
from tuner.memory import require_memory

_STEPS_16_BIT = 257  # 16-bit values per 8-bit value: 65535 / 255
_BYTES_PER_PIXEL = 16  # four channels, of which up to four copies are in memory
_FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")  # what has a wrong suffix is read, but nothing that starts a program


def read_image(path: Path, spec: InputSpec, *, invert: bool) -> tuple[NDArray[Any], tuple[int, int]]:
    """Read a PNG as an array of shape ``(1, *spec.shape)``, and return its own width and height with it.

    Colours become grey, transparent pixels become white, and the image is resized to the model's input. ``invert``
    swaps black and white: MNIST digits are white on black, scans usually black on white.

    Raises:
        DataError: If the model does not take greyscale images, the file is not an image, or the image needs more memory
            than there is.
    """
    if len(spec.shape) not in {2, 3} or spec.shape[2:] not in {(), (1,)}:
        raise DataError(
            f"the model expects rows of shape {spec.shape}, not greyscale images: {path}", hint="use .npz or .csv"
        )
    height, width = spec.shape[:2]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # its size is compared with the memory
            image = Image.open(path, formats=_FORMATS)
        with image:
            size = image.size
            require_memory(image.width * image.height * _BYTES_PER_PIXEL, str(path))
            grey = _greyscale(image).resize((width, height), Image.Resampling.LANCZOS)
    except DataError:
        raise
    except Exception as error:  # noqa: BLE001 - on damaged files, Pillow raises almost anything
        raise DataError(f"{path} cannot be read as an image: {error}", hint="expected a PNG file") from None
    pixels = np.asarray(grey, np.float64)
    if invert:
        pixels = 255 - pixels
    black, white = spec.range or (0, 1 / spec.scale)
    raw = black + pixels / 255 * (white - black)
    return (raw.round() if np.dtype(spec.dtype).kind in "iu" else raw).reshape(1, *spec.shape), size


def _greyscale(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16 bits: Pillow would clip them instead of scaling
        return Image.fromarray((np.asarray(image) // _STEPS_16_BIT).astype(np.uint8))
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
    return image.convert("L")
