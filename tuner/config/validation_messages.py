"""TrialQueue pydantic's findings into one line and a hint for the person who wrote the file."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterable, Sequence

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from tuner.errors import RecipeError, did_you_mean

# What pydantic calls the members of a union, which no file names.
_INNER = ("function-", "tuple[", "constrained-")
_PLAIN = {
    "dict_type": "must be a table",
    "model_type": "must be a table",
    "string_too_short": "must not be empty",
    "too_short": "must not be empty",
    "tuple_type": "must be a list",
}


def explain(error: ValidationError, model: type[BaseModel], source: str, within: Sequence[str] = ()) -> RecipeError:
    """Describe one thing that is wrong, the most telling one.

    Args:
        error: What pydantic found.
        model: The class that was being validated, for the names that it knows.
        source: The file or table, for the message.
        within: The keys above ``model`` inside ``source``.
    """
    first = _most_telling(error.errors(include_url=False, include_context=False))
    keys = [str(part) for part in (*within, *first["loc"]) if not str(part).startswith(_INNER)]
    if first["type"] == "extra_forbidden":
        table = f" in [{'.'.join(keys[:-1])}]" if keys[:-1] else ""
        known = _fields(model, first["loc"][:-1])
        return RecipeError(f"unknown setting '{keys[-1]}'{table} of {source}", hint=did_you_mean(keys[-1], known))
    where = f"{source}: {'.'.join(keys)}" if keys else source
    if first["type"] == "missing":
        return RecipeError(f"{where} is missing", hint="see `tuner space show digits` for a complete file")
    return RecipeError(f"{where}: {_problem(first)}", hint=_choices_hint(first))


def explain_value(message: str, wrong: str, known: Iterable[str]) -> RecipeError:
    """Build an error that names the nearest of the ``known`` names."""
    return RecipeError(message, hint=did_you_mean(wrong, known))


def _most_telling(errors: list[ErrorDetails]) -> ErrorDetails:
    """Return an unknown setting (perhaps the missing one, misspelt), else the innermost error of the first setting."""
    unknown = [each for each in errors if each["type"] == "extra_forbidden"]
    same = [each for each in errors if each["loc"][:1] == errors[0]["loc"][:1]]
    return unknown[0] if unknown else max(same, key=lambda each: len(each["loc"]))


def _problem(first: ErrorDetails) -> str:
    said = first["msg"].removeprefix("Value error, ")
    if first["type"] == "value_error":
        return said
    if first["type"] != "literal_error":
        said = _PLAIN.get(first["type"], said.partition(",")[0])  # behind the comma pydantic says what it got
    return f"{said.replace('Input should be', 'must be')}, got {first['input']!r}"


def _choices_hint(first: ErrorDetails) -> str | None:
    """Name the nearest of the values that pydantic lists as ``'a', 'b' or 'c'``."""
    if first["type"] != "literal_error":
        return None
    known = first["msg"].removeprefix("Input should be ").replace(" or ", ", ").split(", ")
    return did_you_mean(str(first["input"]), [name.strip("'") for name in known])


def _fields(model: type[BaseModel], loc: Sequence[str | int]) -> list[str]:
    """Return the settings that the table at ``loc`` knows."""
    for part in loc:
        if isinstance(part, str) and part in model.model_fields:
            inner = _model_in(model.model_fields[part].annotation)
            if inner is None:
                return []
            model = inner
    return list(model.model_fields)


def _model_in(annotation: object) -> type[BaseModel] | None:
    if isinstance(annotation, type) and not isinstance(annotation, types.GenericAlias):
        return annotation if issubclass(annotation, BaseModel) else None
    return next((found for arg in typing.get_args(annotation) if (found := _model_in(arg))), None)
