"""The objectives of a study: a validation metric, and up to two more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from tuner.errors import RecipeError, did_you_mean

Metric = Literal[
    "val_accuracy", "val_loss", "val_auc", "val_average_precision", "val_f1", "val_rmse", "val_mae", "val_r2"
]
Name = Literal[Metric, "parameters", "latency_ms", "seconds"]
Direction = Literal["maximize", "minimize"]

LARGER_IS_BETTER = frozenset({"val_accuracy", "val_auc", "val_average_precision", "val_f1", "val_r2"})
LATENCY = "latency_ms"
MAX_OBJECTIVES = 3
_EXAMPLE = 'write objectives = ["val_accuracy", "parameters"]'


class Objective(BaseModel):
    """What trials are compared by.

    Attributes:
        metric: The first objective: a validation metric of a trial's best epoch. It alone decides which trials are
            pruned, promoted and confirmed, and which one is the best.
        also: Further objectives. ``parameters`` is the number of weights of the model, ``seconds`` the training time
            of all attempts together, and ``latency_ms`` the time that the model needs for one row, in milliseconds:
            see :mod:`tuner.training.latency`. Lower is better for all of these.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    metric: Metric = "val_accuracy"
    also: tuple[Name, ...] = Field(default=(), max_length=MAX_OBJECTIVES - 1)

    @model_validator(mode="after")
    def _different(self) -> Self:
        if len(set(self.names)) < len(self.names):
            raise ValueError(f"objectives must be different, got {', '.join(self.names)}")
        return self

    @model_serializer(mode="wrap")
    def _as_before(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out an empty ``also``: a snapshot with one objective looks as it did in versions without ``also``."""
        fields: dict[str, Any] = handler(self)
        return fields if self.also else {name: value for name, value in fields.items() if name != "also"}

    @property
    def names(self) -> tuple[Name, ...]:
        """All objectives, the metric first."""
        return (self.metric, *self.also)

    @property
    def several(self) -> bool:
        """Whether there is more than one objective."""
        return bool(self.also)

    @property
    def maximize(self) -> bool:
        """Whether a higher metric is better."""
        return self.metric in LARGER_IS_BETTER

    @property
    def direction(self) -> Direction:
        """The direction of the metric: ``maximize`` or ``minimize``."""
        return self.directions[0]

    @property
    def directions(self) -> tuple[Direction, ...]:
        """The direction of each objective, in the order of ``names``."""
        return tuple("maximize" if larger else "minimize" for larger in self.larger_is_better)

    @property
    def larger_is_better(self) -> tuple[bool, ...]:
        """Whether higher is better, for each objective in the order of ``names``."""
        return tuple(name in LARGER_IS_BETTER for name in self.names)

    def values(self, facts: Mapping[str, Any]) -> tuple[float, ...] | None:
        """Return the values of all objectives from the facts of a complete trial; ``None`` if one is missing."""
        values = [facts.get(name) for name in self.names]
        return None if None in values else tuple(float(value) for value in values if value is not None)


def objective_table(names: object) -> dict[str, object]:
    """Return the table ``[objective]`` for a list of names, or for a text with names between commas.

    Raises:
        RecipeError: If these cannot be the objectives of a study.
    """
    listed = [name.strip() for name in names.split(",")] if isinstance(names, str) else names
    if not isinstance(listed, Sequence) or not 1 <= len(listed) <= MAX_OBJECTIVES:
        raise RecipeError(f"`objectives` must be a list of 1 to {MAX_OBJECTIVES} names, got {names!r}", hint=_EXAMPLE)
    for name in listed:
        if name not in get_args(Name):
            raise RecipeError(f"there is no objective {name!r}", hint=did_you_mean(str(name), get_args(Name)))
    if len(set(listed)) < len(listed):
        raise RecipeError(f"the objectives must be different, got {', '.join(listed)}", hint="list each one once")
    if listed[0] not in get_args(Metric):
        raise RecipeError(
            f"the first objective must be a metric on the validation rows, got '{listed[0]}'",
            hint=f"the first objective decides which trials are pruned: {_EXAMPLE}",
        )
    return {"metric": listed[0], "also": list(listed[1:])}


def with_objective(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Replace ``objectives = [...]`` in the tables of a recipe by the table ``[objective]``.

    Raises:
        RecipeError: If ``raw`` has both and they differ.
    """
    rest = {name: value for name, value in raw.items() if name != "objectives"}
    table = objective_table(raw["objectives"])
    stated = rest.get("objective", {})
    if not isinstance(stated, Mapping) or {**table, **stated} != table:
        raise RecipeError("[objective] and `objectives` differ", hint="remove [objective]")
    return {**rest, "objective": table}
