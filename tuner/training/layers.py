"""The layers of a :class:`~tuner.training.program.Program`: TensorFlow variables without a fixed shape.

Each computes the same as the Keras layers that :mod:`tuner.training.model` builds.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tuner.tables.inputs import UNSEEN
from tuner.training.activations import activate
from tuner.training.constants import constant
from tuner.training.masks import is_kept
from tuner.training.products import rounded_product, scaled_product
from tuner.training.rates import Role
from tuner.training.structure import TableStructure

BATCH_NORM_EPSILON, BATCH_NORM_MOMENTUM = 1e-3, 0.99  # as in keras.layers.BatchNormalization
UNSEEN_SHARE = 0.01  # of the embedded codes in training that count as unseen, so that this code is trained

Weight = tuple[Role, Any]  # a trainable variable and its role


def unshaped(rank: int) -> Any:
    """Return a variable of a rank whose shape is set when it is assigned."""
    return tf.Variable(tf.zeros([0] * rank), shape=[None] * rank)


class Dense:
    """A dense layer with its activation.

    Args:
        activation: Name of the activation function; ``None`` for none.
        batch_norm: Whether batch normalisation replaces the bias.
        parametric: Whether the activation is parametric.
        bfloat16: Whether training multiplies in bfloat16: see :mod:`tuner.training.products`.
    """

    def __init__(
        self,
        activation: str | None = None,
        *,
        batch_norm: bool = False,
        parametric: bool = False,
        bfloat16: bool = False,
    ) -> None:
        self.kernel = unshaped(2)
        self.offset = unshaped(1)
        self.scale: Any = unshaped(1) if batch_norm else None
        self.mean: Any = unshaped(1) if batch_norm else None
        self.variance: Any = unshaped(1) if batch_norm else None
        self.alpha: Any = unshaped(1) if parametric else None
        self._activation = activation
        self._bfloat16 = bfloat16

    @property
    def trainable(self) -> list[Weight]:
        """The trainable variables."""
        scale: list[Weight] = [] if self.scale is None else [("scale", self.scale)]
        alpha: list[Weight] = [] if self.alpha is None else [("activation", self.alpha)]
        return [("kernel", self.kernel), *scale, ("bias", self.offset), *alpha]

    @property
    def weights(self) -> list[Any]:
        """All variables, in Keras' order."""
        variables = [self.kernel, self.scale, self.offset, self.mean, self.variance, self.alpha]
        return [variable for variable in variables if variable is not None]

    def __call__(self, x: Any, *, training: bool, factor: Any = None) -> Any:
        """Map ``(batch, in)`` to ``(batch, out)``. Training also updates the running mean and variance.

        Args:
            x: The inputs: float32, or raw inputs if there is a factor.
            training: Whether this is a training step.
            factor: Scale of raw inputs, shape ``(1,)``.
        """
        x = self._linear(self._product(x, factor, training=training), training=training)
        return x if self._activation is None else activate(self._activation, x, self.alpha)

    def _product(self, x: Any, factor: Any, *, training: bool) -> Any:
        if factor is not None:
            return scaled_product(x, self.kernel, factor)
        return rounded_product(x, self.kernel) if self._bfloat16 and training else tf.matmul(x, self.kernel)

    def _linear(self, x: Any, *, training: bool) -> Any:
        if self.scale is None:
            return tf.nn.bias_add(x, self.offset)
        if not training:
            return tf.nn.batch_normalization(x, self.mean, self.variance, self.offset, self.scale, BATCH_NORM_EPSILON)
        return self._normalized(x)

    def _normalized(self, x: Any) -> Any:
        """Normalize the rows of a batch, and update the running mean and variance."""
        scale, one, none = self.scale.read_value(), constant(1, tf.int32), tf.zeros([0])
        batch = tf.size(x) // tf.size(scale)
        normal, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            # The gradient of a slice would copy the rows, that of another shape does not.
            x=tf.reshape(x, tf.stack([batch, one, one, tf.size(scale)])),
            scale=scale,
            offset=self.offset,
            mean=none,
            variance=none,
            epsilon=BATCH_NORM_EPSILON,
            is_training=True,
        )
        rows = tf.cast(batch, tf.float32)
        biased = variance * (rows - constant(1)) / rows  # the kernel returns the unbiased variance, Keras the biased
        kept, added = constant(BATCH_NORM_MOMENTUM), constant(1 - BATCH_NORM_MOMENTUM)
        for running, new in ((self.mean, mean), (self.variance, biased)):
            running.assign(running * kept + new * added)
        return tf.raw_ops.Squeeze(input=normal, axis=[1, 2])


class InputScale:
    """Multiplies each input of the first layer by a learned factor."""

    def __init__(self) -> None:
        self.factor = unshaped(1)

    @property
    def trainable(self) -> list[Weight]:
        """The trainable variables."""
        return [("input_scale", self.factor)]

    @property
    def weights(self) -> list[Any]:
        """All variables."""
        return [self.factor]

    def __call__(self, x: Any) -> Any:
        """Map ``(batch, inputs)`` to ``(batch, inputs)``."""
        return x * self.factor


class TableLayer:
    """Maps prepared rows of a table to the inputs of the first layer.

    These are the numbers, embedded or as they are; the other features; and the vectors of the embedded codes.
    """

    def __init__(self, structure: TableStructure) -> None:
        self._structure = structure
        self._vectors = unshaped(2) if len(structure.offsets) > 1 else None
        self._numbers: _Periodic | _PiecewiseLinear | None = None
        if structure.embedding != "none":
            self._numbers = _Periodic() if structure.embedding == "periodic" else _PiecewiseLinear()

    @property
    def trainable(self) -> list[Weight]:
        """The trainable variables."""
        vectors: list[Weight] = [] if self._vectors is None else [("vectors", self._vectors)]
        return [*vectors, *(self._numbers.trainable if self._numbers else ())]

    @property
    def weights(self) -> list[Any]:
        """All variables, in the order of the Keras layers."""
        return [variable for _, variable in self.trainable]

    def __call__(self, x: Any, bins: dict[str, Any], key: Any) -> Any:
        """Map ``(batch, features + codes)`` to ``(batch, inputs)``.

        Args:
            x: Prepared rows: see :func:`tuner.tables.features.prepare`.
            bins: The fields of :class:`~tuner.tables.features.Bins`.
            key: Seed of the codes that count as unseen in this step; ``None`` if this is not training.
        """
        structure, parts = self._structure, []
        features = x[:, : structure.features]
        if self._numbers is None:
            parts.append(features)
        else:
            parts += [self._numbers(features[:, : structure.numbers], bins), features[:, structure.numbers :]]
        if self._vectors is not None:
            parts.append(self._embedded(x[:, structure.features :], key))
        return parts[0] if len(parts) == 1 else tf.concat(parts, axis=1)

    def _embedded(self, codes: Any, key: Any) -> Any:
        codes = tf.cast(codes, tf.int32)
        if key is not None:
            codes = tf.where(is_kept(tf.shape(codes), UNSEEN_SHARE, key), codes, UNSEEN)
        vectors = tf.gather(self._vectors, codes + tf.constant(self._structure.offsets[:-1]))
        return tf.reshape(vectors, [tf.shape(codes)[0], codes.shape[1] * tf.shape(self._vectors)[1]])


class _Periodic:
    """Embeds each number ``x`` as itself and linear combinations of ``cos(w x + b)``.

    Source: Holzmüller et al. 2024, Better by Default, section 3: PBLD.
    """

    def __init__(self) -> None:
        self._frequency, self._phase = unshaped(2), unshaped(2)
        self._kernel, self._offset = unshaped(3), unshaped(2)

    @property
    def trainable(self) -> list[Weight]:
        """The trainable variables."""
        return [
            ("frequency", self._frequency),
            ("number", self._phase),
            ("number", self._kernel),
            ("number", self._offset),
        ]

    def __call__(self, x: Any, bins: dict[str, Any]) -> Any:  # noqa: ARG002 - both embeddings have the same arguments
        """Map ``(batch, numbers)`` to ``(batch, numbers * width)``."""
        # With the numbers as the first axis, no large array has to be transposed for the product of matrices.
        waves = tf.cos(tf.transpose(x)[:, :, None] * self._frequency[:, None, :] + self._phase[:, None, :])
        combined = tf.transpose(tf.matmul(waves, self._kernel), [1, 0, 2]) + self._offset
        return _flat(tf.concat([x[:, :, None], combined], axis=2))


class _PiecewiseLinear:
    """Embeds each number as a linear function of itself and of its bins.

    Source: Gorishniy et al. 2025, TabM, appendix: the version of piecewise-linear embeddings that starts as linear.
    """

    def __init__(self) -> None:
        self._linear, self._offset, self._kernel = unshaped(2), unshaped(2), unshaped(3)

    @property
    def trainable(self) -> list[Weight]:
        """The trainable variables."""
        return [("number", self._linear), ("number", self._offset), ("number", self._kernel)]

    def __call__(self, x: Any, bins: dict[str, Any]) -> Any:
        """Map ``(batch, numbers)`` to ``(batch, numbers * width)``."""
        left, factor, lowest, highest = (bins[name][:, None, :] for name in ("left", "factor", "lowest", "highest"))
        pieces = tf.clip_by_value((tf.transpose(x)[:, :, None] - left) * factor, lowest, highest)
        combined = tf.transpose(tf.matmul(pieces, self._kernel), [1, 0, 2])
        return _flat(x[:, :, None] * self._linear + self._offset + combined)


def _flat(x: Any) -> Any:
    """Return ``(batch, numbers, width)`` as ``(batch, numbers * width)``."""
    shape = tf.shape(x)
    return tf.reshape(x, [shape[0], shape[1] * shape[2]])
