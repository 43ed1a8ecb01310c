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
        pairs: For each of several arrays of places, returns the values there and at the places that follow, which are
            inside too.
        count: Returns the numbers from 0 to below the length of an array.
    """

    module: Any
    cast: Callable[[Any, Any], Any]
    pick: Callable[[Any, Any], Any]
    take: Callable[[Any, Any], Any]
    pairs: Callable[..., list[tuple[Any, Any]]]
    count: Callable[[Any], Any]


def array_ops(module: Any, take: Callable[[Any, Any], Any]) -> Ops:
    """Return the operations of a library whose arrays have the methods of NumPy's."""
    return Ops(
        module,
        cast=lambda x, dtype: x.astype(dtype),
        pick=take,
        take=take,
        pairs=lambda x, *places: [(take(x, at), take(x, at + 1)) for at in places],
        count=lambda x: module.arange(len(x), dtype=np.int32),
    )


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
    xp = ops.module
    first = ops.count(images)[:, None] * kind.pixels  # of each image, in the list of all pixels
    pixels = xp.reshape(images, (-1, kind.channels) if kind.channels > 1 else (-1,))
    if kind.whole:
        return xp.reshape(ops.pick(pixels, _whole_places(ops, draws["moves"], kind) + first), (-1, kind.features))
    places = _places(ops, draws, kind)
    lower = _whole(ops, places)
    at = lower[:, 1] * kind.width + lower[:, 0] + first
    right, down = _shares(places - ops.cast(lower, "float32"), kind)
    pixels = ops.cast(pixels, "float32")
    (left_above, right_above), (left_below, right_below) = ops.pairs(pixels, at, at + kind.width)
    above = left_above + (right_above - left_above) * right
    below = left_below + (right_below - left_below) * right
    return xp.reshape(above + (below - above) * down, (-1, kind.features))


def _places(ops: Ops, draws: Mapping[str, Any], kind: Augmentation) -> Any:
    """Return the places in the old images that the new pixels show, inside of them: shape ``(batch, 2, pixels)``."""
    xp = ops.module
    x, y = np.meshgrid(np.arange(kind.width), np.arange(kind.height))
    grid = np.stack([x.ravel(), y.ravel(), np.ones(kind.pixels)]).astype(np.float32)
    places = xp.reshape(xp.matmul(xp.reshape(draws["moves"], (-1, 3)), grid), (-1, 2, kind.pixels))
    if kind.elastic:
        places += ops.take(draws["fields"], draws["field"])
    last = np.array([[kind.width - 1], [kind.height - 1]], np.float32) - np.float32(_INSIDE)
    return xp.minimum(xp.maximum(places, 0.0), last)


def _whole_places(ops: Ops, moves: Any, kind: Augmentation) -> Any:
    """Return the numbers of the old pixels that the new ones show, shape ``(batch, pixels)``.

    Images are only shifted by whole pixels or mirrored, so rows and columns are independent.
    """

    def along(axis: int, length: int) -> Any:
        places = moves[:, axis, axis, None] * np.arange(length, dtype=np.float32) + moves[:, axis, 2, None]
        return _whole(ops, ops.module.minimum(ops.module.maximum(places, 0.0), length - 1.0) + 0.5)

    x, y = along(0, kind.width), along(1, kind.height)
    return ops.module.reshape((y * kind.width)[:, :, None] + x[:, None, :], (-1, kind.pixels))


def _whole(ops: Ops, values: Any) -> Any:
    """Return numbers that are not negative, rounded down, as ``int32``."""
    return ops.cast(values, "int32")


def _shares(rest: Any, kind: Augmentation) -> tuple[Any, Any]:
    """Return the shares of the right and of the lower neighbour, for all channels of a pixel."""
    right, down = rest[:, 0], rest[:, 1]
    return (right[..., None], down[..., None]) if kind.channels > 1 else (right, down)
