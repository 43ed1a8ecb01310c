"""Checks of a new recipe that go beyond its types: values, ranges and conditions that cannot be meant.

The recipes of stored studies are not checked: a study that began with one of these mistakes must stay readable.
"""

from __future__ import annotations

import typing
from collections.abc import Mapping, Sequence

from tuner.config.dimensions import AnyDimension, Choice, contains
from tuner.config.hyperparameters import Hyperparameters, dimension_of
from tuner.config.space import SearchSpace
from tuner.config.tables import Start
from tuner.errors import RecipeError
from tuner.records import ParamValue

_MOST_CHOICES = 1000  # every trial stores all of them


def check_new(entries: Mapping[str, object], starts: Sequence[Start], space: SearchSpace) -> None:
    """Check [space] and the start configurations of a recipe that was just written.

    Args:
        entries: The entries of [space]: dimensions and fixed values.
        starts: The start configurations.
        space: The search space that the entries describe.

    Raises:
        RecipeError: If a value has the wrong type, a step does not meet the end of its range, or a condition can never
            hold.
    """
    for name, entry in entries.items():
        _check_entry(name, entry)
    for start in starts:
        for name, entry in start.params.items():
            for value in _values(entry):
                _check_type(f"start '{start.label}': '{name}'", name, value)
            _check_exists(start, name, space)
    for name in space.unreachable():
        dimension = space.dimensions[name]
        raise RecipeError(
            f"'{name}' in [space] never exists: when = {_conditions(dimension)} can never hold",
            hint=_why(space, dimension),
        )


def _check_entry(name: str, entry: object) -> None:
    """Check one entry of [space], a dimension or a fixed value."""
    for value in _values(entry):
        _check_type(f"'{name}' in [space]", name, value)
    if not isinstance(entry, AnyDimension):
        return
    for other, allowed in entry.when.items():
        for value in _values(allowed):
            _check_type(f"'{other}' in `when` of '{name}'", other, value)
    _check_last_value(name, entry)
    if isinstance(entry, Choice) and len(entry.choices) > _MOST_CHOICES:
        raise RecipeError(
            f"'{name}' in [space] has {len(entry.choices):,} choices, at most {_MOST_CHOICES:,} are searched",
            hint="use a range with a step",
        )
    if isinstance(entry, Choice) and len(set(entry.choices)) < len(entry.choices):  # such as 64 and 64.0
        raise RecipeError(f"'{name}' in [space]: choices must differ, got {list(entry.choices)}")


def _values(entry: object) -> Sequence[object]:
    """Return the values that an entry names: those of a choice or of a list, or the value itself."""
    if isinstance(entry, Choice):
        return entry.choices
    if isinstance(entry, list | tuple):
        return entry
    return () if isinstance(entry, AnyDimension) else (entry,)


def _check_type(where: str, name: str, value: object) -> None:
    """Refuse what pydantic would convert: text and truth values in place of numbers, and the other way round."""
    field = Hyperparameters.model_fields.get(dimension_of(name))
    if field is None:
        return
    if field.annotation is bool:
        kind, right = "true or false", isinstance(value, bool)
    elif typing.get_origin(field.annotation) is typing.Literal:
        kind, right = "text", isinstance(value, str)
    else:
        kind, right = "a number", isinstance(value, int | float) and not isinstance(value, bool)
    if not right:
        hint = f"write it without quotes: {value}" if isinstance(value, str) else None
        raise RecipeError(f"{where} must be {kind}, got {value!r}", hint=hint)


def _check_exists(start: Start, name: str, space: SearchSpace) -> None:
    """Refuse a value for a parameter that does not exist with the other values of a start configuration."""
    dimension = space.dimensions.get(name)
    if dimension is None:
        return
    known = {**{other: space.base[other] for other in dimension.when if other not in space.dimensions}, **start.params}
    if any(other in known and known[other] not in _values(allowed) for other, allowed in dimension.when.items()):
        raise RecipeError(
            f"start '{start.label}' sets '{name}', which exists only when = {_conditions(dimension)}",
            hint=f"leave '{name}' out of it, or change its other values",
        )


def _check_last_value(name: str, dimension: AnyDimension) -> None:
    if isinstance(dimension, Choice) or contains(dimension, dimension.high):
        return
    last = dimension.ends()[-1]
    raise RecipeError(
        f"'{name}' in [space] never reaches high = {dimension.high:g}: from low = {dimension.low:g} in steps of "
        f"{dimension.step:g}, the last value is {last:g}",
        hint=f"write high = {last:g}, or another step",
    )


def _why(space: SearchSpace, dimension: AnyDimension) -> str:
    """Return why a condition can never hold: a parameter that has no allowed value, else that conditions conflict."""
    for other, allowed in dimension.when.items():
        values = allowed if isinstance(allowed, tuple) else (allowed,)
        searched = space.dimensions.get(other)
        if searched is None and space.base[other] not in values:
            origin = "fixed to" if other in space.fixed else "not in [space]; its default is"
            return f"'{other}' is {origin} {_toml(space.base[other])}"
        if space.is_per_layer(other):
            return f"'{other}' is drawn once for each layer, so no condition can name it"
        possible = [value for value in values if searched is not None and contains(searched, value)]
        if searched is not None and not searched.when and not possible:
            return f"'{other}' is never {' or '.join(map(_toml, values))} in [space]"
    return "its conditions, and those of the parameters that they name, exclude each other"


def _conditions(dimension: AnyDimension) -> str:
    return "{ " + ", ".join(f"{name} = {_toml(value)}" for name, value in dimension.when.items()) + " }"


def _toml(value: ParamValue | tuple[ParamValue, ...]) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(value)
