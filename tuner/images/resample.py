"""Changes a batch of images as it was drawn. The same code runs in training and for pictures.

A place between pixels is interpolated from its four neighbours. Places outside of the image show its nearest edge.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tuner.images.augmentation import Augmentation

_INSIDE = 2**-10  # of a pixel: the last place whose right neighbour is still in the image


@dataclass(frozen=True)
class Ops:
    """The operations of an array library.

    Attributes:
        module: The library: NumPy, TensorFlow or ``jax.numpy``, which have the others under the same names.
        cast: Converts an array to a type.
        pick: Returns the values of an array at some places of its first axis, which are all inside.
        take: The same for large entries.
        count: Returns the numbers from 0 to below the length of an array.
    """

    module: Any
    cast: Callable[[Any, Any], Any]
    pick: Callable[[Any, Any], Any]
    take: Callable[[Any, Any], Any]
    count: Callable[[Any], Any]


def array_ops(module: Any, take: Callable[[Any, Any], Any]) -> Ops:
    """Return the operations of a library whose arrays have the methods of NumPy's."""
    return Ops(module, lambda x, dtype: x.astype(dtype), take, take, lambda x: module.arange(len(x)))


NUMPY = array_ops(np, lambda x, at: x[at])


def augmented(ops: Ops, images: Any, draws: Mapping[str, Any], kind: Augmentation) -> Any:
    """Return changed images, of the shape and type of ``images``.

    Args:
        ops: The array library.
        images: Raw values, shape ``(batch, features)``, channels last.
        draws: The result of :func:`tuner.images.draws.draw` for these rows.
        kind: The augmentations.
    """
    dtype = images.dtype
    if kind.moves:
        images = _moved(ops, images, draws, kind)
    if kind.noise:
        images = ops.cast(images, "float32") + ops.take(draws["noises"], draws["noise"])
        if kind.largest is not None:
            images = ops.module.minimum(ops.module.maximum(images, 0.0), float(kind.largest))
    if images.dtype != dtype:  # interpolated, or with noise: pixels stay whole numbers
        images = ops.cast(ops.module.floor(images + 0.5), dtype)
    return images


def _moved(ops: Ops, images: Any, draws: Mapping[str, Any], kind: Augmentation) -> Any:
    """Return the images with their pixels at other places; in ``float32`` if they are interpolated."""
    xp, width = ops.module, kind.width
    x, y = np.meshgrid(np.arange(width), np.arange(kind.height))
    grid = np.stack([x.ravel(), y.ravel(), np.ones(kind.pixels)]).astype(np.float32)
    places = xp.reshape(xp.matmul(xp.reshape(draws["moves"], (-1, 3)), grid), (-1, 2, kind.pixels))
    if kind.elastic:
        places += ops.take(draws["fields"], draws["field"])
    last = np.array([[width - 1], [kind.height - 1]], np.float32)
    places = xp.minimum(xp.maximum(places, 0.0), last if kind.whole else last - np.float32(_INSIDE))
    lower = xp.floor(places + 0.5 if kind.whole else places)
    first = ops.count(images)[:, None] * kind.pixels  # of each image, in the list of all pixels
    at = ops.cast(lower[:, 1] * width + lower[:, 0], "int32") + ops.cast(first, "int32")
    pixels = xp.reshape(images, (-1, kind.channels) if kind.channels > 1 else (-1,))
    if kind.whole:
        return xp.reshape(ops.pick(pixels, at), (-1, kind.features))
    right, down = _shares(places - lower, kind)
    pixels = ops.cast(pixels, "float32")
    corners = [ops.pick(pixels, at + step) for step in (0, 1, width, width + 1)]
    above = corners[0] + (corners[1] - corners[0]) * right
    below = corners[2] + (corners[3] - corners[2]) * right
    return xp.reshape(above + (below - above) * down, (-1, kind.features))


def _shares(rest: Any, kind: Augmentation) -> tuple[Any, Any]:
    """Return the shares of the right and of the lower neighbour, for all channels of a pixel."""
    right, down = rest[:, 0], rest[:, 1]
    return (right[..., None], down[..., None]) if kind.channels > 1 else (right, down)
