"""Builds Keras MLPs from hyperparameters: one for training and one for prediction, with shared weights."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from tuner.config.hyperparameters import Hyperparameters
from tuner.data.schema import DataSchema
from tuner.tables.features import Bins
from tuner.training.fused import FusedModel
from tuner.training.initial import initialise
from tuner.training.optimizers import make_optimizer
from tuner.training.parts import Parts
from tuner.training.scaling import Scaling
from tuner.training.schedules import make_schedule
from tuner.training.table_model import embedded, in_units, prepared
from tuner.training.targets import TargetScale

# Every layer names the settings that it relies on, so that a user's own defaults of Keras change no exported model.
_FLOAT = "float32"


def build_for(
    schema: DataSchema, hp: Hyperparameters, x: Any, *, epochs: int, seed: int
) -> tuple[keras.Model, keras.Model]:
    """Build and compile the models of :func:`build` for a data set.

    Args:
        schema: Input and target of the data set.
        hp: The configuration.
        x: Inputs of the training rows, on the device: raw rows, or prepared rows of a table.
        epochs: Number of epochs of the schedules.
        seed: Seed of the initial weights.
    """
    model, predictor = build(hp, schema, seed=seed)
    if hp.parametrization == "ntk":
        initialise(model, x, seed=seed)
    compile_model(model, hp, steps=math.ceil(len(x) / hp.batch_size) * epochs)
    return model, predictor


class TrainedModel(FusedModel):  # type: ignore[misc, valid-type]
    """The model for training. It returns logits or standardised numbers, and smooths labels only in training.

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


def build(hp: Hyperparameters, schema: DataSchema, *, seed: int) -> tuple[keras.Model, keras.Model]:
    """Build a model for training and a model for prediction, which share all weights.

    Args:
        hp: The configuration.
        schema: Input and target.
        seed: Seed of the initial weights and of Keras' dropout layers.

    Returns:
        The model for training, which maps raw rows, or prepared rows of a table, to logits ``(batch, classes)`` or
        standardised numbers ``(batch, 1)``; and an ordinary Keras model that maps raw rows, or encoded rows of a table,
        to probabilities ``(batch, classes)`` or numbers ``(batch, 1)`` in the units of the target, and needs no code
        of this package.

    Raises:
        DataError: If the target cannot be transformed as the configuration asks for.
    """
    inputs = keras.Input(schema.shape, dtype=schema.dtype, name="input")
    layers: list[keras.layers.Layer] = []
    dense: list[tuple[keras.layers.Dense, Any]] = []
    preprocessing: Scaling | Bins
    if schema.table is None:
        read, preprocessing = inputs, Scaling.of(schema)
        x = _standardised(inputs, preprocessing) if preprocessing.standardised else _rescaled(inputs, schema)
    else:
        read, preprocessing = prepared(inputs, schema.table), Bins.of(schema.table)
        x, layers = embedded(read, hp, schema.table, seed=seed)
    x = _dropped(x, hp.input_dropout, "input_dropout", seed)
    if hp.input_scale:
        layers.append(_factors(x, "input_scale"))
        x = layers[-1](x)
    for i, width in enumerate(hp.hidden):
        # Batch normalisation has its own offset, so the layer before it needs no bias.
        layers.append(_dense(width, f"dense_{i}", seed + i, bias=not hp.batch_norm))
        dense.append((layers[-1], x))
        x = layers[-1](x)
        if hp.batch_norm:
            layers.append(keras.layers.BatchNormalization(dtype=_FLOAT, name=f"norm_{i}"))
            x = layers[-1](x)
        active = keras.layers.Activation(hp.activation, dtype=_FLOAT, name=f"{hp.activation}_{i}")(x)
        if hp.parametric_activation:
            layers.append(_factors(x, f"alpha_{i}"))
            change = layers[-1](keras.layers.Subtract(dtype=_FLOAT, name=f"change_{i}")([active, x]))
            active = keras.layers.Add(dtype=_FLOAT, name=f"parametric_{i}")([x, change])
        x = _dropped(active, hp.dropout, f"dropout_{i}", seed + i + 1)
    layers.append(_dense(schema.outputs, "outputs" if schema.numeric else "logits", seed + hp.layers))
    dense.append((layers[-1], x))
    outputs = layers[-1](x)
    target = TargetScale.of(hp, schema.numeric) if schema.numeric else None
    softmax = keras.layers.Softmax(dtype=_FLOAT, name="probabilities")
    predictions = in_units(outputs, target) if target else softmax(outputs)
    model = TrainedModel(read, outputs)
    variables = tuple(variable for layer in layers for variable in layer.weights)
    model.parts = Parts(schema, preprocessing, target, variables, read, tuple(dense))
    return model, keras.Model(inputs, predictions, name="mlp")


def _factors(x: Any, name: str) -> keras.layers.EinsumDense:
    """Return a layer that multiplies each value of ``x`` by a learned factor, which begins as 1."""
    return keras.layers.EinsumDense("bf,f->bf", (int(x.shape[1]),), kernel_initializer="ones", dtype=_FLOAT, name=name)


def _rescaled(inputs: Any, schema: DataSchema) -> Any:
    x = keras.layers.Rescaling(schema.scale, dtype=_FLOAT, name="rescale")(inputs)
    if len(schema.shape) == 1:
        return x
    return keras.layers.Flatten(data_format="channels_last", dtype=_FLOAT, name="flatten")(x)


def _standardised(inputs: Any, scaling: Scaling) -> Any:
    """Return ``(inputs - center) * factor`` within the limit, flattened.

    The mean is subtracted first: with ``x * factor - center * factor``, features whose mean is much larger than their
    deviation would lose their digits.
    """
    # Of constants with three axes, Rescaling never changes the shape, whatever image format Keras is set to.
    limit = float(scaling.limit[0])
    center, factor = (_short(values[None, None, :]) for values in (-scaling.center, scaling.factor / limit))
    x = keras.layers.Reshape((1, 1, scaling.center.size), dtype=_FLOAT, name="features")(inputs)
    x = keras.layers.Rescaling(1.0, offset=center, dtype=_FLOAT, name="center")(x)
    x = keras.layers.Rescaling(factor, dtype=_FLOAT, name="rescale")(x)
    x = keras.layers.Activation("hard_tanh", dtype=_FLOAT, name="within_limit")(x)  # between -1 and 1
    x = keras.layers.Rescaling(limit, dtype=_FLOAT, name="limit")(x)
    return keras.layers.Reshape((scaling.center.size,), dtype=_FLOAT, name="flatten")(x)


def _short(values: npt.NDArray[np.float32]) -> list[Any]:
    """Return ``float32`` values as lists of numbers with few digits in JSON that become the same ``float32`` again."""
    short: list[Any] = values.astype(str).astype(np.float64).tolist()
    return short


def _dense(width: int, name: str, seed: int, *, bias: bool = True) -> keras.layers.Dense:
    # Each layer gets a seed, because setting the global seed makes TensorFlow discard its prepared programs.
    initializer = keras.initializers.GlorotUniform(seed)
    return keras.layers.Dense(width, use_bias=bias, kernel_initializer=initializer, dtype=_FLOAT, name=name)


def _dropped(x: Any, rate: float, name: str, seed: int) -> Any:
    return keras.layers.Dropout(rate, seed=seed, dtype=_FLOAT, name=name)(x) if rate else x


def compile_model(model: keras.Model, hp: Hyperparameters, *, steps: int) -> None:
    """Set the optimizer, loss and metrics of a model.

    Args:
        model: The model for training from :func:`build`.
        hp: The configuration.
        steps: Optimizer steps of the whole trial, over which schedules extend.
    """
    schema = model.parts.schema
    model.schedule = make_schedule(hp, steps)
    model.steps = steps
    classes = len(schema.classes)
    model.compile(
        optimizer=make_optimizer(hp, model.schedule),
        loss=SmoothedCrossEntropy(classes, hp.label_smoothing) if classes else keras.losses.MeanSquaredError(),
        metrics=[keras.metrics.SparseCategoricalAccuracy(name="accuracy")] if classes else [],
        jit_compile=keras.backend.backend() == "jax",
    )
