"""The augmentation of our recipe for the peers of `time_to_accuracy.py`, from Keras' layers, as a user would write it.

Keras has no layer for elastic distortions of a batch: its `RandomElasticTransform` goes through the images one by one
in Python and needs a fixed batch size. So there is one here, of Keras' operations, and of the fastest of them that were
tried: with `gaussian_blur`, an epoch of 512 units took 28 times as long as without distortions.
"""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np

from tuner.config.hyperparameters import Hyperparameters

_SMOOTHNESS = 4.0  # pixels of 28, as in Simard et al. 2003 and in ours


def augmentation(hp: Hyperparameters, features: int) -> list[keras.layers.Layer]:
    """Return the layers that change flat square images ``(batch, features)`` in training; none without amounts."""
    side = math.isqrt(features)
    moving: list[keras.layers.Layer] = []
    warps = max(hp.rotation, hp.zoom, hp.elastic) > 0
    if hp.flip:
        moving.append(keras.layers.RandomFlip("horizontal"))
    if hp.shift:
        share, how = hp.shift / side, "bilinear" if warps else "nearest"
        moving.append(keras.layers.RandomTranslation(share, share, fill_mode="nearest", interpolation=how))
    if hp.rotation:
        moving.append(keras.layers.RandomRotation(hp.rotation / 360, fill_mode="nearest"))
    if hp.zoom:
        limits = (1 / (1 + hp.zoom) - 1, hp.zoom)
        moving.append(keras.layers.RandomZoom(limits, limits, fill_mode="nearest"))
    if hp.elastic:
        moving.append(Elastic(hp.elastic))
    noise = [keras.layers.GaussianNoise(hp.noise)] if hp.noise else []
    if not moving:
        return noise
    return [keras.layers.Reshape((side, side, 1)), *moving, keras.layers.Flatten(), *noise]


class Elastic(keras.layers.Layer):  # type: ignore[misc]
    """Distorts images ``(batch, side, side, 1)`` by smooth random displacements in training.

    Args:
        strength: Deviation of the displacements, in pixels.
    """

    def __init__(self, strength: float) -> None:
        super().__init__()
        self._strength = strength
        self._seeds = keras.random.SeedGenerator()

    def call(self, x: Any, *, training: bool = False) -> Any:
        """Return the images, distorted in training."""
        if not training:
            return x
        ops = keras.ops
        batch, height, width, _ = ops.shape(x)
        rough = keras.random.normal((batch, height, width, 2), seed=self._seeds)
        moves = self._strength * ops.einsum("yi,bijc,xj->byxc", _smoothing(height), rough, _smoothing(width))
        grid = ops.meshgrid(ops.arange(height, dtype="float32"), ops.arange(width, dtype="float32"), indexing="ij")
        rows, columns = (
            ops.clip(places + moves[..., axis], 0, last - 1.001)
            for axis, (places, last) in enumerate(zip(grid, (height, width), strict=True))
        )
        above, left = ops.floor(rows), ops.floor(columns)
        first = ops.reshape(ops.cast(above * width + left, "int32"), (-1, height * width))
        flat = ops.reshape(x, (-1, height * width))
        corners = [
            ops.reshape(ops.take_along_axis(flat, first + step, axis=1), (-1, height, width))
            for step in (0, 1, width, width + 1)
        ]
        down, right = rows - above, columns - left
        top = corners[0] * (1 - right) + corners[1] * right
        bottom = corners[2] * (1 - right) + corners[3] * right
        return (top * (1 - down) + bottom * down)[..., None]


def _smoothing(side: int) -> Any:
    """Return the matrix that smooths noise with a Gaussian and keeps its variance, shape ``(side, side)``."""
    distance = np.subtract.outer(np.arange(side), np.arange(side)) / (_SMOOTHNESS * side / 28)
    kernel = np.exp(-0.5 * distance**2)
    return (kernel / np.linalg.norm(kernel, axis=1, keepdims=True)).astype(np.float32)
