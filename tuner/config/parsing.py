"""Parses the entries of [space] and the parameters of start configurations, and checks them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from tuner.config.dimensions import AnyDimension, Choice, Float, Int
from tuner.config.hyperparameters import Hyperparameters
from tuner.config.validation_messages import explain, explain_value
from tuner.errors import RecipeError
from tuner.records import ParamValue

_DIMENSIONS: dict[str, type[Float | Int | Choice]] = {"float": Float, "int": Int, "choice": Choice}


def parse_entry(name: str, entry: object) -> object:
    """Parse one entry of [space]: a table is a dimension, anything else is a fixed value.

    Returns:
        The dimension, or ``entry`` itself.

    Raises:
        RecipeError: If the name is unknown, or a value is not possible.
    """
    if name not in Hyperparameters.model_fields:
        raise explain_value(f"unknown parameter '{name}' in [space]", name, Hyperparameters.model_fields)
    if isinstance(entry, AnyDimension):
        return entry
    if not isinstance(entry, Mapping):
        _check_value(name, entry)
        return entry
    dimension = _parse_dimension(name, entry)
    for value in dimension.ends():
        _check_value(name, value)
    for other, allowed in dimension.when.items():
        if other not in Hyperparameters.model_fields:
            raise explain_value(
                f"`when` of '{name}' names the unknown parameter '{other}'", other, Hyperparameters.model_fields
            )
        for value in allowed if isinstance(allowed, tuple) else (allowed,):
            _check_value(other, value)
    return dimension


def flat(params: Mapping[str, Any]) -> dict[str, ParamValue]:
    """Replace a list of widths by ``layers``, ``units_0``, ``units_1`` and so on."""
    widths = params.get("units")
    if not isinstance(widths, list | tuple):
        return dict(params)
    rest = {name: value for name, value in params.items() if name != "units"}
    return {"layers": len(widths), **rest} | {f"units_{i}": width for i, width in enumerate(widths)}


def _parse_dimension(name: str, table: Mapping[str, object]) -> AnyDimension:
    kind = table.get("type")
    if kind not in _DIMENSIONS:
        problem = "no type" if kind is None else f"the unknown type {kind!r}"
        raise explain_value(f"'{name}' in [space] has {problem}", str(kind), _DIMENSIONS)
    if kind == "float" and type(Hyperparameters.model_fields[name].default) is int:
        raise RecipeError(f"'{name}' in [space] has type 'float'", hint='it is a whole number: write type = "int"')
    try:
        return _DIMENSIONS[str(kind)].model_validate(table)
    except ValidationError as error:
        raise explain(error, _DIMENSIONS[str(kind)], "[space]", (name,)) from None


def _check_value(name: str, value: object) -> None:
    try:
        Hyperparameters.from_params({name: value})
    except ValidationError as error:
        raise explain(error, Hyperparameters, "[space]") from None
