"""Builds Keras MLPs from hyperparameters: one for training and one for prediction, with shared weights."""

from __future__ import annotations

import math
from typing import Any

import keras

from tuner.config.hyperparameters import Hyperparameters
from tuner.data.dataset import Dataset
from tuner.training.fused import FusedModel
from tuner.training.optimizers import make_optimizer, make_schedule


def build_for(
    data: Dataset, hp: Hyperparameters, *, rows: int, epochs: int, seed: int
) -> tuple[keras.Model, keras.Model]:
    """Build and compile the models of :func:`build` for a data set.

    Args:
        data: The data set.
        hp: The configuration.
        rows: Number of rows in an epoch.
        epochs: Number of epochs of the learning rate schedule.
        seed: Seed of the initial weights.
    """
    classes = len(data.class_names)
    model, predictor = build(
        hp, input_shape=data.input_shape, dtype=data.input_dtype, scale=data.scale, classes=classes, seed=seed
    )
    compile_model(model, hp, classes=classes, steps=math.ceil(rows / hp.batch_size) * epochs)
    return model, predictor


class Classifier(FusedModel):  # type: ignore[misc, valid-type]
    """The model for training. It returns logits and smooths labels only in training.

    The validation loss has no smoothing, so that trials with different smoothing can be compared.
    """

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        """Return the mean cross-entropy of labels ``(batch,)`` with logits ``(batch, classes)``, a scalar."""
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
    hp: Hyperparameters, *, input_shape: tuple[int, ...], dtype: str, scale: float, classes: int, seed: int
) -> tuple[keras.Model, keras.Model]:
    """Build a model for training and a model for prediction, which share all weights.

    Args:
        hp: The configuration.
        input_shape: Shape of one raw row, without the batch axis.
        dtype: Type of the raw values, e.g. ``uint8``.
        scale: Factor for raw values, e.g. 1/255.
        classes: Number of classes.
        seed: Seed of the initial weights and of Keras' dropout layers.

    Returns:
        The model for training, which maps raw rows to logits ``(batch, classes)``, and an ordinary Keras model that
        maps raw rows to probabilities ``(batch, classes)`` and needs no code of this package.
    """
    inputs = keras.Input(input_shape, dtype=dtype, name="input")
    x = keras.layers.Rescaling(scale, name="rescale")(inputs)
    if len(input_shape) > 1:
        x = keras.layers.Flatten(name="flatten")(x)
    x = _dropped(x, hp.input_dropout, "input_dropout", seed)
    for i, width in enumerate(hp.hidden):
        # Batch normalisation has its own offset, so the layer before it needs no bias.
        x = _dense(width, f"dense_{i}", seed + i, bias=not hp.batch_norm)(x)
        if hp.batch_norm:
            x = keras.layers.BatchNormalization(name=f"norm_{i}")(x)
        x = keras.layers.Activation(hp.activation, name=f"{hp.activation}_{i}")(x)
        x = _dropped(x, hp.dropout, f"dropout_{i}", seed + i + 1)
    logits = _dense(classes, "logits", seed + hp.layers)(x)
    probabilities = keras.layers.Softmax(name="probabilities")(logits)
    return Classifier(inputs, logits), keras.Model(inputs, probabilities, name="mlp")


def _dense(width: int, name: str, seed: int, *, bias: bool = True) -> keras.layers.Dense:
    # Each layer gets a seed, because setting the global seed makes TensorFlow discard its prepared programs.
    initializer = keras.initializers.GlorotUniform(seed)
    return keras.layers.Dense(width, use_bias=bias, kernel_initializer=initializer, name=name)


def _dropped(x: Any, rate: float, name: str, seed: int) -> Any:
    return keras.layers.Dropout(rate, seed=seed, name=name)(x) if rate else x


def compile_model(model: keras.Model, hp: Hyperparameters, *, classes: int, steps: int) -> None:
    """Set the optimizer, loss and metrics of a model.

    Args:
        model: The model for training from :func:`build`.
        hp: The configuration.
        classes: Number of classes.
        steps: Optimizer steps of the whole trial. A ``cosine`` schedule falls to 0 over them.
    """
    model.schedule = make_schedule(hp, steps)
    model.compile(
        optimizer=make_optimizer(hp, model.schedule),
        loss=SmoothedCrossEntropy(classes, hp.label_smoothing),
        metrics=[keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
        jit_compile=keras.backend.backend() == "jax",
    )
