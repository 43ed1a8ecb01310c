"""The parts of a Keras model that only tables have: its features, embeddings, and numeric outputs.

All are Keras' own layers and operations, so a saved model needs no code of this package, and ONNX and LiteRT can hold
it. Operations with constants keep them in the model's configuration.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

from tuner.config.hyperparameters import Hyperparameters
from tuner.tables.features import LARGEST_NUMBER, LARGEST_SCALED, Bins
from tuner.tables.inputs import LIMIT, UNSEEN, TableInput
from tuner.training.targets import TargetScale

_FLOAT = "float32"  # every layer names it, so that a user's own default of Keras changes no exported model
_WAVES, _COMBINED = "bf,fk->bfk", "bfk,fko->bfo"  # one vector per number; one matrix per number


def prepared(encoded: Any, table: TableInput) -> Any:
    """Return what :func:`tuner.tables.features.prepare` returns, as Keras operations on encoded rows."""
    numbers, codes = ops.split(encoded, [len(table.numbers)], axis=1)
    parts: list[Any] = []
    if table.numbers:
        missing = ops.isnan(numbers)
        filled = ops.where(missing, _floats(number.fill for number in table.numbers), numbers)
        parts.append(ops.clip(filled, -LARGEST_NUMBER, LARGEST_NUMBER))
        if table.indicators:
            parts.append(ops.cast(ops.take(missing, _ints(table.indicators), axis=1), _FLOAT))
    if table.codes:
        codes = _known(codes, table)
        if table.one_hot:
            positions, ones, others = zip(*table.one_hot, strict=True)
            chosen = ops.take(codes, _ints(positions), axis=1)
            one, other = (ops.cast(ops.equal(chosen, _ints(values)), _FLOAT) for values in (ones, others))
            parts.append(ops.subtract(one, other))
    features = [_scaled(_joined(parts), table)] if parts else []
    if table.embedded:
        features.append(ops.cast(ops.take(codes, _ints(table.embedded), axis=1), _FLOAT))
    return _joined(features)


def _known(codes: Any, table: TableInput) -> Any:
    """Return codes as whole numbers; those that are not in the vocabulary become ``UNSEEN``.

    Whole numbers are compared, because ONNX' runtime lets NaN pass a comparison of floats. NaN becomes a number below
    any code, or 0, depending on the processor.
    """
    counts = _ints(code.codes for code in table.codes)
    unseen = np.full(len(table.codes), UNSEEN, np.int32)
    codes = ops.cast(ops.clip(codes, -1.0, float(counts.max())), "int32")
    codes = ops.where(ops.less(codes, counts), codes, unseen)
    return ops.where(ops.greater(codes, unseen), codes, unseen)


def _scaled(features: Any, table: TableInput) -> Any:
    z = ops.multiply(ops.subtract(features, _floats(table.center)), _floats(table.scale))
    z = ops.clip(z, -LARGEST_SCALED, LARGEST_SCALED)
    return ops.divide(z, ops.sqrt(ops.add(ops.square(ops.divide(z, LIMIT)), 1.0)))


def embedded(rows: Any, hp: Hyperparameters, table: TableInput, *, seed: int) -> tuple[Any, list[keras.layers.Layer]]:
    """Return the inputs of the first layer for prepared rows, and the layers with weights in the program's order."""
    features, codes = ops.split(rows, [table.features], axis=1) if table.embedded else (rows, None)
    layers: list[keras.layers.Layer] = []
    parts = []
    if codes is not None:
        vectors = _vectors(hp, table, seed)
        layers.append(vectors)
        # Keras would add them with an operation for biases, which LiteRT has only for floats.
        places = ops.subtract(ops.cast(codes, "int32"), -_ints(table.offsets[:-1]))
        vector = keras.layers.Flatten(data_format="channels_last", dtype=_FLOAT, name="vectors_flat")(vectors(places))
    if hp.numeric_embedding == "none" or not table.numbers:
        parts += [features] if table.features else []
    else:
        numbers, others = ops.split(features, [len(table.numbers)], axis=1)
        make = _periodic if hp.numeric_embedding == "periodic" else _piecewise_linear
        embedding, own = make(numbers, hp, table, seed)
        layers += own
        parts.append(keras.layers.Flatten(data_format="channels_last", dtype=_FLOAT, name="numbers_flat")(embedding))
        parts += [others] if table.features > len(table.numbers) else []
    parts += [vector] if codes is not None else []
    return _joined(parts), layers


def _vectors(hp: Hyperparameters, table: TableInput, seed: int) -> keras.layers.Embedding:
    initial = keras.initializers.RandomNormal(0.0, 1.0, seed=seed)
    size = (table.offsets[-1], hp.category_width)
    return keras.layers.Embedding(*size, embeddings_initializer=initial, dtype=_FLOAT, name="vectors")


def _periodic(numbers: Any, hp: Hyperparameters, table: TableInput, seed: int) -> tuple[Any, list[keras.layers.Layer]]:
    """Return ``[x, W cos(w x + b) + c]`` for each number ``x``, shape ``(batch, numbers, width)``.

    Source: Holzmüller et al. 2024, Better by Default, section 3 and appendix A: PBLD.
    """
    count, waves, width = len(table.numbers), hp.periodic_frequencies, hp.embedding_width
    bound = 1 / math.sqrt(waves)
    frequency = keras.layers.EinsumDense(
        _WAVES,
        (count, waves),
        bias_axes="fk",
        kernel_initializer=keras.initializers.RandomNormal(0.0, 2 * math.pi * hp.periodic_scale, seed=seed),
        bias_initializer=keras.initializers.RandomUniform(-math.pi, math.pi, seed=seed + 1),
        dtype=_FLOAT,
        name="waves",
    )
    combine = keras.layers.EinsumDense(
        _COMBINED,
        (count, width - 1),
        bias_axes="fo",
        kernel_initializer=keras.initializers.RandomUniform(-bound, bound, seed=seed + 2),
        bias_initializer=keras.initializers.RandomUniform(-bound, bound, seed=seed + 3),
        dtype=_FLOAT,
        name="combined_waves",
    )
    plain = keras.layers.Reshape((count, 1), dtype=_FLOAT, name="numbers")(numbers)
    learned = combine(ops.cos(frequency(numbers)))
    return keras.layers.Concatenate(axis=2, dtype=_FLOAT, name="embedded")([plain, learned]), [frequency, combine]


def _piecewise_linear(
    numbers: Any, hp: Hyperparameters, table: TableInput, seed: int
) -> tuple[Any, list[keras.layers.Layer]]:
    """Return a linear function of each number and its bins, shape ``(batch, numbers, width)``.

    The weights of the bins begin at 0, so that the embedding begins as a linear one.

    Source: Gorishniy et al. 2025, TabM: Advancing Tabular Deep Learning with Parameter-Efficient Ensembling.
    """
    count, width, bins = len(table.numbers), hp.embedding_width, Bins.of(table)
    linear = keras.layers.EinsumDense(
        _WAVES,
        (count, width),
        bias_axes="fk",
        kernel_initializer=keras.initializers.RandomUniform(-1.0, 1.0, seed=seed),
        bias_initializer=keras.initializers.RandomUniform(-1.0, 1.0, seed=seed + 1),
        dtype=_FLOAT,
        name="linear",
    )
    combine = keras.layers.EinsumDense(
        _COMBINED, (count, width), kernel_initializer="zeros", dtype=_FLOAT, name="combined_bins"
    )
    plain = keras.layers.Reshape((count, 1), dtype=_FLOAT, name="numbers")(numbers)
    pieces = ops.multiply(ops.subtract(plain, bins.left), bins.factor)
    pieces = ops.minimum(ops.maximum(pieces, bins.lowest), bins.highest)
    return ops.add(linear(numbers), combine(pieces)), [linear, combine]


def in_units(outputs: Any, scale: TargetScale) -> Any:
    """Return standardised outputs in the units of the target: what :meth:`TargetScale.restore` returns."""
    values = keras.layers.Rescaling(scale.deviation, offset=scale.mean, dtype=_FLOAT, name="units")(outputs)
    return ops.clip(ops.exp(values) if scale.log else values, scale.smallest, scale.largest)


def _joined(parts: Sequence[Any]) -> Any:
    return parts[0] if len(parts) == 1 else ops.concatenate(parts, axis=1)


def _floats(values: Any) -> npt.NDArray[np.float32]:
    return np.array(list(values), np.float32)


def _ints(values: Any) -> npt.NDArray[np.int32]:
    return np.array(list(values), np.int32)
