"""The hyperparameters of an MLP: their names, types, limits and defaults, validated by pydantic."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tuner.records import ParamValue

# All of these can be exported to ONNX and LiteRT. Exact GELU cannot: tf2onnx does not support Erfc.
Activation = Literal["relu", "elu", "selu", "tanh", "silu", "leaky_relu", "sigmoid", "softplus", "mish"]
OptimizerName = Literal["adam", "adamw", "rmsprop", "adadelta", "sgd"]
Schedule = Literal["constant", "cosine", "coslog", "plateau"]
Relaxation = Literal["constant", "flat_cos"]
Parametrization = Literal["standard", "ntk"]
NumericEmbedding = Literal["none", "periodic", "piecewise_linear"]
TargetTransform = Literal["none", "log"]
ClassWeight = Literal["none", "balanced"]
Units = Annotated[int, Field(ge=1, le=65_536)]

PER_LAYER = {"units": "layers"}  # dimensions that are drawn once per layer


def dimension_of(name: str) -> str:
    """Return the dimension that a flat parameter belongs to: ``units`` for ``units_0``, but ``beta_2`` for itself."""
    dimension, _, number = name.rpartition("_")
    return dimension if dimension in PER_LAYER and number.isdecimal() else name


@dataclass(frozen=True, slots=True)
class InputSize:
    """Numbers that decide how many weights the first layers of a model have.

    Attributes:
        features: Values per row, without codes that are embedded.
        numbers: How many of them are numbers that can be embedded; only tables have such.
        bins: Bins of each of these numbers.
        embedded: Codes per row that are embedded.
        vectors: Codes that they can have, all together.
    """

    features: int
    numbers: int = 0
    bins: int = 0
    embedded: int = 0
    vectors: int = 0


class Hyperparameters(BaseModel):
    """One configuration of an MLP and its training.

    Attributes:
        layers: Number of hidden layers; 0 is softmax regression.
        units: Width of each hidden layer, or one number for all layers.
        dropout: Dropout after each hidden layer, a share of the activations in [0, 1).
        input_dropout: Dropout of the inputs, a share in [0, 1).
        activation: Activation function of the hidden layers.
        batch_norm: Whether batch normalisation follows each hidden layer.
        optimizer: Name of the optimizer.
        learning_rate: Learning rate of the first step. The default for adadelta is 1: Zeiler 2012, ADADELTA, algorithm
            1, has no learning rate.
        momentum: Momentum of sgd. Other optimizers ignore it.
        beta_2: Decay of the second moment of adam and adamw. Other optimizers ignore it.
        schedule: ``cosine`` decreases the learning rate to 0 over the trial's epochs. ``coslog`` raises it from 0 and
            lowers it to 0 four times, each time over twice as many steps. ``plateau`` multiplies it by
            ``plateau_factor`` whenever the validation loss has not fallen for ``plateau_patience`` epochs; in a refit,
            which has no validation rows, the training loss.
        weight_decay: Decoupled weight decay, for every optimizer (Loshchilov & Hutter 2019, Decoupled Weight Decay
            Regularization).
        dropout_schedule: ``flat_cos`` keeps both dropout rates for half of the steps, and then lowers them to 0.
        weight_decay_schedule: The same for the weight decay.
        label_smoothing: Share of each label that is spread over all classes, in [0, 1).
        batch_size: Rows per step.
        l1: Penalty of the sum of the absolute weights of all layers, in training.
        l2: Penalty of the sum of their squares.
        max_norm: Largest norm of the weights of a hidden unit; 0 sets no limit.
        clip_norm: Largest norm of the gradient of all weights together; 0 sets no limit.
        class_weight: ``balanced`` gives all classes the same weight in the training loss, however rare they are. The
            probabilities that the model predicts are then not those of the data.
        use_ema: Whether the model is evaluated and saved with averages of its weights over the last steps.
        ema_momentum: Share of the average that a step keeps.
        parametric_activation: Whether each hidden unit learns how much of the activation function it applies: ``x +
            alpha * (activation(x) - x)``.
        input_scale: Whether each input of the first layer is multiplied by a learned factor.
        parametrization: ``ntk`` divides the learning rate of each matrix by the square root of its inputs, lowers that
            of biases, parametric activations and embeddings of numbers to a tenth, and starts from weights that are
            scaled layer by layer on the training rows. It needs learning rates of 0.01 to 0.3.
        numeric_embedding: How the model reads the numbers of a table: as they are, as learned waves, or as linear
            pieces between quantiles. Only tables have such numbers; other data ignore this and what follows.
        periodic_frequencies: Waves per number, for ``periodic``.
        periodic_scale: Deviation of the initial frequencies, for ``periodic``.
        embedding_width: Values that replace a number, unless ``numeric_embedding`` is ``none``.
        category_width: Values that replace a category with many values.
        target_transform: ``log`` learns the logarithm of a numeric target. All targets must be positive.
        shift: Largest number of pixels by which training moves an image, along each axis. This and what follows is
            drawn anew for each image and epoch: see :mod:`tuner.images`. Data that are not images ignore it.
        rotation: Largest angle by which an image is turned, in degrees.
        zoom: Largest share by which an image grows, along each axis; ``1 / (1 + zoom)`` is the most that it shrinks to.
        elastic: Deviation of smooth random displacements of the pixels of an image, in pixels.
        flip: Whether half of the images are mirrored, left to right.
        noise: Deviation of noise that is added to the inputs, as a share of the largest pixel; for images that are no
            pixels, in deviations of each feature.

    Source of ``coslog``, ``flat_cos`` and of what stands below ``ema_momentum``: Holzmüller et al. 2024, Better by
    Default: Strong Pre-Tuned MLPs and Boosted Trees on Tabular Data, section 3 and appendix A.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    layers: int = Field(default=2, ge=0, le=32)
    units: Units | tuple[Units, ...] = 128
    dropout: float = Field(default=0.0, ge=0, lt=1)
    input_dropout: float = Field(default=0.0, ge=0, lt=1)
    activation: Activation = "relu"
    batch_norm: bool = False
    optimizer: OptimizerName = "adam"
    learning_rate: float = Field(default=1e-3, gt=0)
    momentum: float = Field(default=0.0, ge=0, lt=1)
    beta_2: float = Field(default=0.999, gt=0, lt=1)
    schedule: Schedule = "constant"
    plateau_factor: float = Field(default=0.5, gt=0, lt=1)
    plateau_patience: int = Field(default=5, ge=1)
    weight_decay: float = Field(default=0.0, ge=0)
    dropout_schedule: Relaxation = "constant"
    weight_decay_schedule: Relaxation = "constant"
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    batch_size: int = Field(default=128, ge=1, le=2**31 - 1)
    l1: float = Field(default=0.0, ge=0)
    l2: float = Field(default=0.0, ge=0)
    max_norm: float = Field(default=0.0, ge=0)
    clip_norm: float = Field(default=0.0, ge=0)
    class_weight: ClassWeight = "none"
    use_ema: bool = False
    ema_momentum: float = Field(default=0.99, ge=0, lt=1)
    parametric_activation: bool = False
    input_scale: bool = False
    parametrization: Parametrization = "standard"
    numeric_embedding: NumericEmbedding = "none"
    periodic_frequencies: int = Field(default=16, ge=1, le=1024)
    periodic_scale: float = Field(default=0.1, gt=0)
    embedding_width: int = Field(default=4, ge=2, le=1024)
    category_width: int = Field(default=8, ge=1, le=1024)
    target_transform: TargetTransform = "none"
    shift: int = Field(default=0, ge=0, le=1024)
    rotation: float = Field(default=0.0, ge=0, le=180)
    zoom: float = Field(default=0.0, ge=0, le=1)
    elastic: float = Field(default=0.0, ge=0, le=1024)
    flip: bool = False
    noise: float = Field(default=0.0, ge=0, le=1024)

    @model_validator(mode="before")
    @classmethod
    def _default_rate_of_adadelta(cls, values: object) -> object:
        if isinstance(values, Mapping) and values.get("optimizer") == "adadelta":
            return {"learning_rate": 1.0, **values}
        return values

    @model_validator(mode="after")
    def _one_width_per_layer(self) -> Self:
        if isinstance(self.units, tuple) and len(self.units) != self.layers:
            raise ValueError(f"units must list one width per layer, got {len(self.units)} for {self.layers} layers")
        return self

    @property
    def hidden(self) -> tuple[int, ...]:
        """The width of each hidden layer, shape ``(layers,)``."""
        return self.units if isinstance(self.units, tuple) else (self.units,) * self.layers

    def weights(self, inputs: InputSize, outputs: int) -> int:
        """Return the number of weights of the model, including those of batch normalisation that are not trained.

        Results and options call this number ``parameters``, as Keras does. It has nothing to do with the parameters of
        the search space.

        Args:
            inputs: Size of the input.
            outputs: Number of values that the model returns for a row.
        """
        embedded, width = self._embedding_weights(inputs)
        widths = (width, *self.hidden)
        # Per unit: a bias, or the offset, scale, mean and variance of batch normalisation, which replaces the bias.
        per_unit = (4 if self.batch_norm else 1) + self.parametric_activation
        hidden = sum((before + per_unit) * width for before, width in itertools.pairwise(widths))
        return embedded + self.input_scale * width + hidden + (widths[-1] + 1) * outputs

    def _embedding_weights(self, inputs: InputSize) -> tuple[int, int]:
        """Return the number of weights before the first layer, and of values that the first layer reads."""
        weights = inputs.vectors * self.category_width
        width = inputs.features + inputs.embedded * self.category_width
        if self.numeric_embedding == "none":
            return weights, width
        values, waves = self.embedding_width, self.periodic_frequencies
        if self.numeric_embedding == "periodic":
            each = 2 * waves + (waves + 1) * (values - 1)  # one of the values is the number itself
        else:
            each = (2 + inputs.bins) * values
        return weights + inputs.numbers * each, width + inputs.numbers * (values - 1)

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> Self:
        """Create hyperparameters from flat parameters, where ``units_0``, ``units_1`` … are the widths of the layers.

        Raises:
            pydantic.ValidationError: If a name is unknown or a value is not possible.
        """
        values = dict(params)
        widths = {int(name.removeprefix("units_")): values.pop(name) for name in list(values) if _is_width(name)}
        if isinstance(values.get("units"), list | tuple):
            values.setdefault("layers", len(values["units"]))
        if widths:
            values["units"] = tuple(widths[i] for i in sorted(widths))
        return cls.model_validate(values)

    def as_params(self) -> dict[str, ParamValue]:
        """Return flat parameters: the inverse of :meth:`from_params`."""
        params: dict[str, ParamValue] = self.model_dump(exclude={"units"})
        return params | {f"units_{i}": width for i, width in enumerate(self.hidden)}


def _is_width(name: str) -> bool:
    return name.startswith("units_") and name.removeprefix("units_").isdecimal()


DEFAULTS: dict[str, ParamValue] = {
    name: field.default for name, field in Hyperparameters.model_fields.items() if name != "units"
}
