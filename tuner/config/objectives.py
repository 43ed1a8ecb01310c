"""What makes one trial better than another: a validation metric, and what it is weighed against."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from tuner.errors import RecipeError, did_you_mean

Metric = Literal["val_accuracy", "val_loss"]
Name = Literal["val_accuracy", "val_loss", "parameters", "latency_ms", "seconds"]
Direction = Literal["maximize", "minimize"]

LATENCY = "latency_ms"
MOST = 3
_EXAMPLE = 'write objectives = ["val_accuracy", "parameters"]'


class Objective(BaseModel):
    """What makes one trial better than another.

    ``metric`` is a validation metric of a trial's best epoch. It alone decides who is pruned, promoted, confirmed and
    called the best. With ``also`` there are several objectives: ``parameters`` counts the weights of the model,
    ``seconds`` is what training took, all attempts together, and ``latency_ms`` is how long the model takes for one
    row, see :mod:`tuner.training.latency`. Less of these is better.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    metric: Metric = "val_accuracy"
    also: tuple[Name, ...] = Field(default=(), max_length=MOST - 1)

    @model_validator(mode="after")
    def _different(self) -> Self:
        if len(set(self.names)) < len(self.names):
            raise ValueError(f"objectives must be different, got {', '.join(self.names)}")
        return self

    @model_serializer(mode="wrap")
    def _as_before(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave ``also`` out where it is empty: a snapshot with one objective is what it was before there were more."""
        told: dict[str, Any] = handler(self)
        return told if self.also else {name: value for name, value in told.items() if name != "also"}

    @property
    def names(self) -> tuple[Name, ...]:
        """Every objective, the metric first."""
        return (self.metric, *self.also)

    @property
    def several(self) -> bool:
        """Whether there is more than one."""
        return bool(self.also)

    @property
    def maximize(self) -> bool:
        """Whether more of the metric is better."""
        return self.metric == "val_accuracy"

    @property
    def direction(self) -> Direction:
        """Of the metric: ``maximize`` or ``minimize``."""
        return self.directions[0]

    @property
    def directions(self) -> tuple[Direction, ...]:
        """Of every objective."""
        return tuple("maximize" if larger else "minimize" for larger in self.larger_is_better)

    @property
    def larger_is_better(self) -> tuple[bool, ...]:
        """Of every objective: whether more of it is better."""
        return tuple(name == "val_accuracy" for name in self.names)

    def values(self, facts: Mapping[str, Any]) -> tuple[float, ...] | None:
        """Return every objective from the facts of a complete trial; ``None`` where one is missing."""
        found = [facts.get(name) for name in self.names]
        return None if None in found else tuple(float(value) for value in found if value is not None)


def objective_table(names: object) -> dict[str, object]:
    """Return what ``[objective]`` would say, for a list of names or for names that are separated by commas.

    Raises:
        RecipeError: If these cannot be the objectives of a study.
    """
    listed = [name.strip() for name in names.split(",")] if isinstance(names, str) else names
    if not isinstance(listed, Sequence) or not 1 <= len(listed) <= MOST:
        raise RecipeError(f"`objectives` must be a list of 1 to {MOST} names, got {names!r}", hint=_EXAMPLE)
    for name in listed:
        if name not in get_args(Name):
            raise RecipeError(f"there is no objective {name!r}", hint=did_you_mean(str(name), get_args(Name)))
    if len(set(listed)) < len(listed):
        raise RecipeError(f"the objectives must be different, got {', '.join(listed)}", hint="name each of them once")
    if listed[0] not in get_args(Metric):
        raise RecipeError(
            f"the first objective must be val_accuracy or val_loss, got '{listed[0]}'",
            hint=f"trials are pruned by the first one: {_EXAMPLE}",
        )
    return {"metric": listed[0], "also": list(listed[1:])}


def with_objective(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return the tables of a recipe with ``objectives = [...]`` written as the table ``[objective]``.

    Raises:
        RecipeError: If both are there and differ.
    """
    rest = {name: value for name, value in raw.items() if name != "objectives"}
    table = objective_table(raw["objectives"])
    stated = rest.get("objective", {})
    if not isinstance(stated, Mapping) or {**table, **stated} != table:
        raise RecipeError("[objective] and `objectives` say different things", hint="leave [objective] out")
    return {**rest, "objective": table}
