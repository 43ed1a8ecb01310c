"""From hyperparameters to a compiled Keras MLP and its twin for prediction."""

from __future__ import annotations

from typing import Any

import keras

from tuner.hyperparameters import Hyperparameters
from tuner.training.dropout import TrainingDropout
from tuner.training.fused import FusedModel
from tuner.training.optimizers import make_optimizer


class Classifier(FusedModel):  # type: ignore[misc, valid-type]
    """The model that is trained: logits out, labels smoothed while training only.

    Validation losses of trials with different smoothing would not be comparable otherwise.
    """

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        """Return the mean cross-entropy of labels ``(batch,)`` and logits ``(batch, classes)``, a scalar."""
        if training:
            return super().compute_loss(x, y, y_pred, sample_weight, training=True)
        return keras.ops.mean(keras.ops.sparse_categorical_crossentropy(y, y_pred, from_logits=True))


class SmoothedCrossEntropy(keras.losses.Loss):  # type: ignore[misc]
    """Cross-entropy of integer labels with logits, each label mixed with the uniform distribution.

    Source: Szegedy et al. 2016, Rethinking the Inception Architecture for Computer Vision, section 7.
    """

    def __init__(self, classes: int, smoothing: float) -> None:
        super().__init__(name="cross_entropy")
        self.classes = classes
        self.smoothing = smoothing

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the loss of each row, shape ``(batch,)``, for labels ``(batch,)`` and logits ``(batch, classes)``."""
        if not self.smoothing:
            return keras.ops.sparse_categorical_crossentropy(y_true, y_pred, from_logits=True)
        target = keras.ops.one_hot(keras.ops.cast(y_true, "int32"), self.classes)
        target = target * (1 - self.smoothing) + self.smoothing / self.classes
        return keras.ops.categorical_crossentropy(target, y_pred, from_logits=True)


def build(
    hp: Hyperparameters, *, input_shape: tuple[int, ...], dtype: str, scale: float, classes: int
) -> tuple[keras.Model, keras.Model]:
    """Build the model that is trained and its twin that predicts; they share every weight.

    Args:
        hp: The configuration.
        input_shape: Shape of one raw row, without the batch axis.
        dtype: Type of the raw values, e.g. ``uint8``.
        scale: What raw values are multiplied with, e.g. 1/255.
        classes: How many labels there are.

    Returns:
        The trained model, which maps raw rows to logits ``(batch, classes)``, and an ordinary Keras model that maps
        them to probabilities ``(batch, classes)`` and needs none of our code.
    """
    inputs = keras.Input(input_shape, dtype=dtype, name="input")
    paths = _Paths(inputs)
    paths.add(keras.layers.Rescaling(scale, name="rescale"))
    if len(input_shape) > 1:
        paths.add(keras.layers.Flatten(name="flatten"))
    paths.drop(hp.input_dropout, "input_dropout")
    for i, width in enumerate(hp.hidden):
        # Batch normalisation has an offset of its own, so the layer before it needs no bias.
        paths.add(keras.layers.Dense(width, use_bias=not hp.batch_norm, name=f"dense_{i}"))
        if hp.batch_norm:
            paths.add(keras.layers.BatchNormalization(name=f"norm_{i}"))
        paths.add(keras.layers.Activation(hp.activation, name=f"{hp.activation}_{i}"))
        paths.drop(hp.dropout, f"dropout_{i}")
    paths.add(keras.layers.Dense(classes, name="logits"))
    probabilities = keras.layers.Softmax(name="probabilities")(paths.kept)
    return Classifier(inputs, paths.trained), keras.Model(inputs, probabilities, name="mlp")


class _Paths:
    """Two graphs through the same layers: one that trains quickly, and one of Keras' layers alone, which is kept."""

    def __init__(self, inputs: Any) -> None:
        self.trained = self.kept = inputs

    def add(self, layer: keras.layers.Layer) -> None:
        """Lead both through ``layer``."""
        self.trained, self.kept = layer(self.trained), layer(self.kept)

    def drop(self, rate: float, name: str) -> None:
        """Lead both through dropout, each in its own way."""
        if rate:
            self.trained = TrainingDropout(rate, name=name)(self.trained)
            self.kept = keras.layers.Dropout(rate, name=name)(self.kept)


def compile_model(model: keras.Model, hp: Hyperparameters, *, classes: int, steps: int) -> None:
    """Give the model its optimizer, loss and metrics.

    Args:
        model: The trained model of :func:`build`.
        hp: The configuration.
        classes: How many labels there are.
        steps: Optimizer steps of the whole trial, over which ``cosine`` falls to 0.
    """
    model.compile(
        optimizer=make_optimizer(hp, steps),
        loss=SmoothedCrossEntropy(classes, hp.label_smoothing),
        metrics=[keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
        jit_compile=keras.backend.backend() == "jax",
    )
