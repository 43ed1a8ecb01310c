"""The hyperparameters of an MLP: their names, ranges and defaults, checked by pydantic."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tuner.records import ParamValue

# Every one of these exports to ONNX and LiteRT; exact GELU does not (tf2onnx has no Erfc).
Activation = Literal["relu", "elu", "selu", "tanh", "silu", "leaky_relu", "sigmoid", "softplus"]
OptimizerName = Literal["adam", "adamw", "rmsprop", "adadelta", "sgd"]
Schedule = Literal["constant", "cosine"]
Units = Annotated[int, Field(ge=1, le=65_536)]

PER_LAYER = {"units": "layers"}


class Hyperparameters(BaseModel):
    """One configuration of an MLP and its training.

    ``units`` holds one width per hidden layer; a single number stands for all layers. ``dropout`` follows each hidden
    layer, ``input_dropout`` the inputs; both are shares of the activations in [0, 1). ``learning_rate`` is that of the
    first step; ``cosine`` lets it fall to 0 over the trial's epochs. Where nobody gives one, adadelta has a rate of 1
    (Zeiler 2012, ADADELTA, algorithm 1, knows no other). ``momentum`` is used by sgd alone.
    ``weight_decay`` is decoupled (Loshchilov & Hutter 2019, Decoupled Weight Decay Regularization) for every optimizer.
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
    def _rate_of_adadelta(cls, values: object) -> object:
        if isinstance(values, Mapping) and values.get("optimizer") == "adadelta":
            return {"learning_rate": 1.0, **values}
        return values

    @model_validator(mode="after")
    def _one_width_per_layer(self) -> Self:
        if isinstance(self.units, tuple) and len(self.units) != self.layers:
            raise ValueError(f"units must name one width per layer, got {len(self.units)} for {self.layers} layers")
        return self

    @property
    def hidden(self) -> tuple[int, ...]:
        """The width of each hidden layer, shape ``(layers,)``."""
        return self.units if isinstance(self.units, tuple) else (self.units,) * self.layers

    def weights(self, inputs: int, classes: int) -> int:
        """Return how many weights the model has, those of batch normalisation that are not trained among them.

        Args:
            inputs: Values per row.
            classes: How many labels.
        """
        widths = (inputs, *self.hidden)
        # Offset, scale, mean and variance of batch normalisation, and no bias before it; or the bias.
        beside = 4 if self.batch_norm else 1
        hidden = sum((before + beside) * width for before, width in itertools.pairwise(widths))
        return hidden + (widths[-1] + 1) * classes

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> Self:
        """Build from flat parameters, where ``units_0``, ``units_1`` … are the widths of single layers.

        Raises:
            pydantic.ValidationError: If a name or value is not possible.
        """
        values = dict(params)
        widths = {int(name.removeprefix("units_")): values.pop(name) for name in list(values) if _is_width(name)}
        if isinstance(values.get("units"), list | tuple):
            values.setdefault("layers", len(values["units"]))
        if widths:
            values["units"] = tuple(widths[i] for i in sorted(widths))
        return cls.model_validate(values)

    def as_params(self) -> dict[str, ParamValue]:
        """Return flat parameters, the inverse of :meth:`from_params`."""
        params: dict[str, ParamValue] = self.model_dump(exclude={"units"})
        return params | {f"units_{i}": width for i, width in enumerate(self.hidden)}


def _is_width(name: str) -> bool:
    return name.startswith("units_") and name.removeprefix("units_").isdecimal()


DEFAULTS: dict[str, ParamValue] = {
    name: field.default for name, field in Hyperparameters.model_fields.items() if name != "units"
}
