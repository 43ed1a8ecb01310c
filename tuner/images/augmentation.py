"""Says which augmentations a configuration has for a data set: what decides the operations of a training step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from tuner.config.hyperparameters import Hyperparameters
from tuner.data.schema import DataSchema

AMOUNTS = ("shift", "rotation", "zoom", "elastic", "flip", "noise")
_IMAGE_AXES = (2, 3)
_SMALLEST = 2  # pixels of a side: interpolation needs two


@dataclass(frozen=True)
class Augmentation:
    """How training changes images. Amounts are not part of it: they are in the numbers of :func:`draw`.

    Attributes:
        height: Rows of pixels in an image.
        width: Pixels in each of them.
        channels: Values of a pixel.
        moves: Whether pixels change their place.
        whole: Whether they move by whole pixels, so that nothing is interpolated.
        elastic: Whether images are distorted by random fields.
        noise: Whether there is noise.
        largest: The largest value if values are whole numbers from 0; ``None`` if they are any numbers.

    Source of the random fields: Simard et al. 2003, Best Practices for Convolutional Neural Networks Applied to Visual
    Document Analysis, section 2.
    """

    height: int
    width: int
    channels: int
    moves: bool
    whole: bool
    elastic: bool
    noise: bool
    largest: int | None

    @classmethod
    def of(cls, hp: Hyperparameters, schema: DataSchema) -> Self | None:
        """Return the augmentations of a configuration; ``None`` without any, and for data that are not images."""
        warps = max(hp.rotation, hp.zoom, hp.elastic) > 0
        moves = warps or hp.shift > 0 or hp.flip
        if not (moves or hp.noise > 0) or not are_images(schema):
            return None
        height, width, channels = (*schema.shape, 1)[:3]
        return cls(
            height,
            width,
            channels,
            moves=moves,
            whole=moves and not warps,
            elastic=hp.elastic > 0,
            noise=hp.noise > 0,
            largest=round(1 / schema.scale) if schema.kind == "pixels" else None,
        )

    @property
    def pixels(self) -> int:
        """Pixels of an image."""
        return self.height * self.width

    @property
    def features(self) -> int:
        """Values of an image."""
        return self.pixels * self.channels


def are_images(schema: DataSchema) -> bool:
    """Return whether rows have the shape ``(height, width)`` or ``(height, width, channels)``."""
    return schema.table is None and len(schema.shape) in _IMAGE_AXES and min(schema.shape[:2]) >= _SMALLEST
