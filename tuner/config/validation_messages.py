"""Converts pydantic's validation errors into one-line messages with hints."""

from __future__ import annotations

import textwrap
import types
import typing
from collections.abc import Iterable, Sequence

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from tuner.errors import RecipeError, did_you_mean

# Beginnings of the names that pydantic gives to the members of a union. They are not keys of the file.
_INTERNAL = ("function-", "tuple[", "constrained-")
_LONGEST = 200  # characters of a value that is shown
_PLAIN = {  # messages by pydantic's error type, in place of pydantic's own
    "dict_type": "must be a table",
    "model_type": "must be a table",
    "string_too_short": "must not be empty",
    "too_short": "must not be empty",
    "tuple_type": "must be a list",
}


def explain(error: ValidationError, model: type[BaseModel], source: str, within: Sequence[str] = ()) -> RecipeError:
    """Return an error that describes one of pydantic's errors, the most useful one.

    Args:
        error: The error that pydantic raised.
        model: The class that was being validated. Its fields are the valid names.
        source: The file or table, for the message.
        within: The keys that lead from ``source`` to ``model``.
    """
    details = _most_useful(error.errors(include_url=False, include_context=False))
    keys = [str(part) for part in (*within, *details["loc"]) if not str(part).startswith(_INTERNAL)]
    if details["type"] == "extra_forbidden":
        table = f" in [{'.'.join(keys[:-1])}]" if keys[:-1] else ""
        names = _fields(model, details["loc"][:-1])
        return RecipeError(f"unknown setting '{keys[-1]}'{table} of {source}", hint=did_you_mean(keys[-1], names))
    where = f"{source}: {'.'.join(keys)}" if keys else source
    if details["type"] == "missing":
        return RecipeError(f"{where} is missing", hint="`tuner space show digits` shows a complete file")
    return RecipeError(f"{where}: {_problem(details)}", hint=_choices_hint(details))


def explain_value(message: str, wrong: str, names: Iterable[str]) -> RecipeError:
    """Return an error whose hint is the most similar of the valid ``names``."""
    return RecipeError(message, hint=did_you_mean(wrong, names))


def _most_useful(errors: list[ErrorDetails]) -> ErrorDetails:
    """Return an unknown setting if there is one, else the innermost error of the first setting.

    If a setting is misspelt, pydantic reports an unknown setting and a missing one. The first says more.
    """
    unknown = [details for details in errors if details["type"] == "extra_forbidden"]
    first_setting = [details for details in errors if details["loc"][:1] == errors[0]["loc"][:1]]
    return unknown[0] if unknown else max(first_setting, key=lambda details: len(details["loc"]))


def _problem(details: ErrorDetails) -> str:
    message = details["msg"].removeprefix("Value error, ")
    if details["type"] == "value_error":
        return message
    if details["type"] != "literal_error":
        message = _PLAIN.get(details["type"], message.partition(",")[0])  # without pydantic's details
    shown = textwrap.shorten(repr(details["input"]), _LONGEST, placeholder=" ...")
    return f"{message.replace('Input should be', 'must be')}, got {shown}"


def _choices_hint(details: ErrorDetails) -> str | None:
    """Return the most similar of the valid values, which pydantic lists as ``'a', 'b' or 'c'``."""
    if details["type"] != "literal_error":
        return None
    choices = details["msg"].removeprefix("Input should be ").replace(" or ", ", ").split(", ")
    return did_you_mean(str(details["input"]), [choice.strip("'") for choice in choices])


def _fields(model: type[BaseModel], loc: Sequence[str | int]) -> list[str]:
    """Return the names of all settings of the table at ``loc``."""
    for part in loc:
        if isinstance(part, str) and part in model.model_fields:
            inner = _model_in(model.model_fields[part].annotation)
            if inner is None:
                return []
            model = inner
    return list(model.model_fields)


def _model_in(annotation: object) -> type[BaseModel] | None:
    """Return the first pydantic model in an annotation such as ``tuple[Start, ...]``."""
    if isinstance(annotation, type) and not isinstance(annotation, types.GenericAlias):
        return annotation if issubclass(annotation, BaseModel) else None
    return next((model for argument in typing.get_args(annotation) if (model := _model_in(argument))), None)
