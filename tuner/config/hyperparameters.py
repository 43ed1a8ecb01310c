"""The hyperparameters of an MLP: their names, types, limits and defaults, validated by pydantic."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tuner.records import ParamValue

# All of these can be exported to ONNX and LiteRT. Exact GELU cannot: tf2onnx does not support Erfc.
Activation = Literal["relu", "elu", "selu", "tanh", "silu", "leaky_relu", "sigmoid", "softplus"]
OptimizerName = Literal["adam", "adamw", "rmsprop", "adadelta", "sgd"]
Schedule = Literal["constant", "cosine"]
Units = Annotated[int, Field(ge=1, le=65_536)]

PER_LAYER = {"units": "layers"}  # dimensions that are drawn once per layer


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
        schedule: ``cosine`` decreases the learning rate to 0 over the trial's epochs.
        weight_decay: Decoupled weight decay, for every optimizer (Loshchilov & Hutter 2019, Decoupled Weight Decay
            Regularization).
        label_smoothing: Share of each label that is spread over all classes, in [0, 1).
        batch_size: Rows per step.
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
    schedule: Schedule = "constant"
    weight_decay: float = Field(default=0.0, ge=0)
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    batch_size: int = Field(default=128, ge=1)

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

    def weights(self, inputs: int, classes: int) -> int:
        """Return the number of weights of the model, including those of batch normalisation that are not trained.

        Results and options call this number ``parameters``, as Keras does. It has nothing to do with the parameters of
        the search space.

        Args:
            inputs: Number of values per row.
            classes: Number of classes.
        """
        widths = (inputs, *self.hidden)
        # Per unit: a bias, or the offset, scale, mean and variance of batch normalisation, which replaces the bias.
        per_unit = 4 if self.batch_norm else 1
        hidden = sum((before + per_unit) * width for before, width in itertools.pairwise(widths))
        return hidden + (widths[-1] + 1) * classes

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
