"""Draws the random numbers of the augmentation of one epoch, with NumPy: the same on every device and backend.

They follow from the seed of the trial and the number of the epoch, as the order of the rows does. So a trial that
continues from a checkpoint, on another worker or in a program that other trials have used, sees the same images.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tuner.config.hyperparameters import Hyperparameters
from tuner.data.schema import DataSchema
from tuner.images.augmentation import Augmentation

Draws = dict[str, NDArray[np.float32] | NDArray[np.int32]]

POOLS = frozenset({"fields", "noises"})  # what the rows of an epoch choose from; the others have one entry per row
# Streams of random numbers, so that one augmentation does not change the numbers of another. The order has stream 0.
_MOVES, _FIELDS, _NOISE = 1, 2, 3
_LARGEST_POOL = 1024  # entries
_POOL_VALUES = 2**21  # values of a pool, so that drawing it takes some hundredths of a second
_SMOOTHNESS = 4 / 28  # of the shorter side: the deviation of 4 pixels that Simard et al. 2003 used for MNIST


def draw(hp: Hyperparameters, schema: DataSchema, rows: int, *, seed: int, epoch: int) -> Draws:
    """Draw what happens to the images of one epoch.

    Args:
        hp: The amounts.
        schema: Input of the data set.
        rows: Images in the epoch.
        seed: Seed of the trial.
        epoch: Number of the epoch, from 0.

    Returns:
        Arrays by name, those that the augmentations of ``hp`` need. ``moves``, shape ``(rows, 2, 3)``: the matrix that
        maps a place ``(x, y, 1)`` of the new image to the place in the old one that it shows, in pixels. ``fields``,
        shape ``(pool, 2, pixels)``: displacements in pixels; ``field``, shape ``(rows,)``: which of them a row gets.
        ``noises``, shape ``(pool, features)``: noise in the units of the data; ``noise``, shape ``(rows,)``: which
        one a row gets.
    """
    kind = Augmentation.of(hp, schema)
    if kind is None:
        return {}
    draws: Draws = {}
    if kind.moves:
        draws["moves"] = _moves(hp, kind, rows, np.random.default_rng((seed, epoch, _MOVES)))
    if kind.elastic:
        rng = np.random.default_rng((seed, epoch, _FIELDS))
        pool = _pool(rows, 2 * kind.pixels)
        draws["fields"] = _smooth_fields(kind, pool, rng) * np.float32(hp.elastic)
        draws["field"] = rng.integers(0, pool, rows, np.int32)
    if kind.noise:
        rng = np.random.default_rng((seed, epoch, _NOISE))
        pool = _pool(rows, kind.features)
        noises = rng.standard_normal((pool, kind.features), np.float32)
        draws["noises"] = noises * (np.float32(hp.noise) * _units(schema))
        draws["noise"] = rng.integers(0, pool, rows, np.int32)
    return draws


def _pool(rows: int, values: int) -> int:
    """Return how many entries a pool has whose entries have so many values."""
    return max(1, min(rows, _LARGEST_POOL, _POOL_VALUES // values))


def _moves(hp: Hyperparameters, kind: Augmentation, rows: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Return the maps from new places to old ones: around the centre of the image, then moved by the shift."""
    # Each amount has its own numbers, drawn even if it is 0, so that the others do not change with it.
    shift = rng.uniform(-1, 1, (2, rows))
    angle = np.radians(hp.rotation) * rng.uniform(-1, 1, rows)
    stretch = (1 + hp.zoom) ** rng.uniform(-1, 1, (2, rows))
    mirror = np.where(hp.flip & (rng.integers(0, 2, rows) == 1), -1.0, 1.0)
    # Of whole pixels, all from -shift to shift have the same probability.
    offset = np.floor((shift + 1) / 2 * (2 * hp.shift + 1)) - hp.shift if kind.whole else shift * hp.shift
    cosine, sine = np.cos(angle), np.sin(angle)
    across, down = mirror / stretch[0], 1 / stretch[1]
    matrix = np.array([[cosine * across, -sine * down], [sine * across, cosine * down]])
    centre = np.array([(kind.width - 1) / 2, (kind.height - 1) / 2])
    constant = centre[:, None] - np.einsum("ijr,j->ir", matrix, centre) + offset
    moves: NDArray[np.float32] = np.concatenate([matrix, constant[:, None]], axis=1).astype(np.float32)
    return moves.transpose(2, 0, 1)


def _smooth_fields(kind: Augmentation, count: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Return smooth random displacements of unit deviation at each pixel, shape ``(count, 2, pixels)``."""
    rough = rng.standard_normal((count, 2, kind.height, kind.width), np.float32)
    deviation = _SMOOTHNESS * min(kind.height, kind.width)
    vertical, horizontal = _smoothing(kind.height, deviation), _smoothing(kind.width, deviation)
    return (vertical @ rough @ horizontal.T).reshape(count, 2, kind.pixels).astype(np.float32, copy=False)


def _smoothing(side: int, deviation: float) -> NDArray[np.float32]:
    """Return the matrix that smooths noise with a Gaussian and keeps its variance, shape ``(side, side)``."""
    distance = np.subtract.outer(np.arange(side), np.arange(side))
    kernel = np.exp(-0.5 * (distance / deviation) ** 2)
    normal: NDArray[np.float32] = (kernel / np.linalg.norm(kernel, axis=1, keepdims=True)).astype(np.float32)
    return normal


def _units(schema: DataSchema) -> NDArray[np.float32]:
    """Return what a difference of 1 in the inputs of the first layer is in the units of the data."""
    if schema.standard is None:
        return np.array([1 / schema.scale], np.float32)
    return np.array(schema.standard.deviation, np.float32)
